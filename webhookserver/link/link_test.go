package link

import (
	"go/parser"
	"go/token"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// C28: codes are 256 random bits in base64url: of the length that LINE takes, of its alphabet, and never the same.
func TestNewCode(t *testing.T) {
	const samples = 1_000_000
	seen := make(map[[12]byte]struct{}, samples) // 72 bits of each: a repetition by chance is one in 10^9
	for range samples {
		code := NewCode()
		if len(code) != 43 || strings.Trim(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			t.Fatalf("%q is not 43 characters of base64url", code)
		}
		seen[[12]byte([]byte(code))] = struct{}{}
	}
	if len(seen) != samples {
		t.Errorf("%d of %d codes are repetitions", samples-len(seen), samples)
	}
}

// C28: nothing here is made by a generator that can be predicted.
func TestNoPredictableRandomness(t *testing.T) {
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, entry := range entries {
		if !strings.HasSuffix(entry.Name(), ".go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), entry.Name(), nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		checked++
		for _, spec := range file.Imports {
			if path, _ := strconv.Unquote(spec.Path.Value); strings.HasPrefix(path, "math/rand") {
				t.Errorf("%s imports %s", entry.Name(), path)
			}
		}
	}
	if checked < 5 {
		t.Errorf("only %d files checked", checked)
	}
}

func TestInWindow(t *testing.T) {
	consent := time.Date(2026, 1, 31, 9, 30, 0, 0, time.UTC)
	l := Link{ConsentAt: consent, ExpiresAt: consent.Add(MessengerTokenLife)}
	for _, tc := range []struct {
		reason string
		at     time.Duration
		want   bool
	}{
		{"the platform's clock may be a minute behind", -EventSkew, true},
		{"and no more", -EventSkew - 1, false},
		{"at consent", 0, true},
		{"at the end", MessengerTokenLife, true},
		{"a minute ahead", MessengerTokenLife + EventSkew, true},
		{"too late", MessengerTokenLife + EventSkew + 1, false},
	} {
		if got := l.InWindow(consent.Add(tc.at)); got != tc.want {
			t.Errorf("%s: InWindow(%v) = %t", tc.reason, tc.at, got)
		}
	}
}
