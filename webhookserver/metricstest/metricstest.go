// Package metricstest holds what a program exposes at /metrics beside what the documentation says of it.
package metricstest

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// Page is where the metrics are documented, from a package one folder below the root.
const Page = "../docs/metrics.md"

// Families reads a scrape.
func Families(t testing.TB, scrape string) map[string]*dto.MetricFamily {
	t.Helper()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(scrape))
	if err != nil {
		t.Fatalf("the scrape cannot be read: %v", err)
	}
	return families
}

// Lint fails the test for what promlint finds in names, types and help texts of the families with the prefix. What the
// libraries below expose is theirs.
func Lint(t testing.TB, scrape, prefix string) {
	t.Helper()
	problems, err := promlint.New(strings.NewReader(scrape)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, prefix) {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}

// Documented fails the test unless the page has, between the marks of the section, the table of just those families of the
// scrape that have one of the prefixes, and a word on each label. With update it writes the table.
func Documented(t testing.TB, section, scrape string, update bool, prefixes ...string) {
	t.Helper()
	families := Families(t, scrape)
	maps.DeleteFunc(families, func(name string, _ *dto.MetricFamily) bool {
		return !slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
	})
	page, err := os.ReadFile(Page)
	if err != nil {
		t.Fatal(err)
	}
	text := string(page)
	begin, end := fmt.Sprintf("<!-- %s: begin -->\n", section), fmt.Sprintf("<!-- %s: end -->", section)
	before, rest, ok := strings.Cut(text, begin)
	have, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("%s has no section %q", Page, section)
	}
	want := table(families)
	if update {
		if err := os.WriteFile(Page, []byte(before+begin+want+end+after), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("%s differs from a scrape (-scrape +page); run the test with -update:\n%s", Page, diff)
	}
	for _, label := range labels(families) {
		if !strings.Contains(text, fmt.Sprintf("| `%s` | ", label)) {
			t.Errorf("%s does not say what bounds the label %s", Page, label)
		}
	}
}

func table(families map[string]*dto.MetricFamily) string {
	var b strings.Builder
	b.WriteString("| metric | type | labels | |\n|---|---|---|---|\n")
	for _, name := range slices.Sorted(maps.Keys(families)) {
		family := families[name]
		quoted := labelsOf(family)
		for i, label := range quoted {
			quoted[i] = "`" + label + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", name, strings.ToLower(family.GetType().String()), strings.Join(quoted, ", "),
			strings.ReplaceAll(family.GetHelp(), "|", `\|`))
	}
	return b.String()
}

func labels(families map[string]*dto.MetricFamily) []string {
	all := map[string]bool{}
	for _, family := range families {
		for _, label := range labelsOf(family) {
			all[label] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

func labelsOf(family *dto.MetricFamily) []string {
	all := map[string]bool{}
	for _, metric := range family.GetMetric() {
		for _, pair := range metric.GetLabel() {
			all[pair.GetName()] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}
