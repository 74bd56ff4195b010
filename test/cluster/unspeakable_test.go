//go:build cluster

package cluster

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"channellink.dev/operator/internal/chatsim"
)

// minSecret is the length from which on a value cannot stand in a text by chance.
const minSecret = 8

// unspeakable is what nobody may be told: each value, and what it is.
type unspeakable map[string]string

func (u unspeakable) add(value, what string) {
	if len(value) >= minSecret {
		u[value] = what
	}
}

// addSecrets adds what the namespace's Secrets hold, each line of a list of tokens by itself too.
func (u unspeakable) addSecrets(ctx context.Context, namespace string) error {
	secrets := &corev1.SecretList{}
	if err := cluster.List(ctx, secrets, client.InNamespace(namespace)); err != nil {
		return err
	}
	for _, secret := range secrets.Items {
		for key, data := range secret.Data {
			if key == corev1.TLSCertKey || key == "issuer" {
				continue // for all to see: a certificate, and whom a client secret is for
			}
			what := fmt.Sprintf("a value of Secret %s/%s, key %s", namespace, secret.Name, key)
			value := strings.TrimSpace(string(data))
			u.add(value, what)
			if !json.Valid(data) {
				for line := range strings.Lines(value) {
					u.add(strings.TrimSpace(line), what)
				}
			}
		}
	}
	return nil
}

// addUsers adds the simulator's chat users in the demo's channels, in that one, and in all that its record knows of.
func (u unspeakable) addUsers(t *testing.T, channel string) error {
	t.Helper()
	var record []chatsim.Request
	if err := tryControl(t, http.MethodGet, "requests", nil, &record); err != nil {
		return err
	}
	channels := map[string]bool{channel: true}
	for name := range hosts {
		channels[name] = true
	}
	for _, r := range record {
		u.add(r.User, "the id of a chat user")
		channels[r.Channel] = true
	}
	for name := range channels {
		var users []chatsim.UserState
		if err := tryControl(t, http.MethodGet, "channels/"+url.PathEscape(name)+"/users", nil, &users); err != nil {
			continue // there is no chat of this name
		}
		for _, user := range users {
			u.add(user.ID, "the id of a chat user")
			u.add(user.Code, "the code of a link")
			u.add(user.ExtID, "the code of a link")
		}
	}
	return nil
}

// wire keeps what goes over the wire of people's logins and must not be told.
var wire = struct {
	sync.Mutex
	seen unspeakable
}{seen: unspeakable{}}

// onWire are the parameters of a login that prove something, and what they are.
var onWire = map[string]string{
	"code": "the issuer's code", "state": "a state", "nonce": "a nonce", "token": "a form's token", "carry": "what BotBonnie carries",
	"linkToken": "a token of LINE", "account_linking_token": "a token of Messenger", "authorization_code": "the code of a link",
	"userId": "the id of a chat user",
}

// overheard notes the parameters of a request or of a redirect.
func overheard(values url.Values) {
	wire.Lock()
	defer wire.Unlock()
	for name, what := range onWire {
		for _, value := range values[name] {
			wire.seen.add(value, what)
		}
	}
}

// overheardCookies notes the cookies that a browser was given.
func overheardCookies(cookies []*http.Cookie) {
	wire.Lock()
	defer wire.Unlock()
	for _, cookie := range cookies {
		wire.seen.add(cookie.Value, "a cookie")
	}
}

// addWire adds what this test run has overheard.
func (u unspeakable) addWire() {
	wire.Lock()
	defer wire.Unlock()
	maps.Copy(u, wire.seen)
}

// token is what every ID token, and every signed access token, begins with.
var token = regexp.MustCompile(`eyJ[\w-]{8,}\.eyJ[\w-]{8,}`)

// leaks says which of the texts tell something unspeakable, and what that is. The thing itself is not said again.
func (u unspeakable) leaks(texts []told) []string {
	found := map[string]bool{}
	for value, what := range u {
		for _, form := range forms(value) {
			for _, text := range texts {
				if strings.Contains(text.text, form) {
					found[text.where+" tells "+what] = true
				}
			}
		}
	}
	for _, text := range texts {
		if token.MatchString(text.text) {
			found[text.where+" tells a signed token"] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// forms are the ways to write a value: as it is, in JSON, in a URL, in base64 and in hex. Base64 goes without its padding, with
// which it would not be found where something follows.
func forms(value string) []string {
	inJSON, err := json.Marshal(value)
	if err != nil {
		panic(err) // a string
	}
	all := []string{
		value, strings.Trim(string(inJSON), `"`), url.QueryEscape(value), url.PathEscape(value),
		base64.RawStdEncoding.EncodeToString([]byte(value)), base64.RawURLEncoding.EncodeToString([]byte(value)),
		hex.EncodeToString([]byte(value)), strings.ToUpper(hex.EncodeToString([]byte(value))),
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// What the search for leaks finds, and what it leaves alone.
func TestLeaksAreFound(t *testing.T) {
	const secret = `pa/ss?wörd&"1`
	for _, tt := range []struct {
		name, text string
		want       []string
	}{
		{"plain", `said pa/ss?wörd&"1 aloud`, []string{"the log tells a password"}},
		{"JSON", `{"error":"pa/ss?wörd\u0026\"1"}`, []string{"the log tells a password"}},
		{"query", "?p=pa%2Fss%3Fw%C3%B6rd%26%221&x=1", []string{"the log tells a password"}},
		{"base64", "cGEvc3M/d8O2cmQmIjE=", []string{"the log tells a password"}},
		{"base64 for URLs", "cGEvc3M_d8O2cmQmIjE", []string{"the log tells a password"}},
		{"hex", "70612f73733f77c3b67264262231", []string{"the log tells a password"}},
		{"upper hex", "70612F73733F77C3B67264262231", []string{"the log tells a password"}},
		{"token", "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiIxMjM0In0.", []string{"the log tells a signed token"}},
		{"masked", `pa/s…d&"1`, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			u := unspeakable{}
			u.add(secret, "a password")
			u.add("short", "what stands in texts by chance")
			if diff := cmp.Diff(tt.want, u.leaks([]told{{"the log", tt.text + " short"}, {"an event", "nothing"}})); diff != "" {
				t.Error(diff)
			}
		})
	}
}
