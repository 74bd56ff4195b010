// Package lint proves that the import rules of .golangci.yml bite: a rule whose
// pattern matches no file would otherwise pass for one that nobody breaks.
package lint

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

const (
	root = "../.."
	own  = "channellink.dev/operator/"
)

// rows gives for each room imports that its rule lets pass and imports that it
// refuses. Paths without a dot in their first element are of the standard
// library; ./x is the project's own package x.
var rows = []struct {
	reason  string
	file    string
	allowed []string
	refused []string
}{
	{
		reason:  "types are imported by every client and must not drag a framework along",
		file:    "api/v1alpha1/probe.go",
		allowed: []string{"k8s.io/api/core/v1", "k8s.io/apimachinery/pkg/apis/meta/v1"},
		refused: []string{"sigs.k8s.io/controller-runtime/pkg/scheme", "k8s.io/apiserver/pkg/cel", "./internal/names"},
	},
	{
		reason:  "names are functions of the resource alone",
		file:    "internal/names/probe.go",
		allowed: []string{"crypto/sha256", "./api/v1alpha1"},
		refused: []string{"k8s.io/api/core/v1", "./internal/desired"},
	},
	{
		reason: "what should exist is computed from its input: nothing to wait for, to read or to guess",
		file:   "internal/desired/probe.go",
		allowed: []string{
			"fmt", "net/url", "./api/v1alpha1", "./internal/names", "./webhookserver/config", "k8s.io/api/apps/v1",
			"k8s.io/client-go/applyconfigurations/apps/v1", "sigs.k8s.io/gateway-api/applyconfiguration/apis/v1",
		},
		refused: []string{
			"context", "os", "net/http", "math/rand/v2", "crypto/rand", "log/slog", "k8s.io/client-go/kubernetes",
			"sigs.k8s.io/controller-runtime/pkg/client", "./internal/apply", "./webhookserver/adminapi",
		},
	},
	{
		reason:  "a condition is a function of what was observed",
		file:    "internal/status/probe.go",
		allowed: []string{"time", "./api/v1alpha1", "k8s.io/apimachinery/pkg/api/meta"},
		refused: []string{"context", "os", "./internal/desired", "sigs.k8s.io/controller-runtime/pkg/client"},
	},
	{
		reason:  "the writer knows objects, not our kinds",
		file:    "internal/apply/probe.go",
		allowed: []string{"context", "k8s.io/apimachinery/pkg/runtime", "sigs.k8s.io/controller-runtime/pkg/client"},
		refused: []string{"./api/v1alpha1", "./internal/names", "k8s.io/client-go/kubernetes"},
	},
	{
		reason: "controllers order the steps; of the server they know its admin API alone",
		file:   "controllers/probe.go",
		allowed: []string{
			"./api/v1alpha1", "./internal/apply", "./internal/desired", "./internal/status", "./webhookserver/adminapi",
			"sigs.k8s.io/controller-runtime", "k8s.io/client-go/tools/events",
		},
		refused: []string{"./webhookserver", "./webhookserver/link", "./internal/chatsim", "github.com/go-jose/go-jose/v4"},
	},
	{
		reason:  "both halves read this file, so it must weigh little",
		file:    "webhookserver/config/probe.go",
		allowed: []string{"encoding/json", "github.com/google/cel-go/cel"},
		refused: []string{"k8s.io/api/core/v1", "./api/v1alpha1", "./webhookserver/outbound", "github.com/go-jose/go-jose/v4"},
	},
	{
		reason:  "the operator links this package, so it brings no server with it",
		file:    "webhookserver/adminapi/probe.go",
		allowed: []string{"github.com/go-jose/go-jose/v4/jwt", "./webhookserver/outbound"},
		refused: []string{"./webhookserver/link", "./webhookserver", "k8s.io/api/core/v1"},
	},
	{
		reason:  "the check of a signature depends on bytes alone",
		file:    "webhookserver/signature/probe.go",
		allowed: []string{"crypto/hmac", "./webhookserver/secretfile"},
		refused: []string{"./webhookserver/event", "./webhookserver/link"},
	},
	{
		reason:  "events are neutral: no platform's word in them",
		file:    "webhookserver/event/probe.go",
		allowed: []string{"time", "./webhookserver/config"},
		refused: []string{"./webhookserver/line", "./webhookserver/linkage"},
	},
	{
		reason:  "every call that leaves the server passes here, whoever makes it",
		file:    "webhookserver/outbound/probe.go",
		allowed: []string{"net/http", "golang.org/x/time/rate", "github.com/sony/gobreaker/v2", "go.opentelemetry.io/otel/trace"},
		refused: []string{"./webhookserver/link", "golang.org/x/oauth2"},
	},
	{
		reason:  "secret files know nothing of what the secrets are for",
		file:    "webhookserver/secretfile/probe.go",
		allowed: []string{"github.com/fsnotify/fsnotify"},
		refused: []string{"./webhookserver/link", "github.com/go-jose/go-jose/v4"},
	},
	{
		reason:  "a platform's package turns payloads into events and calls; it stores nothing",
		file:    "webhookserver/line/probe.go",
		allowed: []string{"./webhookserver/signature", "./webhookserver/event", "./webhookserver/link"},
		refused: []string{"./webhookserver/store", "./webhookserver/botbonnie", "./webhookserver/authorize"},
	},
	{
		reason:  "the rules of a link know neither platform nor database",
		file:    "webhookserver/link/probe.go",
		allowed: []string{"./webhookserver/event", "./webhookserver/secretfile"},
		refused: []string{"./webhookserver/store", "./webhookserver/line", "github.com/jackc/pgx/v5"},
	},
	{
		reason:  "a store keeps links and decides nothing about them",
		file:    "webhookserver/store/probe.go",
		allowed: []string{"./webhookserver/link", "github.com/jackc/pgx/v5/pgxpool", "modernc.org/sqlite", "github.com/pressly/goose/v3"},
		refused: []string{"./webhookserver/event", "./webhookserver/authorize"},
	},
	{
		reason:  "a command for links serves nothing",
		file:    "webhookserver/linkscmd/probe.go",
		allowed: []string{"./webhookserver/link", "./webhookserver/store", "./webhookserver/config"},
		refused: []string{"./webhookserver", "./webhookserver/authorize"},
	},
	{
		reason:  "the sign-in reaches platforms through interfaces of its own",
		file:    "webhookserver/authorize/probe.go",
		allowed: []string{"./webhookserver/link", "./webhookserver/pages", "github.com/coreos/go-oidc/v3/oidc", "golang.org/x/oauth2"},
		refused: []string{"./webhookserver/store", "./webhookserver/messenger"},
	},
	{
		reason:  "pages show what they are given",
		file:    "webhookserver/pages/probe.go",
		allowed: []string{"html/template", "golang.org/x/text/language"},
		refused: []string{"./webhookserver/link", "./webhookserver/authorize"},
	},
	{
		reason:  "services resolve links and sign assertions",
		file:    "webhookserver/services/probe.go",
		allowed: []string{"./webhookserver/link", "./webhookserver/botbonnie", "github.com/go-jose/go-jose/v4"},
		refused: []string{"./webhookserver/store", "./webhookserver/line"},
	},
	{
		reason:  "the bot's API speaks for the direct platforms",
		file:    "webhookserver/botapi/probe.go",
		allowed: []string{"./webhookserver/link", "./webhookserver/line", "./webhookserver/messenger"},
		refused: []string{"./webhookserver/store", "./webhookserver/services"},
	},
	{
		reason:  "an unlink reaches platforms through interfaces of its own",
		file:    "webhookserver/unlink/probe.go",
		allowed: []string{"./webhookserver/link"},
		refused: []string{"./webhookserver/botbonnie", "./webhookserver/store"},
	},
	{
		reason:  "spans leave by HTTP and bring no gRPC along",
		file:    "webhookserver/tracing/probe.go",
		allowed: []string{"net/http", "go.opentelemetry.io/otel/sdk/trace", "google.golang.org/protobuf/proto", "go.opentelemetry.io/proto/otlp/trace/v1"},
		refused: []string{"./webhookserver/link", "google.golang.org/grpc", "google.golang.org/protobuf/types/known/anypb"},
	},
	{
		reason:  "the server wires its own parts and knows no Kubernetes",
		file:    "webhookserver/probe.go",
		allowed: []string{"./webhookserver/store", "./webhookserver/authorize"},
		refused: []string{"k8s.io/client-go/kubernetes", "./controllers", "./internal/names"},
	},
	{
		reason:  "no Kubernetes in the server's tests either",
		file:    "webhookserver/probe_test.go",
		allowed: []string{"github.com/google/go-cmp/cmp"},
		refused: []string{"sigs.k8s.io/controller-runtime/pkg/client", "./api/v1alpha1", "github.com/onsi/gomega"},
	},
	{
		reason:  "one mistake must not hide on both sides",
		file:    "internal/chatsim/line/probe.go",
		allowed: []string{"net/http"},
		refused: []string{"./webhookserver/line", "./internal/names", "./webhookserver/signature"},
	},
	{
		reason:  "a person's tool knows the API and the cluster, and neither half from inside",
		file:    "internal/plugin/probe.go",
		allowed: []string{"./api/v1alpha1", "./internal/names", "k8s.io/client-go/tools/clientcmd", "sigs.k8s.io/controller-runtime/pkg/client"},
		refused: []string{"./webhookserver/config", "./internal/desired", "./controllers", "sigs.k8s.io/controller-runtime/pkg/manager"},
	},
	{
		reason:  "the plugin's command wires the plugin",
		file:    "cmd/kubectl-channellink/probe.go",
		allowed: []string{"./internal/plugin", "github.com/spf13/pflag"},
		refused: []string{"./internal/names", "k8s.io/client-go/rest"},
	},
	{
		reason:  "the operator's command wires the operator",
		file:    "cmd/manager/probe.go",
		allowed: []string{"./controllers", "./internal/apply", "sigs.k8s.io/controller-runtime"},
		refused: []string{"./webhookserver", "./internal/chatsim", "./internal/samplebot", "github.com/jackc/pgx/v5"},
	},
	{
		reason:  "the server's command wires the server",
		file:    "cmd/webhookserver/probe.go",
		allowed: []string{"flag", "./webhookserver", "./webhookserver/config"},
		refused: []string{"./controllers", "k8s.io/api/core/v1"},
	},
	{
		reason:  "the simulator and its samples stand alone",
		file:    "cmd/chatsim/probe.go",
		allowed: []string{"./internal/chatsim", "./internal/program"},
		refused: []string{"./webhookserver/botbonnie", "./internal/names"},
	},
	{
		reason:  "a bot and a service that a company would write know the wire alone",
		file:    "internal/samplehr/probe.go",
		allowed: []string{"crypto/ecdsa", "./internal/chatsim/wire"},
		refused: []string{"./webhookserver/services", "./internal/chatsim", "github.com/go-jose/go-jose/v4"},
	},
	{
		reason:  "a new package has no row, so it may use nothing until it gets one",
		file:    "webhookserver/novelty/probe.go",
		allowed: []string{"strings"},
		refused: []string{"./webhookserver/link", "golang.org/x/oauth2"},
	},
	{
		reason:  "tests are plain functions that compare with go-cmp",
		file:    "controllers/probe_test.go",
		allowed: []string{"testing", "github.com/onsi/gomega", "./internal/testenv"},
		refused: []string{"github.com/onsi/ginkgo/v2", "github.com/stretchr/testify/require", "math/rand"},
	},
}

