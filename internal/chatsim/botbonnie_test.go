package chatsim

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

// home is the way back to BotBonnie that a server should take for a login.
func home(t *testing.T, login Login, code string) url.Values {
	t.Helper()
	u, err := url.Parse(login.URL)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Del("userId")
	q.Del("pageId")
	if q.Has("linkToken") {
		q.Set("nonce", code)
	} else {
		q.Set("authorization_code", code)
	}
	return q
}

func TestBotBonnieLeadsOnAndKeepsTheCode(t *testing.T) {
	for _, tc := range []struct{ channel, user, secret string }{
		{"line-bot", alice, "bot-1-secret"}, {"messenger-bot", carol, "bot-2-secret"},
	} {
		t.Run(tc.channel, func(t *testing.T) {
			w := newWorld(t)
			login := w.tap(tc.channel, tc.user)
			if got := param(t, login.URL, "userId"); got != tc.user {
				t.Errorf("userId is %q", got)
			}
			_, page := w.get(w.browser(tc.user), "/account/link?"+home(t, login, goodNonce).Encode())
			if !strings.Contains(page, "Accounts linked") {
				t.Fatalf("not linked: %s", page)
			}
			if got := w.state(tc.channel, tc.user); got.ExtID != goodNonce || !got.Linked {
				t.Errorf("BotBonnie has kept %+v", got)
			}
			got := w.events()
			if len(got) != 1 || got[0].path != "/botbonnie/linked" {
				t.Fatalf("the platform's webhook is BotBonnie's; want the module's call alone, got %v", got)
			}
			if got[0].header.Get("X-Hub-Signature") != signBotBonnie(tc.secret, got[0].body) {
				t.Error("the module's call is not signed")
			}
			if !strings.Contains(string(got[0].body), `"bot_raw_uid":"`+tc.user+`"`) {
				t.Errorf("the module's call does not name the user: %s", got[0].body)
			}
		})
	}
}

func TestBotBonnieRefusesWhatDidNotGoOut(t *testing.T) {
	for name, tc := range map[string]struct {
		reason string
		change func(url.Values)
	}{
		"carry decoded twice":   {"carry comes back byte for byte", func(q url.Values) { q.Set("carry", strings.Replace(q.Get("carry"), "%2B", "+", 1)) }},
		"no carry":              {"all parameters are required", func(q url.Values) { q.Del("carry") }},
		"no code":               {"all parameters are required", func(q url.Values) { q.Del("authorization_code"); q.Del("nonce") }},
		"short code":            {"the code has at least ten characters", func(q url.Values) { q.Set("authorization_code", "42") }},
		"another redirect_uri":  {"the browser goes back where it came from", func(q url.Values) { q.Set("redirect_uri", "https://evil.example/") }},
		"two tokens":            {"the token inside redirect_uri must stay inside", func(q url.Values) { q.Add("account_linking_token", "x") }},
		"the token of somebody": {"a token belongs to its login", func(q url.Values) { q.Set("account_linking_token", "x") }},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			q := home(t, w.tap("messenger-bot", carol), goodNonce)
			tc.change(q)
			if status, _ := w.get(w.browser(""), "/account/link?"+q.Encode()); status != http.StatusBadRequest {
				t.Errorf("answered %d, but %s", status, tc.reason)
			}
			if got := w.state("messenger-bot", carol); got.ExtID != "" || got.Linked {
				t.Errorf("BotBonnie has kept %+v", got)
			}
		})
	}
}

// The code is kept early or late; nobody knows which, so a server must bear both.
func TestBotBonnieKeepsTheCodeEarlyWhenTold(t *testing.T) {
	for _, early := range []bool{false, true} {
		w := newWorld(t)
		w.control(http.MethodPut, "channels/line-bot/switches", Switches{EarlyExtID: early}, nil)
		q := home(t, w.tap("line-bot", alice), goodNonce)
		w.get(w.browser(bob), "/account/link?"+q.Encode()) // LINE will refuse him
		want := ""
		if early {
			want = goodNonce
		}
		if got := w.state("line-bot", alice); got.ExtID != want || got.Linked {
			t.Errorf("early %v: BotBonnie has kept %+v, want %q", early, got, want)
		}
	}
}

func TestCustomers(t *testing.T) {
	w := newWorld(t)
	now := time.Now().UnixMilli()
	ago := strconv.FormatInt(now-60_000, 10)
	later := strconv.FormatInt(now+600_000, 10)
	for _, tc := range []struct {
		reason, query, token string
		status               int
		says                 string
	}{
		{"the bot's users", "botId=bot-1&limit=10&from=" + ago, "bot-1-token", 200, `"id":"` + alice + `"`},
		{"nobody was there later", "botId=bot-1&from=" + later, "bot-1-token", 200, `"records":[]`},
		{"the page and where it goes on", "botId=bot-1&limit=1", "bot-1-token", 200, `"next":"1"`},
		{"the last page", "botId=bot-1&limit=1&next=1", "bot-1-token", 200, `"id":"` + bob + `"`},
		{"no token", "botId=bot-1", "", 401, `"errorCode":401`},
		{"another's token", "botId=bot-1", "bot-2-token", 403, `"errorCode":403`},
		{"no bot", "limit=1", "bot-1-token", 400, `"errorCode":400`},
		{"no limit of none", "botId=bot-1&limit=0", "bot-1-token", 400, "1 to 3086"},
		{"a limit too high", "botId=bot-1&limit=3087", "bot-1-token", 400, "1 to 3086"},
		{"from in seconds", "botId=bot-1&from=1700000000", "bot-1-token", 400, "13 digits"},
		{"a parameter of no meaning", "botId=bot-1&form=1", "bot-1-token", 400, "none of ours"},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			status, said := w.api(http.MethodGet, "/v1/api/bot/customers?"+tc.query, tc.token)
			if status != tc.status || !strings.Contains(said, tc.says) {
				t.Errorf("got %d %s, want %d with %s", status, said, tc.status, tc.says)
			}
		})
	}
}

func TestTheUsersOwnLogOutGoesToTheModule(t *testing.T) {
	w := newWorld(t)
	w.get(w.browser(alice), "/account/link?"+home(t, w.tap("line-bot", alice), goodNonce).Encode())
	w.control(http.MethodPost, "channels/line-bot/users/"+alice+"/logout", nil, nil)
	got := w.events()
	if last := got[len(got)-1]; last.path != "/botbonnie/unlinked" || !json.Valid(last.body) {
		t.Errorf("the last call is to %s", last.path)
	}
	if s := w.state("line-bot", alice); s.ExtID != "" || s.Linked {
		t.Errorf("BotBonnie still has %+v", s)
	}
}
