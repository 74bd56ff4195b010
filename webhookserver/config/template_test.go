package config_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"channellink.dev/operator/webhookserver/config"
)

func TestTemplate(t *testing.T) {
	for _, tc := range []struct{ reason, template, document, want string }{
		{"the example", "還剩 {{ .days }} 天", `{"days":14}`, "還剩 14 天"},
		{"a million is no 1e+06", "{{ .n }}", `{"n":1000000}`, "1000000"},
		{"however it was written", "{{ .n }}", `{"n":1e6}`, "1000000"},
		{"a fraction", "{{ .n }}", `{"n":2.50}`, "2.5"},
		{"less than nothing", "{{ .n }}", `{"n":-0.25}`, "-0.25"},
		{"an order's number keeps all its digits", "{{ .n }}", `{"n":12345678901234567890}`, "12345678901234567890"},
		{"numbers compare with whole literals", "{{ if gt .n 2 }}more{{ end }}{{ if eq .n 2.5 }}!{{ end }}", `{"n":2.5}`, "more!"},
		{"and with other numbers", "{{ if le .a .b }}yes{{ end }}", `{"a":3,"b":3}`, "yes"},
		{"and with a length", "{{ if eq (len .items) .n }}all{{ end }}", `{"items":[1,2],"n":2}`, "all"},
		{"zero is nothing", "{{ if .n }}some{{ else }}none{{ end }}", `{"n":0}`, "none"},
		{"other values compare", `{{ if and (eq .s "a" "b") (ne .s "c") (eq .t true) (lt .s "z") (not (eq .s .t)) (ge .n 1) }}yes{{ end }}`, `{"s":"b","t":true,"n":1}`, "yes"},
		{"printf knows the numbers", `{{ printf "%05d %.1f %v %6s|" .n .f .n .n }}`, `{"n":14,"f":2.25}`, "00014 2.2 14     14|"},
		{"a whole number that is none", `{{ printf "%d" .f }}`, `{"f":2.25}`, "2.25"},
		{"lists", "{{ range $i, $d := .days }}{{ if $i }}, {{ end }}{{ $d.date }}{{ end }}", `{"days":[{"date":"1/2"},{"date":"1/3"}]}`, "1/2, 1/3"},
		{"a list of nothing", "{{ range .days }}{{ . }}{{ else }}none{{ end }}", `{"days":[]}`, "none"},
		{"null in a list is no word", "{{ range .days }}[{{ . }}]{{ end }}", `{"days":[1,null]}`, "[1][]"},
		{"what may be absent is asked for with index", `{{ with index . "note" }}{{ . }}{{ else }}-{{ end }}`, `{}`, "-"},
		{"a list alone", "{{ index . 0 }}", `["a"]`, "a"},
		{"a number alone", "{{ . }}", `14`, "14"},
		{"blank lines around it go", "\n {{ .n }} \n", `{"n":1}`, "1"},
		{"nothing is escaped: a chat is no page", "{{ .s }}", `{"s":"<b>&"}`, "<b>&"},
		{"half a character is none", "{{ slice .s 0 2 }}b", `{"s":"a天"}`, "ab"},
		{"print joins", `{{ print .s "-" .s }}`, `{"s":"a"}`, "a-a"},
	} {
		compiled, err := config.CompileTemplate("leave", tc.template)
		if err != nil {
			t.Errorf("%s: %v", tc.reason, err)
			continue
		}
		for range 2 { // an execution leaves nothing behind
			got, err := compiled.Execute(t.Context(), []byte(tc.document))
			if got != tc.want || err != nil {
				t.Errorf("%s: %q, %v; want %q", tc.reason, got, err, tc.want)
			}
		}
	}
}

func TestTemplateFails(t *testing.T) {
	for _, tc := range []struct {
		reason, template, document string
		line, column               int
	}{
		{"absent", "a\n {{ .days }}", `{"CANARY":1}`, 2, 5},
		{"null is absent", "{{ .days }}", `{"days":null}`, 1, 4},
		{"a member of what is no object", "{{ .days.left }}", `{"days":"CANARY"}`, 1, 9},
		{"not JSON", "{{ .days }}", `CANARY`, 0, 0},
		{"nothing", "{{ .days }}", ``, 0, 0},
		{"null", "{{ . }}", `null`, 0, 0},
		{"two values", "{{ .days }}", `{"days":1} {"days":2}`, 0, 0},
		{"a comparison of what cannot be compared", "{{ if gt .days 3 }}{{ end }}", `{"days":"CANARY"}`, 1, 7},
		{"an index that is not there", "{{ index .days 3 }}", `{"days":[]}`, 1, 4},
		{"a list is nothing to read", "{{ print .days }}", `{"days":["CANARY"]}`, 1, 4},
		{"a verb that does not fit", `{{ printf "%d" .days }}`, `{"days":"CANARY"}`, 1, 4},
		{"a million blanks", `{{ printf "%1000000d" 1 }}`, `{}`, 1, 4},
		{"a million blanks by a parameter", `{{ printf "%*d" 1000000 1 }}`, `{}`, 1, 4},
		{"a million blanks by the backend", `{{ printf .f 1 }}`, `{"f":"%.1000000d"}`, 1, 4},
	} {
		compiled, err := config.CompileTemplate("leave", tc.template)
		if err != nil {
			t.Errorf("%s: %v", tc.reason, err)
			continue
		}
		text, err := compiled.Execute(t.Context(), []byte(tc.document))
		var got *config.TemplateError
		if !errors.As(err, &got) || text != "" {
			t.Errorf("%s: %q, %v, want a TemplateError", tc.reason, text, err)
			continue
		}
		if diff := cmp.Diff(&config.TemplateError{Service: "leave", Line: tc.line, Column: tc.column}, got); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", tc.reason, diff)
		}
		if strings.Contains(err.Error(), "CANARY") { // C53
			t.Errorf("%s: the error repeats the answer: %v", tc.reason, err)
		}
	}
}

