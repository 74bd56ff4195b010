package signature

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"hash"
	"net/http"
	"slices"
	"testing"
	"time"

	"channellink.dev/operator/webhookserver/secretfile"
)

// What a comparison costs is measured in pairs, so that what the machine does meanwhile falls on both alike.
const (
	timingPairs = 3000 // each of timingBatch comparisons of either kind: a hundred thousand in all
	timingBatch = 16
	// timingBound is the difference that a remote attacker has no hope to see under the noise of a network, with thousands
	// of samples; one that stops at the first byte is found by it, as the test shows.
	timingBound = 8 * slowdown * time.Nanosecond
)

// C35: every secret is tried, wherever the good one stands, and also when none is.
func TestEverySecretIsTried(t *testing.T) {
	const body = "{}"
	keys := []string{"newest", "former", "oldest"}
	secrets := make([]secretfile.Secret, len(keys))
	for i, key := range keys {
		secrets[i] = secretfile.NewSecret(key)
	}
	for _, signer := range append(keys, "nobody's") {
		h := hmac.New(sha256.New, []byte(signer))
		h.Write([]byte(body))
		made := 0
		_, _ = verify(func() hash.Hash { made++; return sha256.New() }, h.Sum(nil), secrets, []byte(body)) // the count matters
		one := 0
		hmac.New(func() hash.Hash { one++; return sha256.New() }, nil)
		if made != one*len(secrets) {
			t.Errorf("signed with the %s key: %d MACs were made, want one for each of %d secrets", signer, made/one, len(secrets))
		}
	}
}

// C35: how long a forgery takes tells nothing of how much of it was right.
func TestTimingTellsNothing(t *testing.T) {
	const body, key = "{}", "c1b2d3"
	secrets := []secretfile.Secret{secretfile.NewSecret(key)}
	h := hmac.New(sha256.New, []byte(key))
	h.Write([]byte(body))
	right := h.Sum(nil)
	wrongAt := func(i int) []byte {
		mac := slices.Clone(right)
		mac[i] ^= 1
		return mac
	}
	first, last := wrongAt(0), wrongAt(len(right)-1)

	line := func(mac []byte) func() {
		header := http.Header{headerLINE: {base64.StdEncoding.EncodeToString(mac)}}
		return func() {
			if _, err := LINE(header, secrets, []byte(body)); err == nil {
				t.Fatal("a forgery is taken")
			}
		}
	}
	d := difference(line(first), line(last))
	for attempt := 1; d > timingBound && attempt < 3; attempt++ {
		d = difference(line(first), line(last)) // a neighbour can spoil a measurement; what is in the code stays
	}
	if d > timingBound {
		t.Errorf("a forgery whose last byte is wrong takes %v longer or shorter than one whose first is", d)
	}

	naive := func(mac []byte) func() {
		return func() {
			for i := range right {
				if !sameByte(right, mac, i) {
					return
				}
			}
		}
	}
	if d := difference(naive(first), naive(last)); d <= timingBound {
		t.Errorf("the measurement does not find a comparison that stops at the first difference: %v", d)
	}
}

//go:noinline
func sameByte(a, b []byte, i int) bool { return a[i] == b[i] }

// difference is the median of the differences between two calls, either way.
func difference(a, b func()) time.Duration {
	timed := func(call func()) time.Duration {
		began := time.Now()
		for range timingBatch {
			call()
		}
		return time.Since(began)
	}
	differences := make([]time.Duration, timingPairs)
	for i := range differences {
		if i%2 == 0 {
			took := timed(a)
			differences[i] = timed(b) - took
		} else {
			took := timed(b)
			differences[i] = took - timed(a)
		}
	}
	slices.Sort(differences)
	return (differences[len(differences)/2] / timingBatch).Abs()
}
