package authorize

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"channellink.dev/operator/webhookserver/pages"
)

// FuzzQuery reads any query. What is accepted is plain text that comes once. // C15, C43
func FuzzQuery(f *testing.F) {
	for _, seed := range []string{
		"", "linkToken=a", "linkToken=a&linkToken=b", "a=1&A=2", "x=%00", "x=%0d%0a", "x=%ff", "x=%zz", "a;b", "=", "&&", "a=%E2%80%AE",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		query, err := parseQuery(raw)
		if err != nil {
			if strings.Contains(err.Error(), "%") {
				t.Errorf("the error quotes the query: %v", err)
			}
			return
		}
		seen := map[string]bool{}
		for name, values := range query {
			if len(values) != 1 {
				t.Fatalf("%q is there %d times", name, len(values))
			}
			for _, s := range []string{name, values[0]} {
				if !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) || len(s) > maxValue {
					t.Fatalf("accepted %q", s)
				}
			}
			folded := strings.ToLower(name)
			if seen[folded] {
				t.Fatalf("accepted %q in two spellings", name)
			}
			seen[folded] = true
		}
	})
}

// FuzzState reads any state and cookie value. // C22
func FuzzState(f *testing.F) {
	f.Add(newState("ABCDEFGHIJKLMNOPQRSTUVWXYZ"), newCookieValue(time.Unix(1_700_000_000, 0)))
	f.Add(".", "")
	f.Add("ABCDEFGHIJKLMNOPQRSTUVWXYZ.", "zzzzzzzzzzzzzzzzz.")
	f.Fuzz(func(t *testing.T, state, cookie string) {
		if flow, ok := flowOf(state); ok && (!isFlow(flow) || !strings.HasPrefix(state, flow+".")) {
			t.Errorf("%q names the flow %q", state, flow)
		}
		_ = age(cookie)
	})
}

// FuzzIDToken reads any payload that an issuer may sign: no panic, and nothing on the consent page that turns or hides
// text. // C12, C24, C43
func FuzzIDToken(f *testing.F) {
	for _, seed := range []string{
		`{}`, `null`, `[]`, `{"aud":"a"}`, `{"aud":["a","b"]}`, `{"aud":{}}`, `{"exp":1e999}`, `{"exp":-1}`, `{"exp":"1"}`,
		`{"sub":1}`, `{"events":null}`, `{"name":["\u202e",{}]}`, `{"name":"\u0000"}`, `{"azp":null}`, `{"exp":253402300800}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		var judged idToken
		var claims claimSet
		if json.Unmarshal(payload, &judged) != nil || json.Unmarshal(payload, &claims) != nil {
			return
		}
		_ = isIDToken(joseHeader{}, judged)
		for name, value := range claims {
			text := clip(shown(value), maxDisplay)
			if strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }) {
				t.Errorf("%s is shown as %q", name, text)
			}
			if utf8.RuneCountInString(text) > maxDisplay {
				t.Errorf("%s is shown with %d characters", name, utf8.RuneCountInString(text))
			}
		}
	})
}

// TestDisplays proves that every reason has its page: a refusal without one would be a fault of ours to the person, and one
// without words a blank page.
func TestDisplays(t *testing.T) {
	for reason, d := range displays {
		if d.code < 400 {
			t.Errorf("%s is a refusal and answers %d", reason, d.code)
		}
		document, err := pages.Trouble{Kind: d.kind}.Document()
		if err != nil || len(document.HTML) == 0 {
			t.Errorf("%s: %v", reason, err)
		}
	}
	well := []Reason{OK, Preview, Canceled, Repeated}
	for _, reason := range declaredReasons(t) {
		if _, refused := displays[reason]; refused == slices.Contains(well, reason) {
			t.Errorf("%s has a page: %t", reason, refused)
		}
	}
}

// declaredReasons are the constants of reason.go.
func declaredReasons(t *testing.T) []Reason {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "reason.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var all []Reason
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		if literal, ok := spec.Values[0].(*ast.BasicLit); ok {
			text, err := strconv.Unquote(literal.Value)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, Reason(text))
		}
		return true
	})
	if len(all) < len(displays) {
		t.Fatalf("reason.go declares %d reasons, and %d have a page", len(all), len(displays))
	}
	return all
}
