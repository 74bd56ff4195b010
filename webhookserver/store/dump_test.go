package store

import (
	"bytes"
	"database/sql"
	"encoding/hex"
	"fmt"
	"testing"
	"time"

	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/secretfile"
	"channellink.dev/operator/webhookserver/store/pgtest"
)

// tables are all that a store writes to.
var tables = []string{
	"server_keys", "issuer_documents", "sessions", "links", "chat_users", "used_events", "spent_tokens", "issued_tokens", "confirmations",
	"channel_facts", "audit", "revocations", "revoked_users",
}

// dumpTables returns every value of every table, as a dump of the database would hold it.
func dumpTables(t *testing.T, s *Store) []byte {
	t.Helper()
	var all bytes.Buffer
	for _, table := range tables {
		for _, row := range query(t, s.write, "SELECT * FROM "+table) {
			for _, value := range row {
				if b, ok := value.([]byte); ok {
					_, _ = fmt.Fprintf(&all, "%s %x\n", b, b)
					continue
				}
				_, _ = fmt.Fprintln(&all, value)
			}
		}
	}
	return all.Bytes()
}

// query returns the rows of a query.
func query(t *testing.T, db *sql.DB, statement string, args ...any) (found [][]any) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), statement, args...)
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	defer func() { _ = rows.Close() }()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		values, targets := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			targets[i] = &values[i]
		}
		if err := rows.Scan(targets...); err != nil {
			t.Fatal(err)
		}
		found = append(found, values)
	}
	if err := rows.Err(); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	return found
}

// C60: a dump holds no code, state, cookie, form token or nonce in any form but a hash; with an encryption key also no
// token of the platform, verifier or claim. Unlinking leaves nothing that names the person.
func testNothingRaw(t *testing.T, s *Store, dump func() []byte) {
	t.Helper()
	const consent = "consent"
	raw := map[string]string{}
	for _, what := range []string{"state", "cookie", "nonce", "form", "code", "linkToken", "verifier", "claim", "event"} {
		raw[what] = "CANARY-" + what + "-" + link.NewCode()
	}
	person := []string{"Ucanary206d25c2ea6bd87c1765560", "sub-canary-7c1a", "canary@vision.example"}
	now := time.Unix(1_700_000_000, 0).UTC()
	session := link.Session{
		Flow: consent, Channel: "LINE/1", Step: link.Started,
		StateHash: link.HashCode(raw["state"]), CookieHash: link.HashCode(raw["cookie"]), NonceHash: link.HashCode(raw["nonce"]),
		Verifier: raw["verifier"], Params: map[string]string{"linkToken": raw["linkToken"]},
		StartedAt: now, ExpiresAt: now.Add(time.Minute),
	}
	check := func(when string) {
		t.Helper()
		all := dump()
		for what, value := range raw {
			for _, form := range []string{value, hex.EncodeToString([]byte(value))} {
				if bytes.Contains(all, []byte(form)) {
					t.Errorf("%s: the dump holds the %s", when, what)
				}
			}
		}
	}
	if err := s.PutSession(t.Context(), session); err != nil {
		t.Fatal(err)
	}
	check("at the issuer")
	session, err := s.TakeCallback(t.Context(), "LINE/1", session.StateHash, now)
	if err != nil {
		t.Fatal(err)
	}
	session.FormHash, session.Display = link.HashCode(raw["form"]), []link.Claim{{Name: "name", Value: raw["claim"]}}
	session.Identity = link.Identity{Issuer: "https://sso.vision.example", Subject: person[1], Account: person[2]}
	if err := s.Identify(t.Context(), session); err != nil {
		t.Fatal(err)
	}
	check("at consent")
	tokenHash := link.HashCode(raw["linkToken"])
	l := link.Link{
		Channel: "LINE/1", UserID: person[0], Identity: session.Identity, CodeHash: link.HashCode(raw["code"]),
		PlatformToken: hex.EncodeToString(tokenHash[:]), LoginAt: now, ConsentAt: now, ExpiresAt: now.Add(time.Minute),
	}
	if err := s.Consent(t.Context(), consent, l, 1, false); err != nil {
		t.Fatal(err)
	}
	c := link.Confirmation{Channel: "LINE/1", Event: raw["event"], Code: l.CodeHash, UserID: person[0], OK: true, At: now}
	if outcome, err := s.Confirm(t.Context(), c, now); err != nil || outcome != link.Activated {
		t.Fatalf("confirm: %s, %v", outcome, err)
	}
	check("linked")
	for _, value := range person {
		if !bytes.Contains(dump(), []byte(value)) {
			t.Errorf("the dump should hold %s while linked: this test looks in the wrong place", value)
		}
	}
	u := link.Unlink{Channel: "LINE/1", UserID: person[0], At: now.Add(time.Second), By: "chat user", Why: "postback"}
	if outcome, err := s.Unlink(t.Context(), u, now); err != nil || outcome != link.Removed {
		t.Fatalf("unlink: %s, %v", outcome, err)
	}
	if err := s.Sweep(t.Context(), now.Add(time.Hour), time.Hour*9600); err != nil { // the session's time is over
		t.Fatal(err)
	}
	check("unlinked")
	for _, value := range person {
		if bytes.Contains(dump(), []byte(value)) {
			t.Errorf("after unlinking the dump still holds %s", value)
		}
	}
}

