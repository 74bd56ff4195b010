package api

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

var update = flag.Bool("update", false, "write the field tables of docs/spec anew")

// pages are the pages of docs/spec, by kind.
var pages = map[string]string{"ChannelLink": "channellink.md", "AccountUnlink": "accountunlink.md"}

// readPage reads the page of the kind in docs/spec.
func readPage(tb testing.TB, kind string) (path, content string) {
	tb.Helper()
	path = filepath.Join("..", "..", "docs", "spec", pages[kind])
	page, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	return path, string(page)
}

// What stands between these lines of a page is made from the schema by `go test ./test/api -run FieldTables -update`.
const (
	beginFields = "<!-- fields of %s: made from the schema, see test/api/reference_test.go -->\n"
	endFields   = "<!-- end of fields -->"
)

// The pages name every field with its type, its default and what it does.
func TestFieldTables(t *testing.T) {
	for kind, crd := range definitions(t) {
		path, page := readPage(t, kind)
		want := page
		for _, part := range []string{"spec", "status"} {
			begin := fmt.Sprintf(beginFields, part)
			before, rest, ok := strings.Cut(want, begin)
			_, after, ok2 := strings.Cut(rest, endFields)
			if !ok || !ok2 {
				t.Fatalf("%s has no place for the fields of %s", path, part)
			}
			want = before + begin + fieldTables(crd, part) + endFields + after
		}
		if *update {
			if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if diff := cmp.Diff(want, page); diff != "" {
			t.Errorf("%s is not as the schema; write it anew with -update (-want +got):\n%s", path, diff)
		}
	}
}

// fieldTables writes one table for each object below the part, in the order of their paths.
func fieldTables(crd *apiextensionsv1.CustomResourceDefinition, part string) string {
	tables := map[string]*strings.Builder{}
	var order []string
	for _, f := range fields(crd) {
		if !strings.HasPrefix(f.path, part+".") || !f.isProperty() || insideForeign(f.path) || isReference(f.parent) {
			continue
		}
		parent := f.path[:strings.LastIndex(f.path, ".")]
		if tables[parent] == nil {
			order = append(order, parent)
			tables[parent] = &strings.Builder{}
			fmt.Fprintf(tables[parent], "\n**`%s`**\n\n| field | type | meaning |\n|---|---|---|\n", parent)
		}
		fmt.Fprintf(tables[parent], "| `%s` | %s | %s |\n", f.name(), typeOf(f), meaningOf(f))
	}
	slices.Sort(order)
	var all strings.Builder
	for _, parent := range order {
		all.WriteString(tables[parent].String())
	}
	return all.String() + "\n"
}

// isReference says whether the object names a key of a Secret or ConfigMap; those are all alike.
func isReference(schema *apiextensionsv1.JSONSchemaProps) bool {
	return slices.Equal(propertyNames(schema), []string{"key", "name"})
}

// insideForeign says whether the field is below one of Kubernetes' own types, not that type itself.
func insideForeign(path string) bool {
	return slices.ContainsFunc(foreign, func(outer string) bool { return strings.HasPrefix(path, outer+".") })
}

// typeOf describes what may be written into the field.
func typeOf(f field) string {
	s := f.schema
	var words []string
	switch {
	case len(s.Enum) > 0:
		for _, value := range s.Enum {
			words = append(words, "`"+strings.Trim(string(value.Raw), `"`)+"`")
		}
		words = []string{strings.Join(words, ", ")}
	case s.XIntOrString:
		words = append(words, "quantity")
	case s.Format == "date-time":
		words = append(words, "time (RFC 3339)")
	case s.Type == "array":
		words = append(words, fmt.Sprintf("list, at most %d", *s.MaxItems))
	case s.AdditionalProperties != nil:
		words = append(words, fmt.Sprintf("map, at most %d", *s.MaxProperties))
	case s.Type == "string" && s.MaxLength != nil:
		words = append(words, fmt.Sprintf("string, at most %d", greatestLength(s)))
	case s.Type == "integer" && s.Minimum != nil && s.Maximum != nil:
		words = append(words, fmt.Sprintf("integer, %.0f to %.0f", *s.Minimum, *s.Maximum))
	case isReference(s):
		words = append(words, "`{name, key}`")
	default:
		words = append(words, s.Type)
	}
	if f.required {
		words = append(words, "**required**")
	}
	if s.Default != nil && string(s.Default.Raw) != "{}" {
		words = append(words, "default "+compact(s.Default.Raw))
	}
	return strings.Join(words, "; ")
}

// lengthRule is how a field bounds its length closer than its type does.
var lengthRule = regexp.MustCompile(`^size\(self\) <= (\d+)$`)

// greatestLength is the bound of the type, or that of a rule of the field.
func greatestLength(s *apiextensionsv1.JSONSchemaProps) int64 {
	greatest := *s.MaxLength
	for _, rule := range s.XValidations {
		if match := lengthRule.FindStringSubmatch(rule.Rule); match != nil {
			if length, err := strconv.ParseInt(match[1], 10, 64); err == nil {
				greatest = min(greatest, length)
			}
		}
	}
	return greatest
}

func compact(raw []byte) string {
	var value any
	if err := json.Unmarshal(raw, &value); err != nil {
		return string(raw)
	}
	if list, ok := value.([]any); ok {
		var items []string
		for _, item := range list {
			items = append(items, fmt.Sprint(item))
		}
		return "`[" + strings.Join(items, ", ") + "]`"
	}
	return fmt.Sprintf("`%v`", value)
}

// meaningOf is the field's description on one line of a table.
func meaningOf(f field) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(f.schema.Description), " "), "|", `\|`)
}
