package api

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"channellink.dev/operator/api/v1alpha1"
)

func TestEveryFieldHasADescription(t *testing.T) {
	forEachField(t, field.isProperty, func(t *testing.T, f field) {
		if strings.TrimSpace(f.schema.Description) == "" {
			t.Errorf("%s: `kubectl explain` has nothing to say about it", f.path)
		}
	})
}

// absence matches the sentence that says what it means when a field is not there.
var absence = regexp.MustCompile(`\bAbsent(:|,| or )|\bRequired without\b`)

func TestEveryOptionalFieldSaysWhatAbsenceMeans(t *testing.T) {
	atTop := []string{"apiVersion", "kind", "metadata", "status"}
	optional := func(f field) bool { return f.isProperty() && !f.required && !slices.Contains(atTop, f.path) }
	forEachField(t, optional, func(t *testing.T, f field) {
		if !absence.MatchString(f.schema.Description) {
			t.Errorf("%s: no sentence %q in %q", f.path, "Absent: …", f.schema.Description)
		}
	})
}

func TestEveryListIsBoundedAndHasAType(t *testing.T) {
	isList := func(f field) bool { return f.schema.Type == "array" }
	forEachField(t, isList, func(t *testing.T, f field) {
		if f.schema.MaxItems == nil {
			t.Errorf("%s: no maxItems", f.path)
		}
		if f.schema.XListType == nil {
			t.Errorf("%s: no x-kubernetes-list-type, so two appliers overwrite each other unknowingly", f.path)
		}
	})
}

func TestEveryStringIsBounded(t *testing.T) {
	atTop := []string{"apiVersion", "kind"}
	isString := func(f field) bool { return f.schema.Type == "string" && !slices.Contains(atTop, f.path) }
	forEachField(t, isString, func(t *testing.T, f field) {
		if f.schema.MaxLength == nil && len(f.schema.Enum) == 0 && f.schema.Format != "date-time" {
			t.Errorf("%s: no maxLength", f.path)
		}
		if p := f.schema.Pattern; p != "" && (!strings.HasPrefix(p, "^") || !strings.HasSuffix(p, "$")) {
			t.Errorf("%s: the pattern %s matches a part of the value", f.path, p)
		}
	})
}

// A Quantity is a string or a number and takes no maxLength; a rule of its own has to bound it.
func TestEveryQuantityIsBounded(t *testing.T) {
	isQuantity := func(f field) bool { return f.schema.XIntOrString }
	forEachField(t, isQuantity, func(t *testing.T, f field) {
		if !slices.ContainsFunc(f.schema.XValidations, func(r apiextensionsv1.ValidationRule) bool {
			return strings.Contains(r.Rule, "size(string(self)) <= ")
		}) {
			t.Errorf("%s: no rule bounds its length", f.path)
		}
	})
}

func TestEveryMapIsBounded(t *testing.T) {
	isMap := func(f field) bool { return f.schema.AdditionalProperties != nil }
	forEachField(t, isMap, func(t *testing.T, f field) {
		if f.schema.MaxProperties == nil {
			t.Errorf("%s: no maxProperties", f.path)
		}
	})
}

func TestEveryNumberOfTheSpecIsBounded(t *testing.T) {
	isNumber := func(f field) bool { return f.schema.Type == "integer" && strings.HasPrefix(f.path, "spec.") }
	forEachField(t, isNumber, func(t *testing.T, f field) {
		if f.schema.Minimum == nil || f.schema.Maximum == nil {
			t.Errorf("%s: no minimum and maximum", f.path)
		}
	})
}

// takeDefaultsOnlyWhenSet are the optional objects whose fields have defaults and which have none themselves, because
// their presence means something.
var takeDefaultsOnlyWhenSet = map[string]string{
	"spec.botBonnie":          "its presence says that BotBonnie stands in front",
	"spec.messenger":          "its presence says that Messenger is reached directly or relayed",
	"spec.server.autoscaling": "its presence makes the HorizontalPodAutoscaler",
	"spec.store.sqlite":       "at most one store may be set",
	"spec.store.postgres":     "at most one store may be set",
}