func TestSQLiteNothingRaw(t *testing.T) {
	path := databasePath(t)
	s, err := OpenSQLite(t.Context(), SQLiteOptions{Path: path, Options: withRing(encryptionKey)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	testNothingRaw(t, s, func() []byte { return append(dumpTables(t, s), dump(t, s, path)...) }) // free pages too
}

func testPostgresNothingRaw(t *testing.T, server *pgtest.Server) {
	dsn := server.DSN(server.NewDatabase(t))
	s, err := OpenPostgres(t.Context(), PostgresOptions{DSN: secretfile.NewSecret(dsn), Options: withRing(encryptionKey)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	testNothingRaw(t, s, func() []byte { return dumpTables(t, s) })
}

var encryptionKey = []secretfile.Secret{secretfile.NewSecret("an encryption key of some length")}

// C60: without an encryption key the verifier and the platform's parameters go when they have served, however the login ends.
func TestSQLiteSecretsEnd(t *testing.T) {
	now := time.Unix(1_700_000_000, 0).UTC()
	for end, finish := range map[string]func(*Store) error{
		"refused": func(s *Store) error { return s.Refuse(t.Context(), "LINE/1", "flow") },
		"linked": func(s *Store) error {
			return s.Consent(t.Context(), "flow", link.Link{
				Channel: "LINE/1", UserID: "U1", Identity: link.Identity{Issuer: "https://sso.vision.example", Subject: "s1"},
				CodeHash: link.HashCode("code"), LoginAt: now, ConsentAt: now, ExpiresAt: now.Add(time.Minute),
			}, 0, false)
		},
	} {
		t.Run(end, func(t *testing.T) { testSecretsEnd(t, now, finish) })
	}
}

func testSecretsEnd(t *testing.T, now time.Time, finish func(*Store) error) {
	path := databasePath(t)
	s := openSQLite(t, path)
	session := link.Session{
		Flow: "flow", Channel: "LINE/1", Step: link.Exchanging, Verifier: "CANARY-verifier",
		Params: map[string]string{"linkToken": "CANARY-token"}, StartedAt: now, ExpiresAt: now.Add(time.Minute),
	}
	holds := func() []bool {
		t.Helper()
		stored, err := s.Session(t.Context(), "LINE/1", "flow")
		if err != nil {
			t.Fatal(err)
		}
		return []bool{stored.Verifier != "", stored.Params["linkToken"] != ""}
	}
	steps := []struct {
		reason           string
		step             func() error
		verifier, params bool
	}{
		{"while the code is exchanged both are needed", func() error { return s.PutSession(t.Context(), session) }, true, true},
		{"then the parameters alone", func() error { return s.Identify(t.Context(), session) }, false, true},
		{"and after the end nothing", func() error { return finish(s) }, false, false},
	}
	for _, step := range steps {
		if err := step.step(); err != nil {
			t.Fatal(err)
		}
		if got := holds(); got[0] != step.verifier || got[1] != step.params {
			t.Errorf("%s: verifier and parameters stored: %v", step.reason, got)
		}
	}
	if base64 := "Q0FOQVJZLXRva2Vu"; bytes.Contains(dump(t, s, path), []byte(base64)) {
		t.Error("the file still holds the token after the end")
	}
}
