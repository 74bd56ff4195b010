package desired_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"channellink.dev/operator/internal/desired"
)

var update = flag.Bool("update", false, "write the golden files anew")

// operatorKeys stands for the operator's JWK set in every case: Build passes it through.
const operatorKeys = `{"keys":[]}`

// forEachCase runs the test on the input of every folder of testdata; a new case is data, no Go.
func forEachCase(t *testing.T, test func(t *testing.T, dir string, in desired.Input)) {
	t.Helper()
	files, err := filepath.Glob("testdata/*/in.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases in testdata: %v", err)
	}
	for _, file := range files {
		dir := filepath.Dir(file)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			test(t, dir, read(t, file))
		})
	}
}

// read decodes an input, strictly.
func read(t testing.TB, file string) desired.Input {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	in := desired.Input{OperatorKeys: []byte(operatorKeys)}
	if err := yaml.UnmarshalStrict(data, &in); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return in
}

// build fails the test where Build gives an error.
func build(t *testing.T, in desired.Input) desired.Objects {
	t.Helper()
	objects, err := desired.Build(in)
	if err != nil {
		t.Fatalf("Build: %v", err)
	}
	return objects
}

// render writes the objects as YAML in the order in which they are applied, and then what must not exist.
func render(t *testing.T, objects desired.Objects) []byte {
	t.Helper()
	var out bytes.Buffer
	for _, object := range objects.InOrder() {
		data, err := yaml.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&out, "---\n%s", data)
	}
	for _, object := range objects.Absent() {
		fmt.Fprintf(&out, "# absent: %T %s/%s\n", object, object.GetNamespace(), object.GetName())
	}
	return out.Bytes()
}

func TestGolden(t *testing.T) {
	forEachCase(t, func(t *testing.T, dir string, in desired.Input) {
		got := render(t, build(t, in))
		golden := filepath.Join(dir, "out.yaml")
		if *update {
			if err := os.WriteFile(golden, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s (-want +got; -update writes it anew):\n%s", golden, diff)
		}
	})
}

// BenchmarkBuild measures the least and the most that one reconcile renders; a claims expression is most of the latter.
func BenchmarkBuild(b *testing.B) {
	for _, name := range []string{"line-direct", "botbonnie-line-full"} {
		b.Run(name, func(b *testing.B) {
			in := read(b, "testdata/"+name+"/in.yaml")
			b.ReportAllocs()
			for b.Loop() {
				if _, err := desired.Build(in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
