//go:build apiserver

// Package install_test installs the operator in each of the three ways that docs/install.md names, upgrades the last
// release and removes it again, against a real API server; and it has every manifest judged.
package install_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	ctrl "sigs.k8s.io/controller-runtime"

	"channellink.dev/operator/internal/testenv"
)

const (
	operator          = "channellink-operator"
	operatorNamespace = "channellink-system"
	// kubeVersion is what the chart is rendered for where no cluster is asked.
	kubeVersion = "1.36.0"
)

var root, _ = filepath.Abs(filepath.Join("..", ".."))

var env *testenv.Environment

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard())
	os.Exit(testenv.Run(m, &env, testenv.WithAudit()))
}

// tool is the path of a program in bin, which `make tools` fills.
func tool(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(root, "bin", name)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("no program %s: run `make tools`", path)
	}
	return path
}

// output runs the program in the repository's root and returns what it writes.
func output(t *testing.T, program string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), program, args...) // also when the test's own is done
	cmd.Dir = root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", filepath.Base(program), strings.Join(args, " "), err, out, stderr.String())
	}
	return string(out)
}

// kustomize builds a folder of the repository.
func kustomize(t *testing.T, folder string) []*unstructured.Unstructured {
	t.Helper()
	note(t, filepath.Join(root, "config"))
	return parse(t, output(t, tool(t, "kustomize"), "build", folder))
}

// chart renders the chart for the operator's namespace.
func chart(t *testing.T, args ...string) []*unstructured.Unstructured {
	t.Helper()
	note(t, filepath.Join(root, "charts"))
	args = append([]string{"template", "channellink", "charts/channellink", "--namespace", operatorNamespace, "--kube-version", kubeVersion}, args...)
	return parse(t, output(t, tool(t, "helm"), args...))
}

func parse(t *testing.T, manifest string) []*unstructured.Unstructured {
	t.Helper()
	var objects []*unstructured.Unstructured
	decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(manifest), 4096)
	for {
		object := &unstructured.Unstructured{}
		if err := decoder.Decode(&object.Object); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if len(object.Object) > 0 {
			objects = append(objects, object)
		}
	}
	if len(objects) == 0 {
		t.Fatal("no objects")
	}
	return objects
}

// note reads every file below the folder. The go command repeats a test only when a file that the test itself has opened
// changed, and the programs are other processes.
func note(t *testing.T, folder string) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			_, err = os.ReadFile(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
