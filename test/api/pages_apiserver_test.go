//go:build apiserver

package api

import (
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

// What people copy works: every sample, and every object on the pages. A block that holds a part of a spec is merged
// into the example at the top of its page.
func TestSamplesAndPagesAreAccepted(t *testing.T) {
	namespace := env.Namespace(t)
	files, _ := samples(t)
	for name, content := range files {
		object := parseObject(t, content)
		object.SetNamespace(namespace)
		if err := env.Client.Create(t.Context(), object, client.DryRunAll); err != nil {
			t.Errorf("config/samples/%s: %v", name, err)
		}
	}
	for kind := range pages {
		path, page := readPage(t, kind)
		blocks := yamlBlocks(page)
		if len(blocks) < 2 {
			t.Errorf("%s shows %d objects: the test looks at too little", path, len(blocks))
			continue
		}
		for _, block := range blocks {
			object := parseObject(t, []byte(block))
			if strings.HasPrefix(block, "spec:") {
				var part map[string]any
				if err := yaml.Unmarshal([]byte(block), &part); err != nil {
					t.Fatal(err)
				}
				object = merge(t, parseObject(t, []byte(blocks[0])), part)
			}
			object.SetNamespace(namespace)
			if err := env.Client.Create(t.Context(), object, client.DryRunAll); err != nil {
				t.Errorf("%s: %v\n%s", path, err, block)
			}
		}
	}
}