func TestEachRowRefusesWhatItShould(t *testing.T) {
	linter := findLinter(t)
	var mu sync.Mutex
	bitten := map[string]bool{}

	t.Run("rows", func(t *testing.T) {
		for _, row := range rows {
			t.Run(path.Dir(row.file), func(t *testing.T) {
				t.Parallel()
				tree := t.TempDir()
				writeTree(t, tree, row.file, slices.Concat(row.allowed, row.refused))
				refusals := lint(t, linter, tree)

				want := make(map[string]bool)
				for _, name := range row.refused {
					want[importPath(name)] = true
				}
				got := make(map[string]bool)
				mu.Lock()
				defer mu.Unlock()
				for _, r := range refusals {
					got[r.path] = true
					bitten[r.rule] = true
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s: refused imports differ (-want +got), but %s:\n%s", row.file, row.reason, diff)
				}
			})
		}
	})

	for _, rule := range ruleNames(t) {
		if !bitten[rule] {
			t.Errorf("rule %s refused nothing: add a row that it refuses", rule)
		}
	}
}

// findLinter returns the golangci-lint that `make lint` built.
func findLinter(t *testing.T) string {
	t.Helper()
	linter := os.Getenv("GOLANGCI_LINT")
	if linter == "" {
		linter = filepath.Join(root, "bin", "golangci-lint")
	}
	linter, err := filepath.Abs(linter)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(linter); err != nil {
		t.Fatalf("no golangci-lint (run `make bin/golangci-lint`): %v", err)
	}
	return linter
}

