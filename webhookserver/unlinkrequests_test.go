package webhookserver_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"channellink.dev/operator/webhookserver/adminapi"
)

// putUnlink sends a signed body as it is.
func (w *world) putUnlink(t *testing.T, path, body string) answer {
	t.Helper()
	token, err := w.Signer.Sign(time.Now(), adminapi.Request{Audience: visionUID, Method: http.MethodPut, Path: path, Body: []byte(body)})
	if err != nil {
		t.Fatal(err)
	}
	return do(t, http.MethodPut, w.Admin+path, func(r *http.Request) {
		r.Header.Set("Authorization", "Bearer "+token)
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	})
}

// What is not understood to the letter revokes nobody: not even an operator's word is guessed at.
func TestUnlinkRefusesRequests(t *testing.T) {
	w, kept := unlinkWorld(t, "LINE", oaID)
	kept.linkedAs(t, lineUser, leaver, aMinuteAgo())
	user := `{"userID":"` + lineUser + `","linkedBefore":"2126-01-31T00:00:00Z"`
	for _, c := range []struct {
		reason, id, body string
		code             int
	}{
		{"nobody", unlinkID, `{"linkedBefore":"2126-01-31T00:00:00Z"}`, 400},
		{"a user and a person", unlinkID, user + `,"subject":"00u1a2b3c4"}`, 400},
		{"a user and everybody", unlinkID, user + `,"all":true}`, 400},
		{"a field of a later release", unlinkID, user + `,"unless":"friday"}`, 400},
		{"two requests", unlinkID, user + `}{}`, 400},
		{"cut off", unlinkID, user, 400},
		{"nothing", unlinkID, ``, 400},
		{"another type", unlinkID, `{"userID":["` + lineUser + `"]}`, 400},
		{"too many actions", unlinkID, user + `,"actions":[` + strings.Repeat(`{"type":"addTag"},`, 32) + `{"type":"addTag"}]}`, 400},
		{"an id that is none", "a.b", user + `}`, 400},
		{"a long id", strings.Repeat("a", 129), user + `}`, 400},
		{"no id", "", user + `}`, 404},
		{"a large body", unlinkID, user + strings.Repeat(" ", 1<<20) + `}`, 413},
	} {
		if a := w.putUnlink(t, adminapi.UnlinksPath+c.id, c.body); a.Code != c.code {
			t.Errorf("%s: %d %s, want %d", c.reason, a.Code, a.Body, c.code)
		}
	}
	if !kept.active(t, lineUser) {
		t.Fatal("the user was unlinked")
	}
	if a := w.putUnlink(t, adminapi.UnlinksPath+unlinkID, user+`}`); a.Code != http.StatusOK || kept.active(t, lineUser) {
		t.Errorf("what is in order: %d %s", a.Code, a.Body)
	}
	if a := do(t, http.MethodPut, w.Admin+adminapi.UnlinksPath+unlinkID, nil); a.Code != http.StatusUnauthorized {
		t.Errorf("without the operator's token: %d", a.Code) // C90
	}
}
