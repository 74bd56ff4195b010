package webhookserver_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"channellink.dev/operator/webhookserver/config"
	"channellink.dev/operator/webhookserver/link"
)

const inactive = `{"active":false}` + "\n"

// The pair of code and user opens, and nothing else does; of what does not, nothing is told.
func TestIntrospect(t *testing.T) {
	var dir string
	w := newWorld(t, withBotAPI, keepStore(&dir), func(_ *world, s *config.Settings) {
		age := config.Duration(time.Hour)
		s.Channels[0].Linking.MaxAge = &age
	})
	w.untilReady(t)
	kept := openLinks(t, dir, "LINE", oaID)
	now := time.Now()
	const bob, aged, waiting = "U000000000000000000000000000000b0", "U000000000000000000000000000000a1", "U000000000000000000000000000000a2"
	bobCode, agedCode, waitingCode := strings.Repeat("b", 43), strings.Repeat("d", 43), strings.Repeat("c", 43)
	kept.link(t, w, lineUser, aliceCode, now)
	kept.link(t, w, bob, bobCode, now)
	kept.link(t, w, aged, agedCode, now.Add(-61*time.Minute))
	kept.pending(t, waiting, waitingCode, now, 10*time.Minute)

	for _, c := range []struct{ reason, form string }{
		{"another's code", "token=" + bobCode + "&user_id=" + lineUser},
		{"another's user", "token=" + aliceCode + "&user_id=" + bob},
		{"a code that nobody has", "token=" + strings.Repeat("x", 43) + "&user_id=" + lineUser},
		{"not confirmed yet", "token=" + waitingCode + "&user_id=" + waiting},
		{"older than linking.maxAge", "token=" + agedCode + "&user_id=" + aged},
		{"a user in capitals", "token=" + aliceCode + "&user_id=" + strings.ToUpper(lineUser)},
		{"the code with a space", "token=" + aliceCode + "+&user_id=" + lineUser},
	} {
		if a := w.introspect(t, c.form); a.Code != 200 || a.Body != inactive {
			t.Errorf("%s: %d %s, want %s", c.reason, a.Code, a.Body, inactive)
		}
	}

	a := w.introspect(t, "token="+aliceCode+"&user_id="+lineUser+"&token_type_hint=access_token")
	want := map[string]any{
		"active": true, "iss": "https://" + visionHost + "/hr", "sub": "00u1", "sub_iss": "https://sso.vision.example", "username": "j.dupont",
		"platform": "LINE", "page": oaID, "chat_user": lineUser, "confirmed": true,
		"iat": float64(now.Unix()), "linked_at": float64(now.Unix()), "exp": float64(now.Add(time.Hour).Unix()),
	}
	if diff := cmp.Diff(want, a.decoded(t)); a.Code != 200 || diff != "" {
		t.Errorf("the pair: %d (-want +got)\n%s", a.Code, diff)
	}
	if a.Header.Get("Cache-Control") != "no-store" || !strings.HasPrefix(a.Header.Get("Content-Type"), "application/json") {
		t.Errorf("headers: %v", a.Header)
	}

	// It stands as long as the link does.
	again := strings.Repeat("e", 43)
	kept.link(t, w, lineUser, again, now.Add(time.Second))
	if a := w.introspect(t, "token="+aliceCode+"&user_id="+lineUser); a.Body != inactive {
		t.Errorf("the code of the link before: %s", a.Body)
	}
	if a := w.introspect(t, "token="+again+"&user_id="+lineUser); a.decoded(t)["active"] != true {
		t.Errorf("the code of the new link: %s", a.Body)
	}
	if logs := w.logs.String(); strings.Contains(logs, aliceCode) || strings.Contains(logs, lineUser) {
		t.Error("a code or a user is in the log") // C27
	}
}