// Whatever a template does, it ends soon and holds little.
func TestTemplateIsBounded(t *testing.T) {
	many := `{"many":[` + strings.Repeat("1,", 1000) + `1],"big":"` + strings.Repeat("a", 1<<20) + `"}`
	for _, tc := range []struct {
		reason, template string
		ok               bool
	}{
		{"loops in loops without a word", "{{ range .many }}{{ range $.many }}{{ range $.many }}{{ end }}{{ end }}{{ end }}", false},
		{"a loop over a number", "{{ range 1000000000000 }}{{ end }}", false},
		{"a loop over a number of the backend's", "{{ range (len .big) }}{{ range 1000000000000 }}{{ end }}{{ end }}", false},
		{"a text that doubles", "{{ $x := .big }}{{ range .many }}{{ $x = print $x $x }}{{ end }}", false},
		{"more words than fit are cut", "{{ range .many }}天{{ end }}{{ range .many }}{{ range $.many }}天{{ end }}{{ end }}", true},
		{"a long word is cut", "{{ .big }}{{ .big }}", true},
	} {
		compiled, err := config.CompileTemplate("leave", tc.template)
		if err != nil {
			t.Errorf("%s: %v", tc.reason, err)
			continue
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		text, err := compiled.Execute(ctx, []byte(many))
		if (err == nil) != tc.ok || ctx.Err() != nil || len(text) > 4<<10 || tc.ok && len(text) < 4<<9 {
			t.Errorf("%s: %d bytes, %v, %v", tc.reason, len(text), err, ctx.Err())
		}
		cancel()
	}
	compiled, err := config.CompileTemplate("leave", "{{ range .many }}{{ end }}")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := compiled.Execute(ctx, []byte(many)); !errors.Is(err, context.Canceled) {
		t.Errorf("nobody waits any more: %v", err)
	}
}

func TestTemplateLanguage(t *testing.T) {
	for _, tc := range []struct {
		reason, template string
		line, column     int
	}{
		{"templates inside", `a{{ define "b" }}b{{ end }}`, 1, 18},
		{"calls of templates", "a\n{{ template \"leave\" }}", 2, 13},
		{"blocks", `{{ block "b" . }}{{ end }}`, 1, 18},
		{"calls of what the data holds", "{{ call .f }}", 1, 4},
		{"escapes of pages", "{{ .a | html }}", 1, 9},
		{"in a condition", "{{ if (js .a) }}{{ end }}", 1, 8},
		{"in a loop's body", "{{ range .a }}{{ urlquery . }}{{ end }}", 1, 18},
		{"in an else", "{{ with .a }}{{ else }}{{ println . }}{{ end }}", 1, 27},
		{"in a chain", "{{ (html .a).b }}", 1, 5},
		{"what only we call", "{{ step }}", 1, 1},
		{"functions that nobody knows", "{{ env \"HOME\" }}", 1, 1},
	} {
		_, err := config.CompileTemplate("leave", tc.template)
		var got *config.ExpressionError
		if !errors.As(err, &got) {
			t.Errorf("%s: %v, want an ExpressionError", tc.reason, err)
			continue
		}
		if got.Line != tc.line || got.Column != tc.column || got.Field != "services[leave].template" || got.Problem == "" {
			t.Errorf("%s: %v, want it at %d:%d", tc.reason, err, tc.line, tc.column)
		}
	}
	if _, err := config.CompileTemplate("leave", ""); err != nil {
		t.Errorf("an empty template: %v", err)
	}
}

// FuzzTemplate: whatever a template is given, it makes a text within its bounds, or an error without a word of it.
func FuzzTemplate(f *testing.F) {
	f.Add("還剩 {{ .days }} 天", `{"days":14}`)
	f.Add("{{ range $i, $d := .days }}{{ if $i }}, {{ end }}{{ $d }}{{ end }}", `{"days":[1,2.5,"a",null,{"b":true}]}`)
	f.Add(`{{ printf "%d %s %v" .a .b .c }}{{ if gt .a 1 }}{{ slice .b 1 }}{{ end }}`, `{"a":1e6,"b":"天","c":[]}`)
	f.Fuzz(func(t *testing.T, text, document string) {
		compiled, err := config.CompileTemplate("leave", text)
		if err != nil {
			return
		}
		made, err := compiled.Execute(t.Context(), []byte(document))
		if len(made) > 4<<10 || err != nil && made != "" {
			t.Fatalf("%d bytes, %v", len(made), err)
		}
	})
}
