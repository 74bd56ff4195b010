package signature_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// C35: MACs are compared by hmac.Equal alone. A function that makes a MAC contains no other comparison of bytes or strings,
// and the headers that carry MACs are named in this package alone.
func TestMACsAreComparedInConstantTime(t *testing.T) {
	root := filepath.Join("..", "..")
	makers := 0
	for _, dir := range []string{"webhookserver", "cmd/webhookserver"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, d fs.DirEntry, err error) error {
			if d != nil && d.IsDir() && strings.HasSuffix(path, "test") {
				return fs.SkipDir // stands in for a platform in tests
			}
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			files := token.NewFileSet()
			file, err := parser.ParseFile(files, path, nil, 0)
			if err != nil {
				return err
			}
			found, made := careless(file, filepath.Base(filepath.Dir(path)) == "signature")
			makers += made
			for _, f := range found {
				t.Errorf("%s: %s", files.Position(f.at), f.what)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if makers == 0 {
		t.Error("no function makes a MAC: the test looks in the wrong place")
	}
}

// The rule itself: it must see what it forbids.
func TestCarelessComparisonsAreSeen(t *testing.T) {
	for _, body := range []string{
		`if hex.EncodeToString(h.Sum(nil)) == given {}`,
		`if given != string(h.Sum(nil)) {}`,
		`bytes.Equal(h.Sum(nil), given)`,
		`slices.Equal(h.Sum(nil), given)`,
		`reflect.DeepEqual(h.Sum(nil), given)`,
		`strings.EqualFold(hex.EncodeToString(h.Sum(nil)), given)`,
		`switch given { case string(h.Sum(nil)): }`,
		`r.Header.Get("X-Hub-Signature")`,
		`_ = r.Header["X-Line-Signature"]`,
	} {
		source := "package p\nfunc f() { h := hmac.New(sha256.New, key)\n" + body + "}"
		file, err := parser.ParseFile(token.NewFileSet(), "p.go", source, 0)
		if err != nil {
			t.Fatal(err)
		}
		if found, _ := careless(file, false); len(found) == 0 {
			t.Errorf("%s: passed", body)
		}
	}
}

type finding struct {
	at   token.Pos
	what string
}

// careless lists what a file does with MACs that it should not, and counts the functions that make one.
func careless(file *ast.File, home bool) (found []finding, makers int) {
	add := func(n ast.Node, what string) { found = append(found, finding{n.Pos(), what}) }
	for _, decl := range file.Decls {
		if !calls(decl, "hmac.New") {
			continue
		}
		makers++
		ast.Inspect(decl, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.BinaryExpr:
				if (n.Op == token.EQL || n.Op == token.NEQ) && !harmless(n.X) && !harmless(n.Y) {
					add(n, "== or != where a MAC is made")
				}
			case *ast.SwitchStmt:
				if n.Tag != nil {
					add(n, "switch where a MAC is made")
				}
			case *ast.CallExpr:
				forbidden := []string{"bytes.Equal", "bytes.Compare", "bytes.HasPrefix", "slices.Equal", "slices.Compare", "reflect.DeepEqual", "strings.EqualFold", "strings.Compare"}
				if name := called(n); slices.Contains(forbidden, name) {
					add(n, name+" where a MAC is made")
				}
			}
			return true
		})
	}
	if home {
		return found, makers
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			for _, header := range []string{"x-hub-signature", "x-line-signature"} {
				if strings.Contains(strings.ToLower(lit.Value), header) {
					add(lit, fmt.Sprintf("%s is read outside package signature", lit.Value))
				}
			}
		}
		return true
	})
	return found, makers
}

// harmless: comparing with nil, a constant or a length tells nothing of a MAC.
func harmless(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.BasicLit:
		return true
	case *ast.Ident:
		return e.Name == "nil" || e.Name == "true" || e.Name == "false"
	case *ast.CallExpr:
		return called(e) == "len" || called(e) == "newHash.Size"
	}
	return false
}

func calls(n ast.Node, name string) bool {
	found := false
	ast.Inspect(n, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok && called(call) == name {
			found = true
		}
		return !found
	})
	return found
}

// called is the name of what a call calls, as it is written.
func called(c *ast.CallExpr) string {
	switch f := c.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		if x, ok := f.X.(*ast.Ident); ok {
			return x.Name + "." + f.Sel.Name
		}
	}
	return ""
}