func TestParentsOfDefaultsAreThere(t *testing.T) {
	exempt := map[string]bool{}
	holdsDefaults := func(f field) bool {
		if f.required || !f.isProperty() || f.path == "status" {
			return false
		}
		for _, property := range f.schema.Properties {
			if property.Default != nil {
				return true
			}
		}
		return false
	}
	forEachField(t, holdsDefaults, func(t *testing.T, f field) {
		_, without := takeDefaultsOnlyWhenSet[f.path]
		exempt[f.path] = without
		switch {
		case without && f.schema.Default != nil:
			t.Errorf("%s: has a default, though %s", f.path, takeDefaultsOnlyWhenSet[f.path])
		case !without && (f.schema.Default == nil || string(f.schema.Default.Raw) != "{}"):
			t.Errorf("%s: without `default: {}` the defaults of its fields never come", f.path)
		}
	})
	for path := range takeDefaultsOnlyWhenSet {
		if !exempt[path] {
			t.Errorf("%s needs no exemption", path)
		}
	}
}

func TestNoFieldIsRequiredAndDefaulted(t *testing.T) {
	forEachField(t, field.isProperty, func(t *testing.T, f field) {
		if f.required && f.schema.Default != nil {
			t.Errorf("%s: required, and with a default that makes it optional", f.path)
		}
	})
}

func TestRulesReadWell(t *testing.T) {
	for kind, crd := range definitions(t) {
		for _, rule := range rules(crd) {
			if strings.ContainsAny(rule.Rule, "‘’“”") {
				t.Errorf("%s: gofmt made typographic quotes of an empty string in %s", kind, rule.Rule)
			}
			if rule.Message == "" || strings.HasSuffix(rule.Message, ".") || strings.ContainsRune(rule.Message, '\n') {
				t.Errorf("%s: the rule %s needs a message of one line without a full stop, got %q", kind, rule.Rule, rule.Message)
			}
		}
	}
}

// The only namespace that a spec may name is a Gateway's, which the Gateway itself has to allow. // C61
func TestNoReferenceLeavesTheNamespace(t *testing.T) {
	var got []string
	forEachField(t, field.isProperty, func(_ *testing.T, f field) {
		if strings.Contains(strings.ToLower(f.name()), "namespace") {
			got = append(got, f.path)
		}
	})
	if diff := cmp.Diff([]string{"spec.exposure.gateway.parentRefs[].namespace"}, got); diff != "" {
		t.Errorf("fields that name a namespace (-want +got):\n%s", diff)
	}
}

// Whatever names a Secret or a ConfigMap has the same two fields, and ChannelLinkSpec.References finds it. // C61
func TestReferencesFindsEveryReference(t *testing.T) {
	spec := map[string]any{}
	var want []string
	for _, f := range fields(definitions(t)["ChannelLink"]) {
		if !strings.HasSuffix(f.name(), "Ref") || f.isForeign() {
			continue
		}
		if got := propertyNames(f.schema); !slices.Equal(got, []string{"key", "name"}) {
			t.Errorf("%s: has the fields %v, want name and key", f.path, got)
		}
		path := strings.TrimPrefix(f.path, "spec.")
		want = append(want, path)
		set(spec, strings.Split(path, "."), map[string]any{"name": "a-name", "key": "a-key"})
	}
	content, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	var typed v1alpha1.ChannelLinkSpec
	if err := json.Unmarshal(content, &typed); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, ref := range typed.References() {
		got = append(got, ref.Field)
		if isConfigMap := ref.Field == v1alpha1.FieldBrandingLogo || strings.Contains(ref.Field, "ConfigMap"); isConfigMap != (ref.Kind == v1alpha1.ReferenceKindConfigMap) {
			t.Errorf("%s is taken for a %s", ref.Field, ref.Kind)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("references in the schema and in References() (-schema +code):\n%s", diff)
	}
}

func propertyNames(schema *apiextensionsv1.JSONSchemaProps) []string {
	var names []string
	for name := range schema.Properties {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// set stores the value at the path, making the objects on the way.
func set(object map[string]any, path []string, value any) {
	for _, name := range path[:len(path)-1] {
		child, ok := object[name].(map[string]any)
		if !ok {
			child = map[string]any{}
			object[name] = child
		}
		object = child
	}
	object[path[len(path)-1]] = value
}
