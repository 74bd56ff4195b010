package api

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// rules lists the x-kubernetes-validations of the definition that are ours.
func rules(crd *apiextensionsv1.CustomResourceDefinition) []apiextensionsv1.ValidationRule {
	all := slices.Clone(crd.Spec.Versions[0].Schema.OpenAPIV3Schema.XValidations)
	for _, f := range fields(crd) {
		if !f.isForeign() {
			all = append(all, f.schema.XValidations...)
		}
	}
	return all
}

// ruleCases are what the files in testdata/rules hold for one rule: at least one object that it accepts and one that it
// refuses.
type ruleCases struct {
	// Message is what the API server says when it refuses, as the rule has it.
	Message string `json:"message"`
	// Field is what the API server names as the place, for example `spec.store`.
	Field string `json:"field"`
	// Base is the object that the cases change: testdata/base/<base>.yaml.
	Base     string     `json:"base"`
	Accepted []ruleCase `json:"accepted"`
	Refused  []ruleCase `json:"refused"`
}

// ruleCase is one object, or one change of an object.
type ruleCase struct {
	// Reason says why this is right or wrong.
	Reason string `json:"reason"`
	// Base and Field, when set, replace those of the rule.
	Base  string `json:"base,omitempty"`
	Field string `json:"field,omitempty"`
	// From is a JSON merge patch on the base that gives the object as it is stored. Without it the object is new.
	From map[string]any `json:"from,omitempty"`
	// IsUpdate is set when the file has a from, be it empty.
	IsUpdate bool `json:"-"`
	// Patch is a JSON merge patch on the base, and on From, that gives the object that is submitted.
	Patch map[string]any `json:"patch"`
}

// readRuleCases reads every file of testdata/rules.
func readRuleCases(tb testing.TB) []ruleCases {
	tb.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "rules", "*.yaml"))
	if err != nil || len(files) == 0 {
		tb.Fatalf("no files in testdata/rules: %v", err)
	}
	var all []ruleCases
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			tb.Fatal(err)
		}
		var cases []ruleCases
		if err := yaml.UnmarshalStrict(repeat(content), &cases); err != nil {
			tb.Fatalf("%s: %v", file, err)
		}
		all = append(all, cases...)
	}
	for i := range all {
		for _, list := range [][]ruleCase{all[i].Accepted, all[i].Refused} {
			for j := range list {
				c := &list[j]
				c.IsUpdate = c.From != nil
				if c.Base == "" {
					c.Base = all[i].Base
				}
				if c.Field == "" {
					c.Field = all[i].Field
				}
			}
		}
	}
	return all
}

// repetition is how the files write a long string: $(480*a) stands for 480 times the letter a.
var repetition = regexp.MustCompile(`\$\((\d+)\*(.)\)`)

func repeat(content []byte) []byte {
	return repetition.ReplaceAllFunc(content, func(match []byte) []byte {
		parts := repetition.FindSubmatch(match)
		count, err := strconv.Atoi(string(parts[1]))
		if err != nil {
			return match // more digits than an int has
		}
		return []byte(strings.Repeat(string(parts[2]), count))
	})
}

// readObject reads the object of testdata/<dir>/<name>.yaml.
func readObject(tb testing.TB, dir, name string) *unstructured.Unstructured {
	tb.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", dir, name+".yaml"))
	if err != nil {
		tb.Fatal(err)
	}
	return parseObject(tb, content)
}

func parseObject(tb testing.TB, content []byte) *unstructured.Unstructured {
	tb.Helper()
	object := &unstructured.Unstructured{}
	if err := yaml.Unmarshal(content, &object.Object); err != nil {
		tb.Fatalf("parse an object: %v\n%s", err, content)
	}
	return object
}

// merge applies a JSON merge patch (RFC 7386): null removes, an object is merged, all else replaces.
func merge(tb testing.TB, object *unstructured.Unstructured, patch map[string]any) *unstructured.Unstructured {
	tb.Helper()
	before, err := object.MarshalJSON()
	if err != nil {
		tb.Fatal(err)
	}
	change, err := yaml.Marshal(patch)
	if err != nil {
		tb.Fatal(err)
	}
	if change, err = yaml.YAMLToJSON(change); err != nil {
		tb.Fatal(err)
	}
	after, err := jsonpatch.MergePatch(before, change)
	if err != nil {
		tb.Fatal(err)
	}
	merged := &unstructured.Unstructured{}
	if err := merged.UnmarshalJSON(after); err != nil {
		tb.Fatal(err)
	}
	return merged
}

// A rule that somebody adds fails this test until it has its cases.
func TestEveryRuleHasCases(t *testing.T) {
	have := map[string]bool{}
	for _, cases := range readRuleCases(t) {
		if have[cases.Message] {
			t.Errorf("cases for %q are written twice", cases.Message)
		}
		have[cases.Message] = true
		if len(cases.Accepted) == 0 || len(cases.Refused) == 0 {
			t.Errorf("%q has %d accepted and %d refused cases, want one of each at least", cases.Message, len(cases.Accepted), len(cases.Refused))
		}
	}
	for kind, crd := range definitions(t) {
		all := rules(crd)
		if len(all) == 0 {
			t.Errorf("%s has no rules: the test looks at nothing", kind)
		}
		for _, rule := range all {
			if !have[rule.Message] {
				t.Errorf("%s: no cases in testdata/rules for %q", kind, rule.Message)
			}
		}
	}
}

// A field that somebody adds to an AccountUnlink is immutable like the rest, or said here not to be. // C73
func TestEveryFieldOfAnAccountUnlinkIsImmutable(t *testing.T) {
	mutable := []string{"suspend", "ttlSecondsAfterFinished"}
	spec := definitions(t)["AccountUnlink"].Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"]
	for _, name := range propertyNames(&spec) {
		guarded := slices.ContainsFunc(spec.XValidations, func(r apiextensionsv1.ValidationRule) bool {
			return strings.Contains(r.Rule, "self."+name+" == oldSelf."+name) && strings.Contains(r.Message, "immutable")
		})
		if guarded == slices.Contains(mutable, name) {
			t.Errorf("spec.%s: has a rule against changes: %t", name, guarded)
		}
	}
}
