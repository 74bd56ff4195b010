// Package gitops_test holds the health checks for GitOps tools in config/gitops against objects in every state.
package gitops_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/status"
)

var update = flag.Bool("update", false, "write the objects in config/gitops anew")

var (
	root           = filepath.Join("..", "..")
	customizations = filepath.Join(root, "config", "gitops", "argocd", "resource_customizations", "channellink.dev")
	// statusCases are the states that the operator's own golden tests know.
	statusCases = filepath.Join(root, "internal", "status", "testdata")
)

// now is the time of every object.
var now = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

// The ChannelLinks of the health checks' tests have the status that the operator writes in each state that it knows.
func TestChannelLinksAreAsTheOperatorWritesThem(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(statusCases, "*", "in.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no states in %s: %v", statusCases, err)
	}
	for _, file := range files {
		var state struct {
			Link *v1alpha1.ChannelLink
			Seen status.Observed
		}
		state.Link = channelLink()
		parse(t, file, &state)
		link, name := state.Link, filepath.Base(filepath.Dir(file))
		link.Status.ObservedGeneration = link.Generation
		link.Status.Conditions = status.Conditions(link, state.Seen, now)
		golden(t, "ChannelLink", name, link)
		if name == "ready" {
			link.Generation++
			golden(t, "ChannelLink", "edited", link)
		}
	}
	fresh := channelLink()
	fresh.Generation, fresh.Status.ObservedGeneration, fresh.Status.Conditions = 1, -1, pending()
	golden(t, "ChannelLink", "fresh", fresh)
}

// pending are the conditions that the API server gives to an object that the operator has not seen; see test/api.
func pending() []metav1.Condition {
	return []metav1.Condition{{
		Type: v1alpha1.ConditionReady, Status: metav1.ConditionUnknown, Reason: v1alpha1.ReasonPending,
		Message: "Waiting for the operator", LastTransitionTime: metav1.Unix(0, 0),
	}}
}

// channelLink is what the states are laid over: a ChannelLink that somebody has changed twice.
func channelLink() *v1alpha1.ChannelLink {
	return &v1alpha1.ChannelLink{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: "ChannelLink"},
		ObjectMeta: metav1.ObjectMeta{Name: "vision-hr", Namespace: "vision", Generation: 3},
		Spec: v1alpha1.ChannelLinkSpec{
			Platform: v1alpha1.PlatformLINE, PageID: "507oftxz", PublicURL: "https://link.vision.example",
			LINE: &v1alpha1.LINE{ChannelSecretRef: &v1alpha1.SecretKeyReference{Name: "vision-line", Key: "channelSecret"}},
			OIDC: v1alpha1.OIDC{
				IssuerURL: "https://sso.vision.example", ClientID: "chatbot",
				ClientSecretRef: &v1alpha1.SecretKeyReference{Name: "vision-oidc", Key: "clientSecret"},
			},
		},
	}
}

// golden compares the object with the one in the health check's testdata.
func golden(t *testing.T, kind, name string, object any) {
	t.Helper()
	file := filepath.Join(customizations, kind, "testdata", name+".yaml")
	got, err := yaml.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got; -update writes it anew):\n%s", file, diff)
	}
}

// health is a row of health_test.yaml.
type health struct {
	InputPath    string  `json:"inputPath"`
	HealthStatus verdict `json:"healthStatus"`
}

// verdict is what Argo CD shows of an object.
type verdict struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

// cases are the rows of a kind's health_test.yaml, which must name every object of its testdata.
func cases(t *testing.T, kind string) []health {
	t.Helper()
	var table struct {
		Tests []health `json:"tests"`
	}
	parse(t, filepath.Join(customizations, kind, "health_test.yaml"), &table)
	named := map[string]bool{}
	for _, row := range table.Tests {
		named[filepath.FromSlash(row.InputPath)] = true
	}
	files, err := filepath.Glob(filepath.Join(customizations, kind, "testdata", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s has no objects: %v", kind, err)
	}
	for _, file := range files {
		if name := filepath.Join("testdata", filepath.Base(file)); !named[name] {
			t.Errorf("%s: health_test.yaml says nothing of %s", kind, name)
		}
	}
	return table.Tests
}

// object reads the object of a row.
func object(t *testing.T, kind string, row health) *unstructured.Unstructured {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(customizations, kind, filepath.FromSlash(row.InputPath)))
	if err != nil {
		t.Fatal(err)
	}
	data, err = yaml.YAMLToJSON(data)
	if err != nil {
		t.Fatal(err)
	}
	// Unstructured's own decoder keeps whole numbers whole, as a client does.
	u := &unstructured.Unstructured{}
	if err := u.UnmarshalJSON(bytes.TrimSpace(data)); err != nil {
		t.Fatalf("%s: %v", row.InputPath, err)
	}
	if u.GetKind() != kind {
		t.Fatalf("%s is a %s, want %s", row.InputPath, u.GetKind(), kind)
	}
	return u
}

// each runs the test for every row of both kinds.
func each(t *testing.T, test func(t *testing.T, kind string, row health)) {
	for _, kind := range []string{"ChannelLink", "AccountUnlink"} {
		for _, row := range cases(t, kind) {
			name := strings.TrimSuffix(filepath.Base(row.InputPath), ".yaml")
			t.Run(kind+"/"+name, func(t *testing.T) { test(t, kind, row) })
		}
	}
}

func parse(t *testing.T, file string, into any) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict(data, into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}
