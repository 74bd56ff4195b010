package api

import (
	"maps"
	"slices"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

// foreign are the parts of the schemas that are Kubernetes' own types: their inside is not ours to judge.
var foreign = []string{
	"metadata",
	"spec.server.affinity",
	"spec.server.networkPolicy.ingressFrom[]",
	"spec.server.resources",
	"spec.server.tolerations[]",
	"spec.server.topologySpreadConstraints[]",
	"status.conditions[]",
}

// field is one place in a schema: a property, the items of a list (path ends with []) or the values of a map (path ends
// with {}).
type field struct {
	path     string
	schema   *apiextensionsv1.JSONSchemaProps
	parent   *apiextensionsv1.JSONSchemaProps
	required bool
}

// isProperty says whether the field has a name of its own.
func (f field) isProperty() bool {
	return !strings.HasSuffix(f.path, "[]") && !strings.HasSuffix(f.path, "{}")
}

// isForeign says whether the field is, or is inside, one of Kubernetes' own types.
func (f field) isForeign() bool {
	return slices.ContainsFunc(foreign, func(path string) bool {
		return f.path == path || strings.HasPrefix(f.path, path+".") || strings.HasPrefix(f.path, path+"[]")
	})
}

// name is the last part of the path.
func (f field) name() string { return f.path[strings.LastIndex(f.path, ".")+1:] }

// fields lists every field of the definition, parents first, in the order of their paths.
func fields(crd *apiextensionsv1.CustomResourceDefinition) []field {
	return appendFields(nil, "", crd.Spec.Versions[0].Schema.OpenAPIV3Schema)
}

func appendFields(all []field, path string, schema *apiextensionsv1.JSONSchemaProps) []field {
	for _, name := range slices.Sorted(maps.Keys(schema.Properties)) {
		property := schema.Properties[name]
		f := field{
			path:     strings.TrimPrefix(path+"."+name, "."),
			schema:   &property,
			parent:   schema,
			required: slices.Contains(schema.Required, name),
		}
		all = appendFields(append(all, f), f.path, f.schema)
	}
	if schema.Items != nil {
		items := field{path: path + "[]", schema: schema.Items.Schema, parent: schema}
		all = appendFields(append(all, items), items.path, items.schema)
	}
	if schema.AdditionalProperties != nil {
		values := field{path: path + "{}", schema: schema.AdditionalProperties.Schema, parent: schema}
		all = appendFields(append(all, values), values.path, values.schema)
	}
	return all
}

// forEachField calls judge with every field of both kinds that is ours and that want wants.
func forEachField(t *testing.T, want func(field) bool, judge func(t *testing.T, f field)) {
	t.Helper()
	judged := 0
	for kind, crd := range definitions(t) {
		t.Run(kind, func(t *testing.T) {
			for _, f := range fields(crd) {
				if !f.isForeign() && want(f) {
					judged++
					judge(t, f)
				}
			}
		})
	}
	if judged == 0 {
		t.Error("no field was judged: the test looks at nothing")
	}
}
