// Package docs_test keeps the documentation true where a program can tell.
package docs_test

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "fill in the column Tests of docs/security.md")

// root is the repository, seen from this package.
var root = filepath.Join("..", "..")

// claims is how many there are.
const claims = 92

// untested stands under Open where nothing else does and no test names the claim.
const untested = "not met yet: a test of its own"

// row is a line of the table in docs/security.md.
type row struct {
	claim, statement, tests, open string
}

func (r row) String() string {
	return fmt.Sprintf("| %s | %s | %s | %s |", r.claim, r.statement, r.tests, r.open)
}

func TestSecurityListsEachClaimAndItsTests(t *testing.T) {
	file := filepath.Join(root, "docs", "security.md")
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	proofs := findProofs(t)
	lines := strings.Split(string(raw), "\n")
	next := 1
	for i, line := range lines {
		r, ok := parseRow(line)
		if !ok {
			continue
		}
		if want := "C" + strconv.Itoa(next); r.claim != want {
			t.Errorf("line %d is about %s, want %s", i+1, r.claim, want)
		}
		next++
		want := r
		want.tests = strings.Join(slices.Sorted(maps.Keys(proofs[r.claim])), "<br>")
		if want.tests == "" && r.open == "" {
			want.open = untested
		} else if want.tests != "" && r.open == untested {
			want.open = ""
		}
		switch {
		case want.tests != "" && strings.HasPrefix(r.open, "out of scope"):
			t.Errorf("%s is out of scope and has tests: %s", r.claim, want.tests)
		case *update:
			lines[i] = want.String()
		case r != want:
			t.Errorf("%s: the tests that name it differ from those listed; run go test ./test/docs -update (-listed +found):\n%s",
				r.claim, cmp.Diff(strings.Split(r.tests, "<br>"), strings.Split(want.tests, "<br>")))
		}
		delete(proofs, r.claim)
	}
	if next != claims+1 {
		t.Errorf("the table has %d claims, want %d", next-1, claims)
	}
	for claim, tests := range proofs {
		t.Errorf("there is no claim %s; named by %v", claim, slices.Sorted(maps.Keys(tests)))
	}
	if *update && !t.Failed() {
		if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

var (
	rowLine     = regexp.MustCompile(`^\| (C\d+) \|`)
	openSayings = regexp.MustCompile(`^(not met yet: .+|out of scope: .+)?$`)
)

func parseRow(line string) (row, bool) {
	if !rowLine.MatchString(line) {
		return row{}, false
	}
	cells := strings.Split(strings.Trim(line, "|"), "|")
	if len(cells) != 4 {
		return row{claim: strings.TrimSpace(cells[0])}, true
	}
	for i := range cells {
		cells[i] = strings.TrimSpace(cells[i])
	}
	r := row{claim: cells[0], statement: cells[1], tests: cells[2], open: cells[3]}
	return r, openSayings.MatchString(r.open)
}

// isForeign tells of a folder that nobody of the project writes in: what tools keep, what is built or installed, and data.
func isForeign(folder string) bool {
	return strings.HasPrefix(folder, ".") || slices.Contains([]string{"bin", "dist", "node_modules", "testdata"}, folder)
}

// findProofs maps each claim to the tests that name it, called by folder and name.
func findProofs(t *testing.T) map[string]map[string]bool {
	t.Helper()
	folders := map[string]functions{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		folder := filepath.Dir(path)
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && isForeign(d.Name()):
			return filepath.SkipDir
		case !strings.HasSuffix(path, "_test.go") && (!strings.HasSuffix(path, ".go") || !strings.HasSuffix(folder, "test")):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		if folders[folder] == nil {
			folders[folder] = functions{}
		}
		folders[folder].add(file)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}

	proofs := map[string]map[string]bool{}
	for folder, all := range folders {
		name, err := filepath.Rel(root, folder)
		if err != nil {
			t.Fatal(err)
		}
		for claim, shown := range all.shown(strings.HasSuffix(folder, "test")) {
			if proofs[claim] == nil {
				proofs[claim] = map[string]bool{}
			}
			for _, proof := range shown {
				proofs[claim][filepath.ToSlash(name)+"."+proof] = true
			}
		}
	}
	return proofs
}

// crowd is how many tests of a folder may stand in a row for a claim that a helper of theirs looks after. Of more, such as
// those that all look through their server's log in the end, the helper is named alone.
const crowd = 10

// shown maps each claim to the tests of the folder that prove it, or to the helper that a crowd of them has in common.
func (fs functions) shown(ofSupport bool) map[string][]string {
	owners := map[string]map[string][]string{} // the tests, by claim and by the function that names it
	for test := range fs {
		// What a package of test support offers, such as the suite that every store passes, is called by tests alone.
		if !testName.MatchString(test) && (!ofSupport || !ast.IsExported(test)) {
			continue
		}
		for claim, named := range fs.namedBy(test, map[string]bool{}) {
			if owners[claim] == nil {
				owners[claim] = map[string][]string{}
			}
			for owner := range named {
				owners[claim][owner] = append(owners[claim][owner], test)
			}
		}
	}
	shown := map[string][]string{}
	for claim, named := range owners {
		for owner, tests := range named {
			if len(tests) > crowd {
				tests = []string{owner + " (in each test that uses it)"}
			}
			shown[claim] = append(shown[claim], tests...)
		}
	}
	return shown
}

var (
	claimInComment = regexp.MustCompile(`\bC\d{1,2}\b`)
	claimsAtHead   = regexp.MustCompile("^[\"`](C\\d{1,2}\\b[ ,]*)+")
	testName       = regexp.MustCompile(`^(Test|Fuzz|Benchmark)[A-Z]`)
)

// functions are those of one package, by name, methods included.
type functions map[string]*function

// function is what one function says and uses.
type function struct {
	claims []string
	uses   []string
}

// add notes the functions of a file. A claim is named in the doc comment, in a
// comment inside, or at the head of a string inside (the reason of a table's row).
func (fs functions) add(file *ast.File) {
	for _, decl := range file.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok {
			continue
		}
		noted := &function{}
		from := f.Pos()
		if f.Doc != nil {
			from = f.Doc.Pos()
		}
		for _, group := range file.Comments {
			if group.Pos() >= from && group.End() <= f.End() {
				for _, comment := range group.List {
					noted.claims = append(noted.claims, claimInComment.FindAllString(comment.Text, -1)...)
				}
			}
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.BasicLit:
				if n.Kind == token.STRING {
					noted.claims = append(noted.claims, claimInComment.FindAllString(claimsAtHead.FindString(n.Value), -1)...)
				}
			case *ast.Ident:
				noted.uses = append(noted.uses, n.Name)
			}
			return true
		})
		fs[f.Name.Name] = noted
	}
}

// namedBy are the claims that the function names, or a helper that it uses does, each with the functions that do.
func (fs functions) namedBy(name string, seen map[string]bool) map[string]map[string]bool {
	named := map[string]map[string]bool{}
	f := fs[name]
	if f == nil || seen[name] {
		return named
	}
	seen[name] = true
	for _, claim := range f.claims {
		named[claim] = map[string]bool{name: true}
	}
	for _, used := range f.uses {
		if testName.MatchString(used) {
			continue
		}
		for claim, owners := range fs.namedBy(used, seen) {
			if named[claim] == nil {
				named[claim] = map[string]bool{}
			}
			maps.Copy(named[claim], owners)
		}
	}
	return named
}
