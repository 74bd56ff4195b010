//go:build apiserver

package api

import (
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Every bound, pattern, enumeration and requirement of the spec's own fields, and every rule of a type that several
// fields share. The objects of testdata/full are accepted; each is then submitted once for each constraint, with the one
// value changed that the constraint speaks of.
func TestConstraints(t *testing.T) {
	namespace := env.Namespace(t)
	covered := sets.New[string]()
	tried := 0
	files, err := filepath.Glob(filepath.Join("testdata", "full", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	crds := definitions(t)
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		object := readObject(t, "full", name)
		object.SetNamespace(namespace)
		if err := env.Client.Create(t.Context(), object.DeepCopy(), client.DryRunAll); err != nil {
			t.Errorf("%s is refused: %v", name, err)
			continue
		}
		schema := crds[object.GetKind()].Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"]
		visit(place{schemaPath: "spec", fieldPath: "spec", keys: []any{"spec"}, schema: &schema, value: object.Object["spec"]}, func(p place) {
			covered.Insert(object.GetKind() + " " + p.schemaPath)
			for _, v := range violations(t, p) {
				tried++
				broken := object.DeepCopy()
				change(broken.Object, p.keys, v.edit)
				expect(t, broken, v, p)
			}
		})
	}

	t.Logf("%d violations tried", tried)
	for kind, crd := range crds {
		for _, f := range fields(crd) {
			if strings.HasPrefix(f.path, "spec.") && !f.isForeign() && !covered.Has(kind+" "+f.path) {
				t.Errorf("%s: no object of testdata/full has %s", kind, f.path)
			}
		}
	}
}

// expect submits the object and looks for the fault that the violation should be.
func expect(t *testing.T, broken *unstructured.Unstructured, v violation, p place) {
	t.Helper()
	got := causes(env.Client.Create(t.Context(), broken, client.DryRunAll))
	field := p.fieldPath + v.below
	for _, cause := range got {
		if cause.Field == field && strings.Contains(cause.Message, v.message) {
			return
		}
	}
	t.Errorf("%s %s: want %q, got %s", broken.GetKind(), field, v.message, describe(got))
}

// place is one value of an object together with its schema.
type place struct {
	schemaPath string // as in field.path: spec.services[].name
	fieldPath  string // as the API server names it: spec.services[0].name
	keys       []any  // the way to it through the object: map keys and list indexes
	schema     *apiextensionsv1.JSONSchemaProps
	value      any
}

// visit calls do with the place and every place below it that is ours.
func visit(p place, do func(place)) {
	if (field{path: p.schemaPath}).isForeign() {
		return
	}
	do(p)
	below := func(schemaPart, fieldPart string, key any, schema *apiextensionsv1.JSONSchemaProps, value any) {
		visit(place{p.schemaPath + schemaPart, p.fieldPath + fieldPart, append(slices.Clone(p.keys), key), schema, value}, do)
	}
	switch value := p.value.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(value)) {
			if p.schema.AdditionalProperties != nil {
				below("{}", "."+key, key, p.schema.AdditionalProperties.Schema, value[key])
			} else if property, ok := p.schema.Properties[key]; ok {
				below("."+key, "."+key, key, &property, value[key])
			}
		}
	case []any:
		for i, item := range value {
			below("[]", fmt.Sprintf("[%d]", i), i, p.schema.Items.Schema, item)
		}
	}
}

// change edits the value at the end of the way in place.
func change(object any, keys []any, edit func(any) any) any {
	if len(keys) == 0 {
		return edit(object)
	}
	switch key := keys[0].(type) {
	case string:
		m := object.(map[string]any)
		m[key] = change(m[key], keys[1:], edit)
	case int:
		l := object.([]any)
		l[key] = change(l[key], keys[1:], edit)
	}
	return object
}

// violation is a change that breaks one constraint, and what the API server has to say to it.
type violation struct {
	message string
	below   string // the part of the field's name after the place's own, when the fault is named there
	edit    func(any) any
}

// becomes is the violation by another value.
func becomes(value any, format string, args ...any) violation {
	return violation{message: fmt.Sprintf(format, args...), edit: func(any) any { return value }}
}

