package linkscmd

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/store/pgtest"
)

// page is a page of the documentation.
func page(t *testing.T, name string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "docs", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// found is what stands where the pattern has its parentheses.
func found(t *testing.T, text, pattern string) string {
	t.Helper()
	m := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("nothing looks like %s", pattern)
	}
	return m[1]
}

// The line that docs/links.md shows is taken.
func TestTheLineOfThePage(t *testing.T) {
	dir, _ := sqliteDir(t)
	line := found(t, page(t, "links.md"), "```json\n(\\{\"version\":1,\"userID\".*)\n```")
	if got, want := strings.TrimSpace(mustLinks(t, dir, line, "import")), `{"read":1,"stored":1}`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// The statement of docs/migrate.md writes lines that an import takes: of who is linked, when, and with which code.
func TestMigration(t *testing.T) {
	server := pgtest.Start(t)
	old, err := pgx.Connect(t.Context(), server.DSN(server.NewDatabase(t)))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = old.Close(t.Context()) }()
	const made = `
		CREATE TABLE account_links (line_user_id text, employee_sub text, employee_email text, confirmed boolean,
			linked_at timestamptz, unlinked_at timestamptz, code text);
		SET TIME ZONE 'Asia/Taipei';
		INSERT INTO account_links VALUES
			('U206d25c2ea6bd87c17655609a1c37cb8', '00u1', 'j.dupont@vision.example', true, '2025-11-02T16:00:00+08', NULL, 'kVh3cX0a1ZbQ2mYt5oPq8w'),
			('Ud9f1a2b3c4d5e6f708192a3b4c5d6e7f', '00u2', NULL, false, '2025-11-03T00:00:00.5Z', NULL, 'rR7uSs6vTt4xUu9yVv0zA1'),
			('U4af4980629c0f7d11bc6a5d8e0c8f3b2', '00u3', 'gone@vision.example', true, '2025-11-04T00:00:00Z', '2025-12-01T00:00:00Z', 'x')`
	if _, err := old.Exec(t.Context(), made); err != nil {
		t.Fatal(err)
	}
	text := page(t, "migrate.md")
	statement := found(t, text, "(?s)```sql\n(.*?)\n *```")
	withCode := strings.Replace(statement, "'version', 1,", "'version', 1, "+found(t, text, "`('codeHash', .*?\\))`")+",", 1)
	rows, err := old.Query(t.Context(), withCode)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}

	dir, _ := sqliteDir(t)
	if got, want := strings.TrimSpace(mustLinks(t, dir, strings.Join(lines, "\n"), "import")), `{"read":2,"stored":2}`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	hash := func(code string) string { h := link.HashCode(code); return hex.EncodeToString(h[:]) }
	exported := mustLinks(t, dir, "", "export")
	want := `{"version":1,"channel":"LINE/507oftxz","userID":"U206d25c2ea6bd87c17655609a1c37cb8","issuer":"https://sso.vision.example",` +
		`"subject":"00u1","account":"j.dupont@vision.example","confirmed":true,"codeHash":"` + hash("kVh3cX0a1ZbQ2mYt5oPq8w") + `","linkedAt":"2025-11-02T08:00:00Z"}
{"version":1,"channel":"LINE/507oftxz","userID":"Ud9f1a2b3c4d5e6f708192a3b4c5d6e7f","issuer":"https://sso.vision.example",` +
		`"subject":"00u2","confirmed":false,"codeHash":"` + hash("rR7uSs6vTt4xUu9yVv0zA1") + `","linkedAt":"2025-11-03T00:00:00.5Z"}
`
	if diff := cmp.Diff(want, regexp.MustCompile(`"id":"[^"]*",`).ReplaceAllString(exported, "")); diff != "" {
		t.Errorf("after the import (-want +got):\n%s", diff)
	}
}