// A request that is not of RFC 7662's form is refused before anything is looked up.
func TestIntrospectRequests(t *testing.T) {
	w := newWorld(t, withBotAPI)
	w.untilReady(t)
	good := "token=" + aliceCode + "&user_id=" + lineUser
	for _, c := range []struct {
		reason, form string
		change       func(*http.Request)
		code         int
	}{
		{"the form", good, nil, 200},
		{"with a charset", good, header("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8"), 200},
		{"no user", "token=" + aliceCode, nil, 400},
		{"no code", "user_id=" + lineUser, nil, 400},
		{"an empty code", "token=&user_id=" + lineUser, nil, 400},
		{"two codes", good + "&token=x", nil, 400},
		{"two users", good + "&user_id=x", nil, 400},
		{"a very long code", "token=" + strings.Repeat("x", 1000) + "&user_id=" + lineUser, nil, 400},
		{"not a form", "token=%zz", nil, 400},
		{"nothing", "", nil, 400},
		{"in the query, where logs would keep it", "", func(r *http.Request) { r.URL.RawQuery = good }, 400},
		{"JSON", `{"token":"x"}`, header("Content-Type", "application/json"), 415},
		{"no type", good, header("Content-Type", ""), 415},
		{"compressed", good, header("Content-Encoding", "gzip"), 415},
		{"too much", good + "&x=" + strings.Repeat("x", 8<<10), nil, 413},
		{"1 GiB is announced", "", announceLarge, 413},
	} {
		changes := []func(*http.Request){}
		if c.change != nil {
			changes = append(changes, c.change)
		}
		if a := w.introspect(t, c.form, changes...); a.Code != c.code {
			t.Errorf("%s: %d %s, want %d", c.reason, a.Code, a.Body, c.code)
		}
	}
	if a := w.asBot(t, http.MethodGet, "/hr/introspect?"+good, "", header("Authorization", "Bearer "+introspectionToken)); a.Code != 404 {
		t.Errorf("GET: %d", a.Code)
	}
}

// A pseudonym opens nothing, whatever the setting is by now: BotBonnie's console shows it to whoever works there.
func TestIntrospectStableCode(t *testing.T) {
	for _, c := range []struct {
		reason        string
		stable        bool // the setting
		marked, opens bool
	}{
		{"an opaque code", false, false, true},
		{"a pseudonym", true, true, false},
		{"a pseudonym of before the setting was changed", false, true, false},
		{"an opaque code of before the setting was changed", true, false, false},
	} {
		var dir string
		w := newWorld(t, withBotAPI, keepStore(&dir), func(_ *world, s *config.Settings) { s.Channels[0].Linking.StableCode = c.stable })
		w.untilReady(t)
		kept := openLinks(t, dir, "LINE", oaID)
		stored, err := kept.Import(t.Context(), []link.Link{{
			Channel: kept.channel, UserID: lineUser, Identity: link.Identity{Issuer: "https://sso.vision.example", Subject: "00u1"},
			CodeHash: link.HashCode(aliceCode), StableCode: c.marked, Confirmed: true, LinkedAt: time.Now(),
		}}, time.Now())
		if err != nil || stored != 1 {
			t.Fatal(stored, err)
		}
		if a := w.introspect(t, "token="+aliceCode+"&user_id="+lineUser); a.decoded(t)["active"] != c.opens {
			t.Errorf("%s: %s", c.reason, a.Body)
		}
	}
}

// A link that the login alone has made says so (linking.confirmation: AfterRedirect).
func TestIntrospectUnconfirmed(t *testing.T) {
	var dir string
	w := newWorld(t, withBotAPI, keepStore(&dir))
	w.untilReady(t)
	kept := openLinks(t, dir, "LINE", oaID)
	_, err := kept.Import(t.Context(), []link.Link{{
		Channel: kept.channel, UserID: lineUser, Identity: link.Identity{Issuer: "https://sso.vision.example", Subject: "00u1"},
		CodeHash: link.HashCode(aliceCode), LinkedAt: time.Now(),
	}}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	got := w.introspect(t, "token="+aliceCode+"&user_id="+lineUser).decoded(t)
	if got["active"] != true || got["confirmed"] != false {
		t.Errorf("introspection: %v", got)
	}
	if got := w.asBot(t, http.MethodGet, "/hr/api/v1/users/"+lineUser, "").decoded(t); got["linked"] != true || got["confirmed"] != false {
		t.Errorf("look-up: %v", got)
	}
	for _, absent := range []string{"exp", "iat", "username"} { // nothing is known of them
		if _, ok := got[absent]; ok {
			t.Errorf("%s: %v", absent, got[absent])
		}
	}
}
