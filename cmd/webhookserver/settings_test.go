package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestReadSettingsWaitsForTheWantedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "settings.json")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	sum := sha256.Sum256([]byte("new"))
	wanted := hex.EncodeToString(sum[:])

	write("old")
	ctx, stop := context.WithCancel(t.Context())
	logged := make(chan struct{}, 1)
	log := slog.New(notify{slog.DiscardHandler, logged})
	type result struct {
		data []byte
		hash string
		err  error
	}
	done := make(chan result, 1)
	go func() {
		data, hash, err := readSettings(ctx, path, wanted, log)
		done <- result{data, hash, err}
	}()
	<-logged // it has seen the old file
	select {
	case r := <-done:
		t.Fatalf("returned %q, %v with the file of before", r.data, r.err)
	default:
	}
	write("new")
	if r := <-done; r.err != nil || string(r.data) != "new" || r.hash != wanted {
		t.Errorf("got %q, %s, %v", r.data, r.hash, r.err)
	}

	stop()
	write("old")
	if _, _, err := readSettings(ctx, path, wanted, log); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v after the end, want %v", err, context.Canceled)
	}
}

func TestReadSettingsWithoutAWantedHash(t *testing.T) {
	path := filepath.Join(t.TempDir(), "settings.json")
	if _, _, err := readSettings(t.Context(), path, "", slog.New(slog.DiscardHandler)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v, a missing file should be named at once", err)
	}
}

// notify tells of each record.
type notify struct {
	slog.Handler
	records chan<- struct{}
}

func (n notify) Enabled(context.Context, slog.Level) bool { return true }

func (n notify) Handle(context.Context, slog.Record) error {
	select {
	case n.records <- struct{}{}:
	default:
	}
	return nil
}

// C49: whatever a Service is called, the address of the Kubernetes API is known and refused.
func TestAPIServer(t *testing.T) {
	for _, c := range []struct {
		reason, host string
		want         []netip.Prefix
	}{
		{"in a cluster", "10.96.0.1", []netip.Prefix{netip.MustParsePrefix("10.96.0.1/32")}},
		{"in one of IPv6", "fd00:10:96::1", []netip.Prefix{netip.MustParsePrefix("fd00:10:96::1/128")}},
		{"on a machine", "", nil},
		{"a name has its own rule", "kubernetes.default.svc", nil},
	} {
		getenv := func(name string) string {
			if name != "KUBERNETES_SERVICE_HOST" {
				t.Errorf("asked for %s", name)
			}
			return c.host
		}
		if got := apiServer(getenv); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.reason, got, c.want)
		}
	}
}
