package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func file(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRunRefuses(t *testing.T) {
	bad := file(t, `{"audienze":"hr"}`)
	for _, tc := range []struct {
		reason string
		args   []string
		says   string
	}{
		{"there is nothing to do without a configuration", nil, "--config"},
		{"a word that is no flag is a mistake", []string{"--config", bad, "now"}, "no argument"},
		{"a file that is not there", []string{"--config", bad + "x"}, "no such file"},
		{"a configuration that cannot work", []string{"--config", bad}, "unknown field"},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			err := run(t.Context(), tc.args, io.Discard)
			if err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("got %v, want an error that says %q", err, tc.says)
			}
		})
	}
}

func TestRunServesUntilTold(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	said, out := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, []string{"--listen", "127.0.0.1:0", "--config", file(t, `{"audience":"hr","days":{}}`)}, out)
	}()
	if _, err := said.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.Copy(io.Discard, said) }()
	stop()
	if err := <-ended; err != nil {
		t.Errorf("ended with %v", err)
	}
}
