package webhookserver_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"channellink.dev/operator/webhookserver/botbonnie"
	"channellink.dev/operator/webhookserver/config"
)

// servicesPage is docs/services.md, and what of it a pattern finds.
func servicesPage(t *testing.T, pattern string) [][]string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "docs", "services.md"))
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(pattern).FindAllStringSubmatch(string(page), -1)
	if len(found) == 0 {
		t.Fatalf("docs/services.md has nothing like %s", pattern)
	}
	return found
}

// What docs/services.md shows as messages is taken, and its assertion has the claims of a real one.
func TestServicesDocsJSON(t *testing.T) {
	w, b, kept := servedWorld(t, nil)
	kept.linkedSince(t, lineUser, time.Now().Add(-time.Hour))
	w.ask(t, "leave-balance", moduleCall(lineUser, ""))
	claims, err := w.verify(t, b.seen()[0].Header.Get("Authorization"), "hr")
	if err != nil {
		t.Fatal(err)
	}
	types := map[string]bool{}
	assertions := 0
	for _, block := range servicesPage(t, "(?s)```json\n(.*?)```") {
		var document map[string]any
		if err := json.Unmarshal([]byte(block[1]), &document); err != nil {
			t.Fatalf("%s: %v", block[1], err)
		}
		if _, ok := document["iss"]; ok {
			assertions++
			if diff := cmp.Diff(slices.Sorted(maps.Keys(claims)), slices.Sorted(maps.Keys(document))); diff != "" {
				t.Errorf("the assertion (-real +documented)\n%s", diff)
			}
			continue
		}
		message, err := botbonnie.ReadMessage([]byte(block[1]))
		if err != nil {
			t.Errorf("%s: %v", block[1], err)
		}
		types[message.Type] = true
	}
	if len(types) != 5 || assertions != 1 {
		t.Errorf("messages of %d types and %d assertions, want 5 and 1", len(types), assertions)
	}
}

// Each row of templates in docs/services.md makes the text that stands there.
func TestServicesDocsTemplates(t *testing.T) {
	rows := servicesPage(t, "(?m)^\\| `([^`]*{{[^`]*)` \\| `([^`]+)` \\| (.+) \\|$")
	for _, row := range rows {
		compiled, err := config.CompileTemplate("docs", row[1])
		if err != nil {
			t.Errorf("%s: %v", row[1], err)
			continue
		}
		if got, err := compiled.Execute(t.Context(), []byte(row[2])); err != nil || got != row[3] {
			t.Errorf("%s over %s: %q, %v; want %q", row[1], row[2], got, err, row[3])
		}
	}
	if len(rows) < 5 {
		t.Errorf("%d rows found", len(rows))
	}
}

// The table of outcomes in docs/services.md has every one that there is.
func TestServicesDocsOutcomes(t *testing.T) {
	documented := map[string]bool{}
	for _, row := range servicesPage(t, "(?m)^\\| (`[A-Z][^|]*`) \\|") {
		for _, name := range regexp.MustCompile("`(\\w+)`").FindAllStringSubmatch(row[1], -1) {
			documented[name[1]] = true
		}
	}
	var want []string
	for file, constants := range map[string]string{
		filepath.Join("services", "outcome.go"): `(?m)^\t\w+ +Outcome = "(\w+)"`,
		filepath.Join("outbound", "error.go"):   `(?m)^\t\w+ +Reason = "(\w+)"`,
	} {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, constant := range regexp.MustCompile(constants).FindAllStringSubmatch(string(source), -1) {
			want = append(want, constant[1])
		}
	}
	// A service has no token bucket, and what it reads it judges itself.
	want = slices.DeleteFunc(want, func(outcome string) bool { return outcome == "RateLimited" || outcome == "BadContent" })
	slices.Sort(want)
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(documented))); diff != "" {
		t.Errorf("(-in the code +documented)\n%s", diff)
	}
}