// violations breaks every constraint of the place, one at a time.
func violations(t *testing.T, p place) []violation {
	t.Helper()
	var all []violation
	s := p.schema
	if len(s.Enum) > 0 {
		all = append(all, becomes("Other", "Unsupported value"))
	}
	if s.Format == "date-time" {
		all = append(all, becomes("yesterday", "must be of type date-time"))
	}
	if s.MinLength != nil && *s.MinLength > 0 {
		all = append(all, becomes(strings.Repeat("a", int(*s.MinLength)-1), "should be at least %d chars long", *s.MinLength))
	}
	if s.MaxLength != nil {
		all = append(all, becomes(strings.Repeat("a", int(*s.MaxLength)+1), "may not be more than %d bytes", *s.MaxLength))
	}
	if s.Pattern != "" {
		all = append(all, becomes(unlike(t, s), "should match"))
	}
	if s.Minimum != nil {
		all = append(all, becomes(int64(*s.Minimum)-1, "should be greater than or equal to %v", *s.Minimum))
	}
	if s.Maximum != nil {
		all = append(all, becomes(int64(*s.Maximum)+1, "should be less than or equal to %.0f", *s.Maximum))
	}
	if s.MinItems != nil && *s.MinItems > 0 {
		all = append(all, becomes([]any{}, "should have at least %d items", *s.MinItems))
	}
	if s.MaxItems != nil {
		all = append(all, violation{message: fmt.Sprintf("must have at most %d items", *s.MaxItems), edit: func(old any) any {
			return slices.Repeat(old.([]any)[:1], int(*s.MaxItems)+1)
		}})
	}
	if s.MinProperties != nil && *s.MinProperties > 0 {
		all = append(all, becomes(map[string]any{}, "should have at least %d properties", *s.MinProperties))
	}
	if s.MaxProperties != nil {
		many := map[string]any{}
		for i := range *s.MaxProperties + 1 {
			many[fmt.Sprintf("key-%d", i)] = "value"
		}
		all = append(all, becomes(many, "must have at most %d", *s.MaxProperties))
	}
	for _, name := range s.Required {
		all = append(all, violation{message: "Required value", below: "." + name, edit: func(old any) any {
			rest := maps.Clone(old.(map[string]any))
			delete(rest, name)
			return rest
		}})
	}
	for _, rule := range s.XValidations {
		if value, ok := sharedRules[rule.Message]; ok {
			all = append(all, becomes(value, "%s", rule.Message))
		}
	}
	return all
}

// sharedRules holds, for each rule of a type that several fields share, a value that it refuses.
var sharedRules = map[string]any{
	"must be an absolute URL such as https://sso.vision.example":                                                                                              "/not/absolute",
	"must be an absolute http or https URL such as http://hr.vision.svc/leave":                                                                                "/not/absolute",
	"must carry no user information (@), fragment (#), space or backslash":                                                                                    "https://user@vision.example",
	"must use https, or name a Service in full, such as http://hr.vision.svc/leave (plain http is for SERVICE.NAMESPACE.svc, localhost and *.localhost only)": "http://vision.example",
	"must use https (plain http is for localhost and *.localhost only)":                                                                                       "http://vision.example",
	"a label's key must be a name of at most 63 letters, digits, '-', '_' and '.', with or without a DNS name and a slash before it":                          map[string]any{"a/b/c": "d"},
	"an annotation's key must be a name of at most 63 letters, digits, '-', '_' and '.', with or without a DNS name and a slash before it":                    map[string]any{"a/b/c": "d"},
}

// unlike returns a value that the pattern refuses and the lengths allow.
func unlike(t *testing.T, s *apiextensionsv1.JSONSchemaProps) string {
	t.Helper()
	pattern := regexp.MustCompile(s.Pattern)
	for _, candidate := range []string{"with space", "a b", " ", "-"} {
		if !pattern.MatchString(candidate) && (s.MinLength == nil || int64(len(candidate)) >= *s.MinLength) &&
			(s.MaxLength == nil || int64(len(candidate)) <= *s.MaxLength) {
			return candidate
		}
	}
	t.Fatalf("no value in this test breaks the pattern %s", s.Pattern)
	return ""
}

// Numbers at their very bounds are accepted, so that the bounds mean what they say.
func TestNumbersAtTheirBounds(t *testing.T) {
	namespace := env.Namespace(t)
	crds := definitions(t)
	tried := 0
	for _, name := range []string{"botbonnie-line", "unlink-user"} {
		object := readObject(t, "full", name)
		object.SetNamespace(namespace)
		schema := crds[object.GetKind()].Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"]
		visit(place{schemaPath: "spec", fieldPath: "spec", keys: []any{"spec"}, schema: &schema, value: object.Object["spec"]}, func(p place) {
			if p.schema.Type != "integer" {
				return
			}
			tried++
			for _, bound := range []float64{*p.schema.Minimum, *p.schema.Maximum} {
				if p.fieldPath == "spec.server.autoscaling.maxReplicas" && bound == *p.schema.Minimum {
					continue // less than the minReplicas of the object
				}
				at := object.DeepCopy()
				change(at.Object, p.keys, func(any) any { return int64(bound) })
				if err := env.Client.Create(t.Context(), at, client.DryRunAll); err != nil {
					t.Errorf("%s: %.0f is refused: %v", p.fieldPath, bound, err)
				}
			}
		})
	}
	if tried == 0 {
		t.Error("no number was tried")
	}
}
