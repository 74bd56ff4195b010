package botapi

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"testing"
	"unicode/utf8"
)

// A refusal of what a caller wrote is his mistake, told in a sentence of ours. C43
func wantRefusal(t *testing.T, err error) {
	t.Helper()
	p, ok := errors.AsType[*Problem](err)
	if !ok || p.Code != http.StatusBadRequest && p.Code != http.StatusUnsupportedMediaType || p.Cause != InvalidRequest || !sentences[p.Detail] {
		t.Fatalf("refused with %+v", err)
	}
}

// sentences are all that readers say.
var sentences = map[string]bool{
	"The body must be application/json.":                                                   true,
	"The body must be one JSON object with kind and, if wanted, title, imageURL and send.": true,
	"kind must be login or logout.":                                                        true,
	"imageURL must be an https URL of at most 1000 characters.":                            true,
	"The body must be application/x-www-form-urlencoded.":                                  true,
	"The body is not a form.":                                                              true,
	"The form must have token and user_id, once each.":                                     true,
}

// FuzzReadPrompt: what is taken is a prompt that can be made, and reads the same when it is written again. C43
func FuzzReadPrompt(f *testing.F) {
	for _, body := range []string{
		`{"kind":"login"}`, `{"kind":"logout","title":"Vision RH","imageURL":"https://vision.example/hr.jpeg","send":true}`,
		`{"kind":"login"}{}`, `{"KIND":"login"}`, `{"kind":"login","kind":"logout"}`, "{\"kind\":\"login\",\"title\":\"\xff\"}", `[]`, `null`,
	} {
		f.Add("application/json", []byte(body))
	}
	f.Add("application/json; charset=utf-8", []byte(`{"kind":"login"}`))
	f.Add("text/plain", []byte(`{"kind":"login"}`))
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		asked, err := readPrompt(contentType, body)
		if err != nil {
			wantRefusal(t, err)
			return
		}
		if asked.Kind != Login && asked.Kind != Logout || asked.ImageURL != "" && !isPicture(asked.ImageURL) || !utf8.ValidString(asked.Title) {
			t.Fatalf("%q is taken as %+v", body, asked)
		}
		written, err := json.Marshal(asked)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := readPrompt("application/json", written); err != nil || again != asked {
			t.Fatalf("%s is read as %+v, %v", written, again, err)
		}
	})
}

// FuzzPair: what is taken is one code and one user, as the form has them. C43
func FuzzPair(f *testing.F) {
	const form = "application/x-www-form-urlencoded"
	for _, body := range []string{
		"token=a&user_id=b", "token=a&user_id=b&token_type_hint=c", "token=a&token=b&user_id=c", "token=%zz", "token=a;user_id=b", "user_id=%00&token=+",
	} {
		f.Add(form, []byte(body))
	}
	f.Add("application/json", []byte(`{"token":"a"}`))
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		code, userID, err := pair(contentType, body)
		if err != nil {
			wantRefusal(t, err)
			return
		}
		values, err := url.ParseQuery(string(body))
		if err != nil || len(values["token"]) != 1 || len(values["user_id"]) != 1 || values.Get("token") != code || values.Get("user_id") != userID ||
			code == "" || userID == "" || len(code) > maxPair || len(userID) > maxPair {
			t.Fatalf("%q is taken as %q, %q", body, code, userID)
		}
	})
}

// FuzzChallenge: only one header, of the scheme Bearer, with a known token, opens; a refusal repeats nothing of it.
func FuzzChallenge(f *testing.F) {
	for _, header := range []string{"Bearer good", "bearer good", "Bearer  good", "Bearer good ", "Basic good", "good", "Bearer", ""} {
		f.Add(header)
	}
	known := func(token string) bool { return token == "good" }
	f.Fuzz(func(t *testing.T, header string) {
		got := challengeFor(botRealm, []string{header}, known)
		opens := len(header) == len("Bearer good") && header[6:] == " good" && known(header[7:]) && equalFold(header[:6], "bearer")
		want := `Bearer realm="bot api", error="invalid_token"`
		if opens {
			want = ""
		}
		if got != want {
			t.Fatalf("%q: %q", header, got)
		}
		if challengeFor(botRealm, []string{header, "Bearer good"}, known) == "" {
			t.Fatalf("%q with another header opens", header)
		}
	})
}

// equalFold compares ASCII letters without their case.
func equalFold(a, b string) bool {
	for i := range len(b) {
		if a[i]|0x20 != b[i] {
			return false
		}
	}
	return len(a) == len(b)
}
