//go:build apiserver

package api

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"channellink.dev/operator/api/v1alpha1"
)

// What people copy from config/samples works.
func TestSamplesAreAccepted(t *testing.T) {
	namespace := env.Namespace(t)
	files, _ := samples(t)
	for name, content := range files {
		if err := try(t, namespace, parseObject(t, content)); err != nil {
			t.Errorf("config/samples/%s: %v", name, err)
		}
	}
}

// helmValues is the first line of a block that is no object, but Helm's.
const helmValues = "# values.yaml"

// others are kinds that an API server knows only with what brings them, and who judges them.
var others = map[string]string{
	helmValues: "test/install renders the chart with them",
	"kustomize.config.k8s.io/v1beta1 Kustomization": "test/install builds it",
	"kustomize.toolkit.fluxcd.io/v1 Kustomization":  "test/gitops compares it with the one that it runs",
}

// What people copy from any page works: every block of YAML in README.md and docs is taken by a real API server, without
// a field that it does not know. A block that holds a part of a spec is merged into the first of our objects on its page.
func TestPagesAreAccepted(t *testing.T) {
	namespace := env.Namespace(t)
	root := filepath.Join("..", "..")
	files, _ := samples(t)
	sample := parseObject(t, files["botbonnie-line.yaml"])
	tried, seen := 0, map[string]bool{}
	for _, path := range allPages(t, root) {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		example := sample
		blocks, err := yamlOf(string(content))
		if err != nil {
			t.Errorf("%s: %v", path, err)
		}
		for _, block := range blocks {
			if strings.HasPrefix(block, helmValues) {
				seen[helmValues] = true
				continue
			}
			for _, object := range blockObjects(t, path, block) {
				kind := object.GetAPIVersion() + " " + object.GetKind()
				ours := strings.HasPrefix(object.GetAPIVersion(), v1alpha1.GroupName+"/")
				switch {
				case object.GetKind() == "" && object.Object["spec"] != nil && len(object.Object) == 1:
					object = merge(t, example, object.Object)
				case ours && example == sample:
					example = object
				case others[kind] != "":
					seen[kind] = true
					continue
				}
				tried++
				if err := try(t, namespace, object); err != nil {
					t.Errorf("%s: %v\n%s", path, err, block)
				}
			}
		}
	}
	if tried < 10 {
		t.Errorf("%d objects were tried: the test looks at too little", tried)
	}
	for kind := range others {
		if !seen[kind] {
			t.Errorf("no page shows a %s any more", kind)
		}
	}
}

// try submits the object in the namespace, if it can be in one, without keeping it.
func try(t *testing.T, namespace string, object *unstructured.Unstructured) error {
	object = object.DeepCopy()
	namespaced, err := env.Client.IsObjectNamespaced(object)
	if err != nil {
		return fmt.Errorf("%s: %w", object.GroupVersionKind(), err)
	}
	object.SetNamespace("")
	if namespaced {
		object.SetNamespace(namespace)
	}
	return env.Client.Create(t.Context(), object, client.DryRunAll, client.FieldValidation(metav1.FieldValidationStrict))
}

// allPages are README.md and the pages below docs.
func allPages(t *testing.T, root string) []string {
	t.Helper()
	pages := []string{filepath.Join(root, "README.md")}
	err := filepath.WalkDir(filepath.Join(root, "docs"), func(path string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(path, ".md") {
			pages = append(pages, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return pages
}

// fence is a block of YAML, which stands further in below an item of a list.
var fence = regexp.MustCompile("(?ms)^([ \t]*)```ya?ml[^\n]*\n(.*?)^[ \t]*```$")

// yamlOf are the page's blocks of YAML. One that has no end, or another shape, is an error.
func yamlOf(page string) ([]string, error) {
	var blocks []string
	for _, match := range fence.FindAllStringSubmatch(page, -1) {
		blocks = append(blocks, strings.TrimPrefix(strings.ReplaceAll("\n"+match[2], "\n"+match[1], "\n"), "\n"))
	}
	if all := strings.Count(page, "```yaml") + strings.Count(page, "```yml"); all != len(blocks) {
		return blocks, fmt.Errorf("%d blocks of YAML begin, and %d could be read", all, len(blocks))
	}
	return blocks, nil
}

func TestYAMLOf(t *testing.T) {
	tests := []struct {
		reason, page string
		want         []string
		fails        bool
	}{
		{reason: "two blocks, one below an item", page: "```yaml\na: 1\n```\n\n1. Apply:\n   ```yaml\n   b:\n     c: 2\n   ```\n", want: []string{"a: 1\n", "b:\n  c: 2\n"}},
		{reason: "other languages are not YAML", page: "```sh\nls\n```\n"},
		{reason: "no end", page: "```yaml\na: 1\n", fails: true},
	}
	for _, tt := range tests {
		got, err := yamlOf(tt.page)
		if diff := cmp.Diff(tt.want, got); diff != "" || (err != nil) != tt.fails {
			t.Errorf("%s: %v (-want +got):\n%s", tt.reason, err, diff)
		}
	}
}

// blockObjects are the documents of one block.
func blockObjects(t *testing.T, path, block string) []*unstructured.Unstructured {
	t.Helper()
	var objects []*unstructured.Unstructured
	documents := utilyaml.NewYAMLReader(bufio.NewReader(strings.NewReader(block)))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return objects
		}
		object := &unstructured.Unstructured{}
		if err == nil {
			err = yaml.UnmarshalStrict(document, &object.Object)
		}
		if err != nil {
			t.Fatalf("%s: %v\n%s", path, err, block)
		}
		objects = append(objects, object)
	}
}
