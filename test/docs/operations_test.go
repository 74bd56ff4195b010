package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var (
	heading    = regexp.MustCompile(`(?m)^## (.+)$`)
	runbookRow = regexp.MustCompile(`(?m)^\| \[([^\]]+)\]\(#([^)]+)\) \| (.+) \|$`)
	quoted     = regexp.MustCompile("`([^`]+)`")
)

// Each runbook of docs/operations.md has a row in its last table, in the same order, and each test that a row names is in the
// tree.
func TestEachRunbookIsWalkedThrough(t *testing.T) {
	page := codeBlock.ReplaceAllString(read(t, "docs", "operations.md"), "")
	runbooks, table, found := strings.Cut(page, "\n## Tests\n")
	if !found {
		t.Fatal("the page has no section of that name")
	}
	var want, rows []string
	for _, m := range heading.FindAllStringSubmatch(runbooks, -1) {
		want = append(want, m[1])
	}
	tree := functionsOfTests(t)
	for _, m := range runbookRow.FindAllStringSubmatch(table, -1) {
		title, anchor, tests := m[1], m[2], quoted.FindAllStringSubmatch(m[3], -1)
		rows = append(rows, title)
		if anchor != slug(title) {
			t.Errorf("%s: its link leads to #%s, not to #%s", title, anchor, slug(title))
		}
		if len(tests) == 0 {
			t.Errorf("%s: no test walks through it", title)
		}
		for _, test := range tests {
			if !slices.Contains(tree, test[1]) {
				t.Errorf("%s: there is no test %s", title, test[1])
			}
		}
	}
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Errorf("runbooks and rows (-runbooks +rows):\n%s", diff)
	}
	if len(rows) == 0 {
		t.Error("no runbook was found: this test looks in the wrong place")
	}
}

var testFunction = regexp.MustCompile(`(?m)^func ((?:Test|Benchmark|Fuzz)[A-Z]\w*)\([tbf] \*testing\.[TBF]\)`)

// functionsOfTests are the tests, benchmarks and fuzz targets of the tree, called by folder and name.
func functionsOfTests(t *testing.T) []string {
	t.Helper()
	var tests []string
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && isForeign(d.Name()):
			return filepath.SkipDir
		case !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		folder, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		for _, m := range testFunction.FindAllStringSubmatch(string(raw), -1) {
			tests = append(tests, filepath.ToSlash(folder)+"."+m[1])
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return tests
}
