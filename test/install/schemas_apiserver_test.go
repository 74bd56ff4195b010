//go:build apiserver

package install_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/client-go/discovery"
)

// reference begins a reference within the API server's document.
const reference = "#/definitions/"

// writeSchemas writes a JSON schema for each kind that the API server has, from its own description of them, in a form
// that kubeconform reads, and returns the folder. So the schemas are of the cluster's version, definitions of ours and the
// Gateway API's included, and nothing is fetched.
func writeSchemas(t *testing.T) string {
	t.Helper()
	client, err := discovery.NewDiscoveryClientForConfig(env.Config)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := client.RESTClient().Get().AbsPath("/openapi/v2").SetHeader("Accept", "application/json").DoRaw(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Definitions map[string]map[string]any `json:"definitions"`
	}
	if err := json.Unmarshal(raw, &document); err != nil {
		t.Fatal(err)
	}
	for _, schema := range document.Definitions {
		makeStrict(schema)
	}
	folder := t.TempDir()
	for name, schema := range document.Definitions {
		for _, file := range schemaFiles(schema) {
			needed := map[string]any{}
			collect(document.Definitions, name, needed)
			content, err := json.Marshal(map[string]any{"$ref": reference + name, "definitions": needed})
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(folder, file), content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	return folder
}

// schemaFiles are the names under which kubeconform looks for a kind: its own, the first part of its group, its version.
func schemaFiles(schema map[string]any) []string {
	var files []string
	kinds, _ := schema["x-kubernetes-group-version-kind"].([]any)
	for _, item := range kinds {
		kind := item.(map[string]any)
		group, _, _ := strings.Cut(kind["group"].(string), ".")
		if group != "" {
			group = "-" + group
		}
		files = append(files, strings.ToLower(kind["kind"].(string))+group+"-"+kind["version"].(string)+".json")
	}
	return files
}

// collect adds the definition and all that it refers to.
func collect(definitions map[string]map[string]any, name string, into map[string]any) {
	if into[name] != nil {
		return
	}
	into[name] = definitions[name]
	var walk func(value any)
	walk = func(value any) {
		switch value := value.(type) {
		case map[string]any:
			if ref, ok := value["$ref"].(string); ok {
				collect(definitions, strings.TrimPrefix(ref, reference), into)
			}
			for _, item := range value {
				walk(item)
			}
		case []any:
			for _, item := range value {
				walk(item)
			}
		}
	}
	walk(definitions[name])
}

// makeStrict lets an object have no field but those that the schema names, and corrects what the API server's description
// cannot say: that a value may be a number or a string.
func makeStrict(schema map[string]any) {
	if schema["format"] == "int-or-string" || schema["x-kubernetes-int-or-string"] == true {
		delete(schema, "format")
		schema["type"] = []any{"integer", "string"}
		return
	}
	properties, _ := schema["properties"].(map[string]any)
	if _, open := schema["additionalProperties"]; !open && len(properties) > 0 && schema["x-kubernetes-preserve-unknown-fields"] != true {
		schema["additionalProperties"] = false
	}
	for _, property := range properties {
		makeStrict(property.(map[string]any))
	}
	for _, key := range []string{"items", "additionalProperties"} {
		if child, ok := schema[key].(map[string]any); ok {
			makeStrict(child)
		}
	}
}
