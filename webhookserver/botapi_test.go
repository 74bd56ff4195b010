package webhookserver_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"channellink.dev/operator/webhookserver/config"
	"channellink.dev/operator/webhookserver/line/linetest"
)

const stranger = "U0000000000000000000000000000000f"

// C35: the bot's token, and it alone, opens the API; every listed value does.
func TestBotAPIToken(t *testing.T) {
	w := newWorld(t, withBotAPI)
	w.untilReady(t)
	const bare, invalid = `Bearer realm="bot api"`, `Bearer realm="bot api", error="invalid_token"`
	for _, c := range []struct {
		reason    string
		change    func(*http.Request)
		want      int
		challenge string
	}{
		{"the token", func(*http.Request) {}, 200, ""},
		{"its value of before", header("Authorization", "Bearer "+botToken+"-before"), 200, ""},
		{"the scheme in another case (RFC 9110 section 11.1)", header("Authorization", "bEARER "+botToken), 200, ""},
		{"none: no error is told (RFC 6750 section 3.1)", header("Authorization", ""), 401, bare},
		{"another scheme", header("Authorization", "Basic Ym90OmJvdA=="), 401, invalid},
		{"an empty token", header("Authorization", "Bearer "), 401, invalid},
		{"the scheme alone", header("Authorization", "Bearer"), 401, invalid},
		{"a wrong one", header("Authorization", "Bearer "+botToken+"x"), 401, invalid},
		{"the beginning of one", header("Authorization", "Bearer "+botToken[:len(botToken)-1]), 401, invalid},
		{"both values as they stand in the file", header("Authorization", "Bearer "+botToken+" "+botToken+"-before"), 401, invalid},
		{"the token of introspection", header("Authorization", "Bearer "+introspectionToken), 401, invalid},
		{"two headers, one of them good", func(r *http.Request) { r.Header.Add("Authorization", "Bearer x") }, 401, invalid},
		{"in the query, where logs would keep it", func(r *http.Request) {
			r.Header.Del("Authorization")
			r.URL.RawQuery = "access_token=" + botToken
		}, 401, bare},
	} {
		a := w.asBot(t, http.MethodGet, "/hr/api/v1/users/"+lineUser, "", c.change)
		if a.Code != c.want || a.Header.Get("WWW-Authenticate") != c.challenge {
			t.Errorf("%s: %d %q, want %d %q", c.reason, a.Code, a.Header.Get("WWW-Authenticate"), c.want, c.challenge)
		}
		if a.Code == 401 && a.Body != `{"error":"Unauthorized"}`+"\n" {
			t.Errorf("%s: %s", c.reason, a.Body)
		}
	}
	// Nothing is told to whom nobody knows, not even which routes there are.
	for _, path := range []string{"/hr/api/v1/users/" + lineUser + "/prompts", "/hr/api/v2", "/hr/api/"} {
		if a := w.asBot(t, http.MethodPost, path, strings.Repeat("x", 16<<10), header("Authorization", "")); a.Code != 401 {
			t.Errorf("%s: %d", path, a.Code)
		}
	}
	if a := w.introspect(t, "token=x&user_id=y", header("Authorization", "Bearer "+botToken)); a.Code != 401 ||
		a.Header.Get("WWW-Authenticate") != `Bearer realm="introspection", error="invalid_token"` {
		t.Errorf("introspection with the bot's token: %d %q", a.Code, a.Header.Get("WWW-Authenticate"))
	}
}

// C47: a new token counts without a restart, and the former one until it leaves the file.
func TestBotAPITokenRotation(t *testing.T) {
	w := newWorld(t, withBotAPI)
	w.untilReady(t)
	ask := func(token string) int {
		return w.asBot(t, http.MethodGet, "/hr/api/v1/users/"+lineUser, "", header("Authorization", "Bearer "+token)).Code
	}
	w.mount(t, map[string]string{fieldBotToken: "newer\n" + botToken + "\n"})
	eventually(t, func() error { return differs(ask("newer"), 200) })
	if got := ask(botToken); got != 200 {
		t.Errorf("the former token beside the new one: %d", got)
	}
	w.mount(t, map[string]string{fieldBotToken: "newer\n"})
	eventually(t, func() error { return differs(ask(botToken), 401) })
	if got := ask("newer"); got != 200 {
		t.Errorf("the new token alone: %d", got)
	}
}

