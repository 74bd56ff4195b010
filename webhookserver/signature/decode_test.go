package signature_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"channellink.dev/operator/webhookserver/signature"
)

func signHub(t testing.TB, secret, body string) string {
	t.Helper()
	h := hmac.New(sha256.New, []byte(secret))
	h.Write([]byte(body))
	return "sha256=" + hex.EncodeToString(h.Sum(nil))
}

func verified(t testing.TB, body string) signature.Verified {
	t.Helper()
	v, err := messenger(headers("X-Hub-Signature-256", signHub(t, "secret", body)), secrets("secret"), []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// manyKeys is an object with n keys and one more.
func manyKeys(n int, last string) string {
	var b strings.Builder
	b.WriteString("{")
	for i := range n {
		fmt.Fprintf(&b, `"k%d":%d,`, i, i)
	}
	return b.String() + `"` + last + `":0}`
}

// C43
func TestDecode(t *testing.T) {
	for _, c := range []struct {
		reason, body string
		want         error
	}{
		{"an object", `{"a":1,"b":{"a":[{"a":1},{"a":2}]}}`, nil},
		{"the same key in objects side by side and inside", `{"a":{"a":1},"b":[{"a":1}]}`, nil},
		{"a number beyond every type", `{"n":1e999999,"m":` + strings.Repeat("9", 4000) + `}`, nil},
		{"nothing", ``, signature.ErrNotJSON},
		{"only space", " \n", signature.ErrNotJSON},
		{"a key twice", `{"a":1,"a":2}`, signature.ErrDuplicateKey},
		{"a key twice, once escaped", `{"a":1,"\u0061":2}`, signature.ErrDuplicateKey},
		{"a key twice among many", manyKeys(100, "k7"), signature.ErrDuplicateKey},
		{"many keys", manyKeys(100, "k100"), nil},
		{"a key that ends in an escaped quote", `{"a\"":1,"a\\":2,"a":3}`, nil},
		{"a text that looks like keys", `{"a":"{\"a\":1,\"a\":2}","b":["a","a",":","a"]}`, nil},
		{"a text without an end", `{"a":"b`, signature.ErrNotJSON},
		{"a text that ends in a backslash", `{"a":"b\`, signature.ErrNotJSON},
		{"a key twice, far inside", `{"x":[[{"y":{"a":1,"b":2,"a":3}}]]}`, signature.ErrDuplicateKey},
		{"a second value", `{} {}`, signature.ErrNotJSON},
		{"cut off", `{"a":`, signature.ErrNotJSON},
		{"a byte order mark", "\xef\xbb\xbf{}", signature.ErrNotJSON},
		{"not UTF-8", "{\"a\":\"\xff\"}", signature.ErrNotJSON},
		{"closed by the wrong bracket", `{"a":1]`, signature.ErrNotJSON},
		{"closed before it was opened", `]`, signature.ErrNotJSON},
		{"depth within the bound", strings.Repeat("[", 64) + strings.Repeat("]", 64), signature.ErrNotJSON}, // an array is no object
		{"depth beyond it", strings.Repeat("[", 65) + strings.Repeat("]", 65), signature.ErrTooComplex},
		{"depth 100,000", strings.Repeat(`{"a":`, 100_000), signature.ErrTooComplex},
		{"100,000 values", "[" + strings.Repeat("0,", 100_000) + "0]", signature.ErrTooComplex},
	} {
		var into map[string]json.RawMessage
		if err := verified(t, c.body).Decode(&into); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.reason, err, c.want)
		}
	}
	var nothing map[string]json.RawMessage
	if err := (signature.Verified{}).Decode(&nothing); !errors.Is(err, signature.ErrNotJSON) {
		t.Errorf("a Verified that this package did not make: %v", err)
	}
}

// FuzzDecode holds Decode against encoding/json, which takes everything that Decode takes and reads the same in it. C43
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"a":[1,{"b":null}],"c":"\ud83d\ude00"}`))
	f.Add([]byte(`{"a":1,"a":2}`))
	f.Add([]byte(`[[[[`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var got, want map[string]json.RawMessage
		if err := verified(t, string(body)).Decode(&got); err != nil {
			return
		}
		if err := json.Unmarshal(body, &want); err != nil {
			t.Fatalf("taken, and not JSON: %v", err)
		}
		a, _ := json.Marshal(got)
		b, _ := json.Marshal(want)
		if !bytes.Equal(a, b) {
			t.Fatalf("read as %s, encoding/json reads %s", a, b)
		}
	})
}

// FuzzKeys: what Decode takes has no key twice in one object, as encoding/json's own reader finds them. C43
func FuzzKeys(f *testing.F) {
	f.Add([]byte(`{"a":[1,{"b":null,"c":{}}],"c":"\ud83d\ude00","\u0062":[[]]}`))
	f.Add([]byte(`{"a":1,"\u0061":2}`))
	f.Add([]byte(`{"a":{"b":1,"c":[{"d":"e","d":1}]}}`))
	f.Add([]byte(manyKeys(40, "k3")))
	f.Fuzz(func(t *testing.T, body []byte) {
		var into map[string]json.RawMessage
		if err := verified(t, string(body)).Decode(&into); err != nil {
			return
		}
		var seen []map[string]bool // by depth; nil for arrays
		var wantKey []bool
		decoder := json.NewDecoder(bytes.NewReader(body))
		decoder.UseNumber()
		for {
			token, err := decoder.Token()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				t.Fatalf("taken, and not JSON: %v", err)
			}
			delim, isDelim := token.(json.Delim)
			if isDelim && (delim == ']' || delim == '}') {
				seen, wantKey = seen[:len(seen)-1], wantKey[:len(wantKey)-1]
				continue
			}
			if n := len(seen) - 1; n >= 0 && seen[n] != nil {
				if wantKey[n] {
					if key := token.(string); seen[n][key] {
						t.Fatalf("taken with %q twice", key)
					} else {
						seen[n][key] = true
					}
				}
				wantKey[n] = !wantKey[n]
			}
			if isDelim {
				seen, wantKey = append(seen, nil), append(wantKey, true)
				if delim == '{' {
					seen[len(seen)-1] = map[string]bool{}
				}
			}
		}
	})
}

// FuzzVerify: no header verifies a body with a secret that its sender does not have. C34
func FuzzVerify(f *testing.F) {
	for _, v := range vectors {
		f.Add(v.value, []byte(v.body))
	}
	f.Fuzz(func(t *testing.T, value string, body []byte) {
		for name, verify := range map[string]verifier{"X-Line-Signature": signature.LINE, "X-Hub-Signature": signature.BotBonnie, "X-Hub-Signature-256": messenger} {
			if _, err := verify(headers(name, value), secrets("a secret that no input knows"), body); err == nil {
				t.Errorf("%s: %q verified", name, value)
			}
		}
	})
}
