package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestStampFollowsPinsAndSources(t *testing.T) {
	root := t.TempDir()
	put := func(name, text string) {
		t.Helper()
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	stamp := func() string {
		t.Helper()
		s, err := target{name: "x", module: "m", pkg: "./cmd", image: true}.stamp(root)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	put("m/go.mod", "module m")
	put("m/cmd/main.go", "package main")
	put("hack/image/images.json", "[]")
	tests := []struct {
		reason  string
		file    string
		changes bool
	}{
		{"A new pin.", "m/go.mod", true},
		{"A new source.", "m/cmd/main.go", true},
		{"A new recipe of the image.", "hack/image/images.json", true},
		{"A test goes into no binary.", "m/cmd/main_test.go", false},
		{"Another module's source.", "n/main.go", false},
	}
	for _, tc := range tests {
		t.Run(tc.reason, func(t *testing.T) {
			before := stamp()
			put(tc.file, "// "+tc.reason)
			if changed := stamp() != before; changed != tc.changes {
				t.Errorf("after a change of %s: compile again %t, want %t", tc.file, changed, tc.changes)
			}
		})
	}
}

func TestKubernetesVersionComesFromThePin(t *testing.T) {
	root, err := findRoot()
	if err != nil {
		t.Fatal(err)
	}
	got, err := targets[0].kubernetesVersion(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"gitVersion=v1.", "gitMajor=1 ", "gitMinor="} {
		if !strings.Contains(got, want) {
			t.Errorf("linker flags %q lack %q", got, want)
		}
	}
}

// TestTargetsAgreeWithTheList holds the two lists of images together.
func TestTargetsAgreeWithTheList(t *testing.T) {
	root, err := findRoot()
	if err != nil {
		t.Fatal(err)
	}
	list, err := os.ReadFile(filepath.Join(root, "hack/image/images.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tgt := range targets {
		if tgt.image && !strings.Contains(string(list), `"channellink/`+tgt.name+`"`) {
			t.Errorf("hack/image/images.json has no image for target %s", tgt.name)
		}
	}
}
