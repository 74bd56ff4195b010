// Package programtest tries what every program of package program does.
package programtest

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"channellink.dev/operator/internal/program"
)

// Refuses tries that run ends with an error that says what is wrong: without a file, with an argument, with a file that is not
// there, and with bad, a configuration that cannot work, for which the error contains says.
func Refuses(t *testing.T, run program.Run, bad, says string) {
	t.Helper()
	path := file(t, bad)
	for _, tc := range []struct {
		reason string
		args   []string
		says   string
	}{
		{"there is nothing to do without a configuration", nil, "--config"},
		{"a word that is no flag is a mistake", []string{"--config", path, "now"}, "no argument"},
		{"a file that is not there", []string{"--config", path + "x"}, "no such file"},
		{"a configuration that cannot work", []string{"--config", path}, says},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			err := run(t.Context(), tc.args, io.Discard)
			if err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("got %v, want an error that says %q", err, tc.says)
			}
		})
	}
}

// Serves tries that run serves with a configuration until it is told to end, and ends well.
func Serves(t *testing.T, run program.Run, config string) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	said, out := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, []string{"--listen", "127.0.0.1:0", "--config", file(t, config)}, out)
		_ = out.CloseWithError(err)
		ended <- err
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

func file(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
