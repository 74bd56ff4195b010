package store

import (
	"bytes"
	"errors"
	"os"
	"testing"

	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/secretfile"
)

// A sealed value opens in its own row alone, and with no bit changed.
func TestSealedValueIsBound(t *testing.T) {
	s := sealer{func() []secretfile.Secret {
		return []secretfile.Secret{secretfile.NewSecret("an encryption key of some length")}
	}}
	plain, row := []byte("material"), []byte("row 1")
	sealed, id, err := s.seal(plain, row)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, plain) {
		t.Error("the sealed value holds the plain one")
	}
	again, _, err := s.seal(plain, row)
	if err != nil || bytes.Equal(sealed, again) {
		t.Errorf("sealing twice gave the same bytes, %v", err)
	}
	if got, stale, err := s.open(sealed, id, row); err != nil || stale || !bytes.Equal(got, plain) {
		t.Errorf("open = %q, %t, %v", got, stale, err)
	}
	if _, _, err := s.open(sealed, id, []byte("row 2")); !errors.Is(err, link.ErrSealed) {
		t.Errorf("in another row: got %v, want %v", err, link.ErrSealed)
	}
	for i := range sealed {
		changed := bytes.Clone(sealed)
		changed[i] ^= 1
		if _, _, err := s.open(changed, id, row); !errors.Is(err, link.ErrSealed) {
			t.Fatalf("byte %d changed: got %v, want %v", i, err, link.ErrSealed)
		}
	}
}

// C60: with an encryption key, a copy of the database file holds no key of the
// server, also not one that was stored before there was an encryption key.
func TestSealedDatabase(t *testing.T) {
	path := databasePath(t)
	ring := func() []secretfile.Secret { return nil }
	s, err := OpenSQLite(t.Context(), SQLiteOptions{Path: path, Options: Options{
		EncryptionKeys: func() []secretfile.Secret { return ring() },
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	key, err := link.NewKey("LINE/1", link.UserHashKey, 1, row(1).FetchedAt)
	if err != nil {
		t.Fatal(err)
	}
	material := []byte(key.Material.Reveal())
	if _, err := s.PutKey(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(dump(t, s, path), material) {
		t.Fatal("unsealed, the dump should hold the key: this test looks in the wrong place")
	}
	ring = func() []secretfile.Secret {
		return []secretfile.Secret{secretfile.NewSecret("an encryption key of some length")}
	}
	if _, err := s.Keys(t.Context(), "LINE/1", link.UserHashKey); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(dump(t, s, path), material) {
		t.Error("the dump holds the key")
	}
}

// dump returns the bytes of the database file, with all changes moved into it.
func dump(t *testing.T, s *Store, path string) []byte {
	t.Helper()
	if _, err := s.write.ExecContext(t.Context(), "PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		t.Fatal(err)
	}
	var all []byte
	for _, suffix := range []string{"", "-wal"} {
		content, err := os.ReadFile(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, content...)
	}
	return all
}