// Each part is there when its token is, and else it is not.
func TestBotAPIOff(t *testing.T) {
	for _, c := range []struct {
		reason         string
		off            func(*config.API)
		bot, introspec int
	}{
		{"both on", func(*config.API) {}, 200, 200},
		{"look-ups alone", func(a *config.API) { a.IntrospectionToken = nil }, 200, 404},
		{"introspection alone", func(a *config.API) { a.Token = nil }, 404, 200},
		{"both off", func(a *config.API) { *a = config.API{} }, 404, 404},
	} {
		w := newWorld(t, withBotAPI, func(_ *world, s *config.Settings) { c.off(&s.Channels[0].API) })
		w.untilReady(t)
		if a := w.asBot(t, http.MethodGet, "/hr/api/v1/users/"+lineUser, ""); a.Code != c.bot {
			t.Errorf("%s: look-up %d, want %d", c.reason, a.Code, c.bot)
		}
		if a := w.introspect(t, "token="+aliceCode+"&user_id="+lineUser); a.Code != c.introspec {
			t.Errorf("%s: introspection %d, want %d", c.reason, a.Code, c.introspec)
		}
	}
}

// Who is linked is told with everything, and who is not with one word.
func TestBotLookup(t *testing.T) {
	var dir string
	w := newWorld(t, withBotAPI, keepStore(&dir), func(_ *world, s *config.Settings) {
		age := config.Duration(time.Hour)
		s.Channels[0].Linking.MaxAge = &age
	})
	w.untilReady(t)
	kept := openLinks(t, dir, "LINE", oaID)
	now := time.Now().UTC().Truncate(time.Millisecond)
	const aged, waiting = "U000000000000000000000000000000a1", "U000000000000000000000000000000a2"
	kept.link(t, w, lineUser, aliceCode, now)
	kept.link(t, w, aged, strings.Repeat("b", 43), now.Add(-61*time.Minute))
	kept.pending(t, waiting, strings.Repeat("c", 43), now, 10*time.Minute)

	no := map[string]any{"linked": false}
	for _, c := range []struct {
		reason, path string
		code         int
		want         map[string]any
	}{
		{"linked", lineUser, 200, map[string]any{
			"linked": true, "issuer": "https://sso.vision.example", "subject": "00u1", "account": "j.dupont",
			"linkedAt": now.Format("2006-01-02T15:04:05.999Z07:00"), "confirmed": true,
		}},
		{"nobody knows him: no error, so that a bot needs no case for him", stranger, 200, no},
		{"a login that the platform has not confirmed", waiting, 200, no},
		{"older than linking.maxAge", aged, 200, no},
		{"a PSID on LINE", psid, 400, nil},
		{"a group's id", "C" + lineUser[1:], 400, nil},
		{"in capitals", "U" + strings.ToUpper(lineUser[1:]), 400, nil},
		{"one digit too few", lineUser[:32], 400, nil},
		{"with something behind it", lineUser + "%00", 400, nil},
		{"very long", "U" + strings.Repeat("0", 4000), 400, nil},
	} {
		a := w.asBot(t, http.MethodGet, "/hr/api/v1/users/"+c.path, "")
		if a.Code != c.code {
			t.Errorf("%s: %d %s, want %d", c.reason, a.Code, a.Body, c.code)
			continue
		}
		if c.want == nil {
			if got := a.problem(t); got != "InvalidUserID" {
				t.Errorf("%s: %s", c.reason, got)
			}
			continue
		}
		if diff := cmp.Diff(c.want, a.decoded(t)); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", c.reason, diff)
		}
	}
	if a := w.asBot(t, http.MethodGet, "/hr/api/v1/users/"+lineUser, ""); a.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("the answer may be cached: %v", a.Header)
	}
	for _, c := range []struct{ method, path string }{
		{http.MethodPut, "/hr/api/v1/users/" + lineUser}, {http.MethodGet, "/hr/api/v1/users"},
		{http.MethodGet, "/hr/api/v1/users/" + lineUser + "/link"}, {http.MethodGet, "/hr/api/v2/users/" + lineUser},
	} {
		if a := w.asBot(t, c.method, c.path, ""); a.Code != 404 || a.problem(t) != "NoSuchRoute" {
			t.Errorf("%s %s: %d %s", c.method, c.path, a.Code, a.Body)
		}
	}
	if a := w.asBot(t, http.MethodGet, "/hr/api/v1/users/"+lineUser[:16]+"%2F"+lineUser[16:], ""); a.Code != 404 {
		t.Errorf("an encoded slash: %d %s", a.Code, a.Body)
	}
}

