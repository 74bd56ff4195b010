package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
)

// C88: what was linked is what is listed, each part once. The program is this test, whose parts the runtime knows.
func TestMaterialsAreComplete(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	b, err := materials(hello, "v1", []string{program, program}) // two platforms have most parts in common
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "hello.cdx.json")
	if err := b.write(file); err != nil {
		t.Fatal(err)
	}
	var listed bom
	if err := json.Unmarshal(read(t, file), &listed); err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for _, c := range listed.Components {
		got[c.URL]++
	}
	linked, ok := debug.ReadBuildInfo()
	if !ok || len(linked.Deps) == 0 {
		t.Fatal("this test does not know what it is made of")
	}
	want := []string{"pkg:golang/stdlib@" + strings.TrimPrefix(runtime.Version(), "go")}
	for _, m := range linked.Deps {
		want = append(want, "pkg:golang/"+m.Path+"@"+m.Version)
	}
	for _, part := range want {
		if got[part] != 1 {
			t.Errorf("%s is listed %d times, want once", part, got[part])
		}
	}
	if len(listed.Components) != len(want) || listed.Metadata.Component.Name != hello.Name {
		t.Errorf("%s has %d parts, want %d of %s", listed.Metadata.Component.Name, len(listed.Components), len(want), hello.Name)
	}
}

func TestMaterialsOfNoProgram(t *testing.T) {
	if _, err := materials(hello, "v1", []string{"sbom_test.go"}); err == nil {
		t.Error("a file that is no program has parts")
	}
}
