package chatsim

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestAttacks(t *testing.T) { // C1, C2, C3
	w := newWorld(t)
	path := "channels/line-bot/users/" + alice + "/attack"

	var a Attempt
	w.control(http.MethodPost, path, Attack{Kind: Forwarded}, &a)
	if param(t, a.URL, "userId") != alice {
		t.Errorf("a forwarded URL is the attacker's own: %s", a.URL)
	}
	w.control(http.MethodPost, path, Attack{Kind: CraftedUser, Victim: bob}, &a)
	if param(t, a.URL, "userId") != bob || param(t, a.URL, "linkToken") != a.Token {
		t.Errorf("a crafted URL has the victim's id and the attacker's token: %s", a.URL)
	}
	w.control(http.MethodPost, path, Attack{Kind: OwnCode, Code: goodNonce}, &a)
	if _, page := w.get(w.browser(alice), a.Finish); !strings.Contains(page, "Accounts linked") {
		t.Errorf("the attacker can end his own token with any code: %s", page)
	}
	if got := w.state("line-bot", alice).ExtID; got != goodNonce {
		t.Errorf("BotBonnie has kept %q", got)
	}
}

func TestFaults(t *testing.T) {
	w := newWorld(t)
	const profile = "/v2/bot/profile/" + alice
	for _, tc := range []struct {
		reason string
		fault  Fault
		status int
		says   string
	}{
		{"an error", Fault{Path: "/v2/bot/profile", Status: 500}, 500, ""},
		{"garbage", Fault{Path: "/v2/bot/profile"}, 200, `{"garbage": [`},
		{"late", Fault{Path: "/v2/bot/profile", Delay: 1}, 200, "Alice"},
		{"elsewhere", Fault{Path: "/v1", Status: 500}, 200, "Alice"},
		{"about her", Fault{Path: "/v2/bot/profile", About: alice, Status: 500}, 500, ""},
		{"about somebody else", Fault{Path: "/v2/bot/profile", About: bob, Status: 500}, 200, "Alice"},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			w.control(http.MethodPost, "faults", tc.fault, nil)
			if status, said := w.api(http.MethodGet, profile, "line-token"); status != tc.status || !strings.Contains(said, tc.says) {
				t.Errorf("got %d %s", status, said)
			}
			if status, _ := w.api(http.MethodGet, profile, "line-token"); status != http.StatusOK {
				t.Error("a fault is for one request")
			}
		})
	}
}

func TestTheRecordJudges(t *testing.T) {
	w := newWorld(t)
	w.control(http.MethodDelete, "requests", nil, nil)
	w.api(http.MethodGet, "/v2/bot/profile/"+alice, "line-token")
	w.api(http.MethodGet, "/v2/bot/profile/"+alice, "wrong")
	w.get(w.browser(alice), accountLink(w.tap("line", alice).Token, goodNonce))
	var all []Request
	w.control(http.MethodGet, "requests", nil, &all)
	if len(all) != 4 {
		t.Fatalf("want four requests, got %+v", all)
	}
	for i, want := range []struct {
		credentials string
		status      int
		sent        bool
	}{{"ok", 200, false}, {"wrong", 401, false}, {"", 200, true}, {"", 200, false}} {
		if got := all[i]; got.Credentials != want.credentials || got.Status != want.status || got.Sent != want.sent {
			t.Errorf("request %d is recorded as %+v", i, got)
		}
	}
}

func TestTheRecordKeepsNoTokensUnlessTold(t *testing.T) {
	l := recorder{changed: func() {}}
	l.add(Request{Path: "http://server/botbonnie/linked?k=secret", Query: "access_token=secret", Body: "secret", Answer: "secret"})
	if got := l.all()[0]; got.Query+got.Body+got.Answer != "" || strings.Contains(got.Path, "secret") {
		t.Errorf("recorded %+v", got)
	}
}

func TestPicturesDiffer(t *testing.T) {
	w := newWorld(t)
	_, one := w.get(w.browser(""), "/sim/pictures/"+alice+".png")
	_, other := w.get(w.browser(""), "/sim/pictures/"+bob+".png")
	if http.DetectContentType([]byte(one)) != "image/png" || one == other {
		t.Error("want a picture of each user's own")
	}
}

func TestConfigRefuses(t *testing.T) {
	good := `{"url":"http://chatsim.localhost","channels":[{"name":"a","kind":"line","pageID":"1","botUserID":"U","secret":"s",` +
		`"accessToken":"t","server":"http://link.localhost"}]}`
	if c, err := ReadConfig(strings.NewReader(good)); err != nil || c.validate() != nil {
		t.Fatalf("%v, %v", err, c.validate())
	}
	for _, tc := range []struct{ reason, old, new string }{
		{"no such kind", `"line"`, `"wechat"`},
		{"no secret", `"s"`, `""`},
		{"no server", `"http://link.localhost"`, `"link"`},
		{"no URL of its own", `"http://chatsim.localhost"`, `""`},
		{"no destination", `"U"`, `""`},
		{"unknown field", `"kind"`, `"kid":"x","kind"`},
		{"a bot without its secret", `"secret"`, `"botBonnie":{"botID":"b","apiToken":"t"},"secret"`},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			c, err := ReadConfig(strings.NewReader(strings.Replace(good, tc.old, tc.new, 1)))
			if err == nil {
				_, err = New(c, Options{Now: time.Now})
			}
			if err == nil {
				t.Error("accepted")
			}
		})
	}
}
