package linkscmd

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"channellink.dev/operator/webhookserver/config"
	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/secretfile"
	"channellink.dev/operator/webhookserver/store"
	"channellink.dev/operator/webhookserver/store/pgtest"
)

// links runs the command and returns what it prints.
func links(t *testing.T, dir, in string, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	args = append(args, "-settings-dir", dir)
	err := Run(t.Context(), args, Env{In: strings.NewReader(in), Out: &out, Err: io.Discard, Now: time.Now})
	return out.String(), err
}

func mustLinks(t *testing.T, dir, in string, args ...string) string {
	t.Helper()
	out, err := links(t, dir, in, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// sqliteDir returns settings for a SQLite store that a server has made, and closed again.
func sqliteDir(t *testing.T, userIDs ...string) (settings, database string) {
	t.Helper()
	data := t.TempDir()
	database = filepath.Join(data, store.DatabaseFile)
	s, err := store.OpenSQLite(t.Context(), store.SQLiteOptions{Path: database})
	if err != nil {
		t.Fatal(err)
	}
	linkUsers(t, s, userIDs...)
	return settingsDir(t, config.Store{SQLite: &config.SQLite{Dir: data}}), database
}

func linkUsers(t *testing.T, s link.Store, userIDs ...string) {
	t.Helper()
	for _, userID := range userIDs {
		if err := linkUser(t.Context(), s, userID); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestListMasks(t *testing.T) {
	dir, _ := sqliteDir(t, "U206d25c2ea6bd87c17655609a1c37cb8")
	want := `{"version":1,"channel":"LINE/507oftxz","user":"U206…7cb8","issuer":"https://sso.vision.example",` +
		`"subject":"sub …7cb8","account":"U206…mple","confirmed":true,"linkedAt":"2026-01-31T09:30:01.123456Z"}` + "\n"
	if diff := cmp.Diff(want, mustLinks(t, dir, "", "list")); diff != "" {
		t.Error(diff)
	}
	for id, want := range map[string]string{"": "", "short": "…", "12345678901": "…", "中文中文中文中文中文中文": "中文中文…中文中文"} {
		if got := mask(id); got != want {
			t.Errorf("mask(%q) = %q, want %q", id, got, want)
		}
	}
}

func TestAudit(t *testing.T) {
	const user, other = "U206d25c2ea6bd87c17655609a1c37cb8", "Ud9f1a2b3c4d5e6f708192a3b4c5d6e7f"
	dir, _ := sqliteDir(t, user, other)
	rows := func(in string, args ...string) (rows []AuditRow) {
		t.Helper()
		lines := mustLinks(t, dir, in, append([]string{"audit"}, args...)...)
		for line := range strings.Lines(lines) {
			var r AuditRow
			if err := json.Unmarshal([]byte(line), &r); err != nil {
				t.Fatal(err)
			}
			rows = append(rows, r)
		}
		for _, id := range []string{user, other, "vision.example"} {
			if strings.Contains(lines, id) {
				t.Errorf("the audit trail names %s:\n%s", id, lines)
			}
		}
		return rows
	}
	all := rows("")
	if len(all) != 2 || all[0].What != "linked" || all[0].By != "platform" || all[0].User == all[1].User || len(all[0].User) != 64 {
		t.Fatalf("the trail is %+v", all)
	}
	if diff := cmp.Diff(all[1:], rows(other+"\n", "-one-user")); diff != "" {
		t.Error(diff)
	}
}

// What is exported from one kind of store and imported into the other comes out again as it was.
func TestRoundTrip(t *testing.T) {
	server := pgtest.Start(t)
	dsn := server.DSN(server.NewDatabase(t))
	s, err := store.OpenPostgres(t.Context(), store.PostgresOptions{DSN: secretfile.NewSecret(dsn)})
	if err != nil {
		t.Fatal(err)
	}
	linkUsers(t, s)
	file := filepath.Join(t.TempDir(), "dsn")
	if err := os.WriteFile(file, []byte(dsn), 0o600); err != nil {
		t.Fatal(err)
	}
	postgres := settingsDir(t, config.Store{Postgres: &config.Postgres{
		DSN: config.File{Field: "store.postgres.dsnSecretRef", Path: file}, MaxConns: 10,
	}})
	users := make([]string, 0, 250) // more than a batch
	for i := range cap(users) {
		users = append(users, fmt.Sprintf("U%032d", i))
	}
	lite, _ := sqliteDir(t, users...)
	empty, _ := sqliteDir(t)

	exported := mustLinks(t, lite, "", "export")
	if n := strings.Count(exported, "\n"); n != len(users) {
		t.Fatalf("%d lines, want %d", n, len(users))
	}
	for _, hop := range []struct{ reason, dir, want string }{
		{"SQLite to PostgreSQL", postgres, `{"read":250,"stored":250}`},
		{"again: nothing is newer", postgres, `{"read":250,"stored":0}`},
		{"and back into an empty SQLite", empty, `{"read":250,"stored":250}`},
	} {
		if got := strings.TrimSpace(mustLinks(t, hop.dir, exported, "import")); got != hop.want {
			t.Errorf("%s: %s, want %s", hop.reason, got, hop.want)
		}
		if diff := cmp.Diff(exported, mustLinks(t, hop.dir, "", "export")); diff != "" {
			t.Errorf("%s: %s", hop.reason, diff)
		}
	}
}

// The command works beside the process that serves, which holds the file's lock and goes on writing: nothing of either is
// lost, and no write of the server's fails for another reason than a machine that is too slow.
func TestBesideLiveServer(t *testing.T) {
	const imported = 300
	dir, database := sqliteDir(t)
	server := startServer(t, database)
	if _, err := store.OpenSQLite(t.Context(), store.SQLiteOptions{Path: database}); !errors.Is(err, store.InUse) {
		t.Fatalf("the server does not hold the file: %v", err)
	}
	var lines strings.Builder
	for i := range imported {
		fmt.Fprintf(&lines, `{"version":1,"userID":"Uimported%07d","issuer":"https://sso.vision.example","subject":"s%d","confirmed":true,"linkedAt":"2026-01-01T00:00:00Z"}`+"\n", i, i)
	}
	if got, want := strings.TrimSpace(mustLinks(t, dir, lines.String(), "import")), fmt.Sprintf(`{"read":%d,"stored":%d}`, imported, imported); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	during := mustLinks(t, dir, "", "list")
	if n := strings.Count(during, `"user":"Uimp`); n != imported {
		t.Errorf("beside the server %d imported links are listed, want %d", n, imported)
	}
	served := server.stop(t)
	if served == 0 {
		t.Error("the server wrote nothing meanwhile: this test shows nothing")
	}
	after := mustLinks(t, dir, "", "export")
	if n := strings.Count(after, `"userID":"Userved`); n != served {
		t.Errorf("%d links of the server, want %d", n, served)
	}
	if n := strings.Count(after, `"userID":"Uimported`); n != imported {
		t.Errorf("%d imported links, want %d", n, imported)
	}
}

// An import says which line it cannot take, without quoting it, and keeps what came before.
func TestImportRefuses(t *testing.T) {
	const good = `{"version":1,"userID":"U1","issuer":"https://sso.vision.example","subject":"s1","confirmed":true,"linkedAt":"2026-01-01T00:00:00Z"}`
	with := func(old, replacement string) string { return strings.Replace(good, old, replacement, 1) }
	for _, tc := range []struct{ reason, line, says string }{
		{"not JSON", "CANARY", "shape"},
		{"a field that this command does not know might matter", with(`"userID"`, `"CANARY":1,"userID"`), "shape"},
		{"another version", with(`"version":1`, `"version":2`), "version is 2"},
		{"no version", with(`"version":1,`, ``), "version is 0"},
		{"a channel that is served elsewhere", with(`"userID"`, `"channel":"LINE/CANARY","userID"`), "channel"},
		{"no user", with(`U1`, ``), "userID is missing"},
		{"no identity: no issuer", with(`https://sso.vision.example`, ``), "issuer is missing"},
		{"no identity: no subject", with(`s1`, ``), "subject is missing"},
		{"too long for any platform", with(`U1`, strings.Repeat("CANARY", 50)), "userID is longer"},
		{"no time", with(`,"linkedAt":"2026-01-01T00:00:00Z"`, ``), "linkedAt is missing"},
		{"in the future: no unlinking could end it", with(`2026-01-01`, `9999-01-01`), "linkedAt is in the future"},
		{"half a hash", with(`"confirmed"`, `"codeHash":"00ff","confirmed"`), "codeHash"},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			dir, _ := sqliteDir(t)
			_, err := links(t, dir, with("U1", "Ubefore")+"\n\n"+tc.line+"\n", "import")
			if err == nil || !strings.Contains(err.Error(), tc.says) || !strings.Contains(err.Error(), "line 3") {
				t.Errorf("got %v, want line 3 and %q", err, tc.says)
			}
			if err != nil && strings.Contains(err.Error(), "CANARY") {
				t.Errorf("the error quotes the line: %v", err)
			}
			if out := mustLinks(t, dir, "", "export"); !strings.Contains(out, "Ubefore") {
				t.Errorf("the line before is not stored: %s", out)
			}
		})
	}
}

func TestRunRefuses(t *testing.T) {
	dir, _ := sqliteDir(t)
	unmade := settingsDir(t, config.Store{SQLite: &config.SQLite{Dir: t.TempDir()}})
	unkeyed := settingsDir(t, config.Store{
		SQLite:         &config.SQLite{Dir: t.TempDir()},
		EncryptionKeys: &config.File{Field: "store.encryptionKeySecretRef", Path: filepath.Join(t.TempDir(), "none")},
	})
	for _, tc := range []struct {
		reason string
		args   []string
		says   string
	}{
		{"no command", nil, "say list, export, import or audit"},
		{"a command that is none", []string{"delete"}, "say list, export, import or audit"},
		{"a stray argument", []string{"list", "-settings-dir", dir, "all"}, `unknown argument "all"`},
		{"no settings", []string{"list", "-settings-dir", t.TempDir()}, "settings.json"},
		{"no such channel", []string{"list", "-settings-dir", dir, "-channel", "LINE/other"}, "no such channel"},
		{"a database that no server has made is not made", []string{"list", "-settings-dir", unmade}, "IOFailed"},
		{"an audit of one user who is not named", []string{"audit", "-settings-dir", dir, "-one-user"}, "one id on standard input"},
		{"a key that is missing is not passed over", []string{"import", "-settings-dir", unkeyed}, "store.encryptionKeySecretRef"},
	} {
		err := Run(t.Context(), tc.args, Env{In: strings.NewReader(""), Out: io.Discard, Err: io.Discard, Now: time.Now})
		if err == nil || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: got %v, want %q", tc.reason, err, tc.says)
		}
	}
	var help bytes.Buffer
	err := Run(t.Context(), []string{"--help"}, Env{Err: &help})
	if !errors.Is(err, flag.ErrHelp) || !strings.Contains(help.String(), "export") {
		t.Errorf("help: %v, %s", err, help.String())
	}
}