// ruleNames lists the import rules of .golangci.yml.
func ruleNames(t *testing.T) []string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(root, ".golangci.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		Linters struct {
			Settings struct {
				Depguard struct {
					Rules map[string]any `yaml:"rules"`
				} `yaml:"depguard"`
			} `yaml:"settings"`
		} `yaml:"linters"`
	}
	if err := yaml.Unmarshal(raw, &config); err != nil {
		t.Fatal(err)
	}
	names := slices.Sorted(maps.Keys(config.Linters.Settings.Depguard.Rules))
	if len(names) == 0 {
		t.Fatal(".golangci.yml has no import rules")
	}
	return names
}

// importPath spells ./x out.
func importPath(name string) string {
	if rest, ok := strings.CutPrefix(name, "./"); ok {
		return own + rest
	}
	return name
}

// writeTree writes a module that holds one file with these imports, and an empty
// package for each of them, so that they resolve without a download.
func writeTree(t *testing.T, tree, file string, imports []string) {
	t.Helper()
	config, err := os.ReadFile(filepath.Join(root, ".golangci.yml"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, tree, ".golangci.yml", string(config))

	var lines strings.Builder
	modules := map[string]bool{}
	for _, name := range imports {
		p := importPath(name)
		fmt.Fprintf(&lines, "import _ %q\n", p)
		first, _, _ := strings.Cut(p, "/")
		switch {
		case strings.HasPrefix(p, own):
			write(t, tree, path.Join(strings.TrimPrefix(p, own), "stub.go"), "package stub\n")
		case strings.Contains(first, "."):
			module := moduleOf(p)
			modules[module] = true
			write(t, tree, path.Join("stub", p, "stub.go"), "package stub\n")
			write(t, tree, path.Join("stub", module, "go.mod"), "module "+module+"\n\ngo 1.26\n")
		}
	}
	write(t, tree, file, "package stub\n\n"+lines.String())

	mod := "module " + strings.TrimSuffix(own, "/") + "\n\ngo 1.26\n"
	for _, m := range slices.Sorted(maps.Keys(modules)) {
		mod += fmt.Sprintf("\nrequire %s %s\nreplace %s => ./stub/%s\n", m, versionOf(m), m, m)
	}
	write(t, tree, "go.mod", mod)
}

func write(t *testing.T, tree, name, text string) {
	t.Helper()
	file := filepath.Join(tree, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

var majorSuffix = regexp.MustCompile(`^v([2-9])$`)

// moduleOf guesses the module of a package from the host's habits: two elements
// or, on github.com and below golang.org/x, three, and a major version.
func moduleOf(p string) string {
	elements := strings.Split(p, "/")
	n := 2
	if elements[0] == "github.com" || elements[0] == "golang.org" {
		n = 3
	}
	if len(elements) > n && majorSuffix.MatchString(elements[n]) {
		n++
	}
	return strings.Join(elements[:n], "/")
}

// versionOf is a version that go.mod accepts for the module.
func versionOf(module string) string {
	if m := majorSuffix.FindStringSubmatch(path.Base(module)); m != nil {
		return "v" + m[1] + ".0.0"
	}
	return "v0.0.0"
}

// refusal is an import that a rule refused.
type refusal struct{ rule, path string }

var refusalText = regexp.MustCompile(`^import '([^']+)' is not allowed from list '([^']+)'`)

// lint runs the import rules over the tree. Whatever else golangci-lint reports
// means that the tree is wrong, not the rule.
func lint(t *testing.T, linter, tree string) []refusal {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), linter, "run", "--enable-only=depguard", "--uniq-by-line=false", "--allow-parallel-runners",
		"--output.json.path=stdout", "--output.text.path=stderr", "--show-stats=false", "./...")
	cmd.Dir = tree
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off", "GOWORK=off")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1) {
		t.Fatalf("golangci-lint: %v\n%s", err, stderr.String())
	}
	var report struct {
		Issues []struct{ FromLinter, Text string }
	}
	if err := json.Unmarshal(out, &report); err != nil {
		t.Fatalf("golangci-lint's report: %v\n%s", err, stderr.String())
	}
	var found []refusal
	for _, issue := range report.Issues {
		m := refusalText.FindStringSubmatch(issue.Text)
		if issue.FromLinter != "depguard" || m == nil {
			t.Fatalf("golangci-lint complains of the tree: %s: %s", issue.FromLinter, issue.Text)
		}
		found = append(found, refusal{rule: m[2], path: m[1]})
	}
	return found
}