// On Messenger a user id is digits.
func TestBotLookupOnMessenger(t *testing.T) {
	var dir string
	w := newWorld(t, onFacebook, withBotAPI, keepStore(&dir))
	w.untilReady(t)
	openLinks(t, dir, "Facebook", pageID).link(t, w, psid, aliceCode, time.Now())
	for path, want := range map[string]int{psid: 200, lineUser: 400, "7051340731987654x": 400, "-1": 400, strings.Repeat("1", 21): 400} {
		if a := w.asBot(t, http.MethodGet, "/hr/api/v1/users/"+path, ""); a.Code != want {
			t.Errorf("%s: %d, want %d", path, a.Code, want)
		}
	}
	if a := w.asBot(t, http.MethodGet, "/hr/api/v1/users/"+psid, ""); a.decoded(t)["linked"] != true {
		t.Errorf("linked: %s", a.Body)
	}
}

// While the store is away, callers are told when to come again.
func TestBotAPIStoreDown(t *testing.T) {
	line := linetest.New(t, lineUser)
	w := newWorld(t, withBotAPI, atLINE(line), func(_ *world, s *config.Settings) {
		blocked := filepath.Join(s.Store.SQLite.Dir, "file")
		if err := os.WriteFile(blocked, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		s.Store.SQLite.Dir = blocked
	})
	for _, a := range map[string]answer{
		"look-up":       w.asBot(t, http.MethodGet, "/hr/api/v1/users/"+lineUser, ""),
		"log-in prompt": w.asBot(t, http.MethodPost, "/hr/api/v1/users/"+lineUser+"/prompts", `{"kind":"login"}`),
		"unlink":        w.asBot(t, http.MethodDelete, "/hr/api/v1/users/"+lineUser+"/link", ""),
		"introspection": w.introspect(t, "token="+aliceCode+"&user_id="+lineUser),
	} {
		if a.Code != 503 || a.problem(t) != "StoreUnavailable" || a.Header.Get("Retry-After") != "5" {
			t.Errorf("%d %s, Retry-After %q", a.Code, a.Body, a.Header.Get("Retry-After"))
		}
	}
	if len(line.Issued()) != 0 {
		t.Error("LINE issued a token that nobody can remember")
	}
}

// The bot unlinks on its user's word, as often as it likes.
func TestBotUnlink(t *testing.T) {
	var dir string
	w := newWorld(t, withBotAPI, keepStore(&dir))
	w.untilReady(t)
	kept := openLinks(t, dir, "LINE", oaID)
	kept.link(t, w, lineUser, aliceCode, time.Now())
	for _, reason := range []string{"linked", "not linked any more"} {
		a := w.asBot(t, http.MethodDelete, "/hr/api/v1/users/"+lineUser+"/link", "")
		if a.Code != 204 || a.Body != "" || kept.active(t, lineUser) {
			t.Errorf("%s: %d %q, linked %t", reason, a.Code, a.Body, kept.active(t, lineUser))
		}
	}
	if a := w.asBot(t, http.MethodDelete, "/hr/api/v1/users/"+stranger+"/link", ""); a.Code != 204 {
		t.Errorf("nobody knows him: %d", a.Code)
	}
	if a := w.asBot(t, http.MethodDelete, "/hr/api/v1/users/me/link", ""); a.Code != 400 {
		t.Errorf("no user id: %d", a.Code)
	}
	if a := w.introspect(t, "token="+aliceCode+"&user_id="+lineUser); a.Body != `{"active":false}`+"\n" {
		t.Errorf("his code afterwards: %s", a.Body)
	}
}
