package docs_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// pages are all pages of the project, by path below its root.
func pages(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && isForeign(d.Name()):
			return filepath.SkipDir
		case !strings.HasSuffix(path, ".md"):
			return nil
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		found[filepath.ToSlash(name)] = string(raw)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// mentioned calls check with what the pattern finds in each page, and fails if that is nothing at all.
func mentioned(t *testing.T, pattern *regexp.Regexp, check func(page, name string)) {
	t.Helper()
	number := 0
	for page, text := range pages(t) {
		for _, m := range pattern.FindAllStringSubmatch(text, -1) {
			number++
			check(page, m[1])
		}
	}
	if number == 0 {
		t.Errorf("no page has anything like %s: this test looks for the wrong thing", pattern)
	}
}

func read(t *testing.T, path ...string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(append([]string{root}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// Each make target that a page names is in the Makefile.
func TestMakeTargetsAreThere(t *testing.T) {
	makefile := read(t, "Makefile")
	mentioned(t, regexp.MustCompile("(?m)(?:^ {4}|`)make ([a-z-]+)"), func(page, target string) {
		if !regexp.MustCompile(`(?m)^([a-z-]+ )*` + target + `( [a-z-]+)*:`).MatchString(makefile) {
			t.Errorf("%s: there is no target %s", page, target)
		}
	})
}

// Each test and benchmark that a page names is in the tree.
func TestNamedTestsAreThere(t *testing.T) {
	var names []string
	for _, test := range functionsOfTests(t) {
		names = append(names, test[strings.LastIndexByte(test, '.')+1:])
	}
	mentioned(t, regexp.MustCompile("`(?:[a-z/]+\\.)?((?:Test|Benchmark|Fuzz)[A-Z]\\w+)`"), func(page, test string) {
		if test != "TestFailed" && !slices.Contains(names, test) { // that is a state of a webhook's registration
			t.Errorf("%s: there is no %s", page, test)
		}
	})
}

// Each metric that a page names stands in the tables of docs/metrics.md, which a test holds to a scrape.
func TestNamedMetricsAreThere(t *testing.T) {
	tables := read(t, "docs", "metrics.md")
	suffixes := regexp.MustCompile(`_(bucket|sum|count)$`)
	mentioned(t, regexp.MustCompile(`\b(channellink_[a-z_]+[a-z])(?:[^a-z.]|\.[^a-z])`), func(page, metric string) {
		if !strings.Contains(tables, "| `"+suffixes.ReplaceAllString(metric, "")+"` |") {
			t.Errorf("%s: there is no metric %s", page, metric)
		}
	})
}

// A shell reads each command of a page, without carrying it out.
func TestCommandsCanBeRead(t *testing.T) {
	mentioned(t, regexp.MustCompile("(?s)```(?:sh|console)\n(.*?)\n *```"), func(page, block string) {
		var script []string
		told := strings.Contains(block, "$ ") // what is printed stands below what is typed
		typed := !told
		for line := range strings.SplitSeq(block, "\n") {
			line = strings.TrimSpace(line)
			if command, ok := strings.CutPrefix(line, "$ "); ok {
				line, typed = command, true
			}
			if typed {
				script = append(script, line)
			}
			typed = !told || typed && strings.HasSuffix(line, `\`)
		}
		shell := exec.CommandContext(t.Context(), "bash", "-n")
		shell.Stdin = strings.NewReader(strings.Join(script, "\n"))
		if out, err := shell.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s\n%s", page, err, out, strings.Join(script, "\n"))
		}
	})
}

// schema is as much of a resource definition as tells which fields there are.
type schema struct {
	Properties map[string]schema `json:"properties"`
	Items      *schema           `json:"items"`
}

// has tells whether the fields lead somewhere. What Kubernetes itself defines is taken as it is.
func (s schema) has(fields []string) bool {
	for _, field := range fields {
		if len(s.Properties) == 0 {
			return true
		}
		next, ok := s.Properties[strings.TrimSuffix(field, "[]")]
		if !ok {
			return false
		}
		if next.Items != nil {
			next = *next.Items
		}
		s = next
	}
	return true
}

// Each field that a page names by a path, such as `store.sqlite.size` or `status.users[].message`, is in one of the two kinds.
func TestNamedFieldsAreThere(t *testing.T) {
	var roots []schema
	for _, kind := range []string{"channellinks", "accountunlinks"} {
		var definition struct {
			Spec struct {
				Versions []struct {
					Schema struct {
						OpenAPIV3Schema schema `json:"openAPIV3Schema"`
					} `json:"schema"`
				} `json:"versions"`
			} `json:"spec"`
		}
		if err := yaml.Unmarshal([]byte(read(t, "config", "crd", "channellink.dev_"+kind+".yaml")), &definition); err != nil {
			t.Fatal(err)
		}
		object := definition.Spec.Versions[0].Schema.OpenAPIV3Schema
		roots = append(roots, object, object.Properties["spec"])
	}
	mentioned(t, regexp.MustCompile("`([a-z]\\w+(?:\\[\\])?(?:\\.[a-z]\\w+(?:\\[\\])?)+)(?:: [^`]*)?`"), func(page, path string) {
		fields := strings.Split(path, ".")
		begins := func(s schema) bool { return s.has(fields[:1]) }
		leads := func(s schema) bool { return s.has(fields) }
		if host := regexp.MustCompile(`\.(com|me|dev|example)$`); host.MatchString(path) || path == "server.address" { // that is of spans
			return
		}
		if slices.ContainsFunc(roots, begins) && !slices.ContainsFunc(roots, leads) {
			t.Errorf("%s: there is no field %s", page, path)
		}
	})
}
