package api

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Every condition type and reason that the code knows is explained on the page of the kind that carries it.
func TestPagesExplainConditionsAndReasons(t *testing.T) {
	for _, block := range conditionConstants(t) {
		var kinds []string
		switch {
		case strings.Contains(block.doc, "AccountUnlink"):
			kinds = []string{"AccountUnlink"}
		case strings.Contains(block.doc, "both kinds"):
			kinds = []string{"ChannelLink", "AccountUnlink"}
		default:
			kinds = []string{"ChannelLink"}
		}
		for _, kind := range kinds {
			path, page := readPage(t, kind)
			for _, value := range block.values {
				if !strings.Contains(page, "\n| `"+value+"` |") {
					t.Errorf("%s has no row that explains %s", path, value)
				}
			}
		}
	}
}

// constants are the values of one block of constants, and the sentence above it.
type constants struct {
	doc    string
	values []string
}

// conditionConstants reads api/v1alpha1/conditions.go.
func conditionConstants(t *testing.T) []constants {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", "..", "api", "v1alpha1", "conditions.go"), nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	var blocks []constants
	for _, decl := range file.Decls {
		group, ok := decl.(*ast.GenDecl)
		if !ok || group.Tok != token.CONST {
			continue
		}
		block := constants{doc: group.Doc.Text()}
		for _, spec := range group.Specs {
			for _, value := range spec.(*ast.ValueSpec).Values {
				text, err := strconv.Unquote(value.(*ast.BasicLit).Value)
				if err != nil {
					t.Fatal(err)
				}
				block.values = append(block.values, text)
			}
		}
		blocks = append(blocks, block)
	}
	if len(blocks) == 0 {
		t.Fatal("conditions.go has no constants: the test looks at nothing")
	}
	return blocks
}

// samples are the manifests of config/samples by file name, and the kustomization that lists them.
func samples(tb testing.TB) (files map[string][]byte, kustomization string) {
	tb.Helper()
	paths, err := filepath.Glob(filepath.Join("..", "..", "config", "samples", "*.yaml"))
	if err != nil {
		tb.Fatal(err)
	}
	files = map[string][]byte{}
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			tb.Fatal(err)
		}
		if name := filepath.Base(path); name == "kustomization.yaml" {
			kustomization = string(content)
		} else {
			files[name] = content
		}
	}
	return files, kustomization
}

// The samples cover every route, each kind of unlink, and are all listed for `kubectl apply -k`.
func TestSamplesAreListed(t *testing.T) {
	files, kustomization := samples(t)
	if len(files) < 6 {
		t.Errorf("config/samples has %d objects, want four routes and two requests", len(files))
	}
	var names []string
	for name := range files {
		names = append(names, name)
		if !strings.Contains(kustomization, "\n- "+name+"\n") {
			t.Errorf("config/samples/kustomization.yaml does not list %s", name)
		}
	}
	if listed := strings.Count(kustomization, "\n- "); listed != len(names) {
		slices.Sort(names)
		t.Errorf("config/samples/kustomization.yaml lists %d files, there are %v", listed, names)
	}
}
