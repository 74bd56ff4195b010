package authorize_test

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"channellink.dev/operator/webhookserver/authorize"
	"channellink.dev/operator/webhookserver/authorize/issuer/issuertest"
	"channellink.dev/operator/webhookserver/link"
)

// TestCallbackOnce proves that a state is good for one token request, whoever comes how often at once, to whichever of two
// replicas. // C4
func TestCallbackOnce(t *testing.T) {
	for name, on := range stores(t) {
		t.Run(name, func(t *testing.T) { testCallbackOnce(t, newWorld(t, on)) })
	}
}

func testCallbackOnce(t *testing.T, w *world) {
	b := w.browser()
	callback := "/callback?" + w.Issuer.SignIn(t, b.atIssuer(t), issuertest.Login{}).Encode()
	other := &browser{w: w.replica(t), cookies: b.cookies} // the same browser, led to the other replica
	const callers = 50
	codes := make([]int, callers)
	var all sync.WaitGroup
	for i := range callers {
		all.Go(func() { codes[i] = []*browser{b, other}[i%2].get(t, callback).Code })
	}
	all.Wait()
	count := map[int]int{}
	for _, code := range codes {
		count[code]++
	}
	if count[http.StatusSeeOther] != 1 || count[http.StatusConflict] != callers-1 {
		t.Errorf("answers by code are %v, want one 303 and %d times 409", count, callers-1)
	}
	if p := b.get(t, callback); p.Code != http.StatusConflict { // later, too
		t.Errorf("a late replay got %d", p.Code)
	}
	if n := len(w.Issuer.TokenRequests()); n != 1 {
		t.Errorf("the issuer got %d token requests, want 1", n)
	}
}

// TestCallbackElsewhere proves that the answer to a login is good in the browser that began it, and costs that browser
// nothing elsewhere. // C5, C6
func TestCallbackElsewhere(t *testing.T) {
	w := newWorld(t)
	owner := w.browser()
	callback := "/callback?" + w.Issuer.SignIn(t, owner.atIssuer(t), issuertest.Login{}).Encode()

	stranger := w.browser() // C5
	if p := stranger.get(t, callback); p.Code != http.StatusBadRequest {
		t.Errorf("without a cookie: %d, want 400", p.Code)
	}
	victim := w.browser() // C6: has a login of its own, and is sent the attacker's code and state
	victim.atIssuer(t)
	if p := victim.get(t, callback); p.Code != http.StatusBadRequest {
		t.Errorf("with the cookie of another login: %d, want 400", p.Code)
	}
	if n := len(w.Issuer.TokenRequests()); n != 0 {
		t.Errorf("the issuer got %d token requests, want none", n)
	}
	if p := owner.get(t, callback); p.Code != http.StatusSeeOther {
		t.Errorf("afterwards its owner gets %d, want 303", p.Code)
	}
}

// TestCallbackForgedCookie proves that any other value than the login's own cookie is refused before the code is used: cut,
// flipped in one character, or another login's. // C6, C22
func TestCallbackForgedCookie(t *testing.T) {
	w := newWorld(t)
	forge := map[string]func(string) string{
		"cut":            func(v string) string { return v[:len(v)-1] },
		"longer":         func(v string) string { return v + "A" },
		"time changed":   func(v string) string { return "0" + v },
		"empty":          func(string) string { return "" },
		"first flipped":  func(v string) string { return flip(v, strings.IndexByte(v, '.')+1) },
		"middle flipped": func(v string) string { return flip(v, len(v)/2) },
		"last flipped":   func(v string) string { return flip(v, len(v)-3) },
	}
	for name, change := range forge {
		t.Run(name, func(t *testing.T) {
			b := w.browser()
			callback := "/callback?" + w.Issuer.SignIn(t, b.atIssuer(t), issuertest.Login{}).Encode()
			for cookie, value := range b.cookies {
				b.cookies[cookie] = change(value)
			}
			before := len(w.Issuer.TokenRequests())
			if p := b.get(t, callback); p.Code != http.StatusForbidden || len(w.Issuer.TokenRequests()) != before {
				t.Errorf("got %d and %d token requests, want 403 and none", p.Code, len(w.Issuer.TokenRequests())-before)
			}
		})
	}
}

// TestCallbackAnyBitFlipped flips every bit of the state of one login, and every bit of a cookie, each of a login of its own.
// None of it gets to the issuer; a state that is not the login's harms it not. // C22
func TestCallbackAnyBitFlipped(t *testing.T) {
	w := newWorld(t)
	login := func() (url.Values, string, string) {
		b := w.browser()
		answer := w.Issuer.SignIn(t, b.atIssuer(t), issuertest.Login{})
		for name, value := range b.cookies {
			return answer, name, value
		}
		t.Fatal("the login has no cookie")
		return nil, "", ""
	}
	send := func(answer url.Values, state, name, value string) int {
		changed := maps.Clone(answer)
		changed.Set("state", state)
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/callback?"+changed.Encode(), nil)
		r.Header.Set("Cookie", name+"="+value) // as it is: http.Cookie would leave out what no cookie may hold
		return w.browser().do(t, r).Code
	}
	answer, name, value := login()
	state := answer.Get("state")
	for i := range len(state) * 8 {
		if code := send(answer, flipBit(state, i), name, value); code < http.StatusBadRequest {
			t.Errorf("bit %d of the state: got %d", i, code)
		}
	}
	if code := send(answer, state, name, value); code != http.StatusSeeOther {
		t.Errorf("afterwards the right state got %d, want 303", code)
	}
	before := len(w.Issuer.TokenRequests())
	for i := range len(value) * 8 {
		answer, name, value := login()
		if code := send(answer, answer.Get("state"), name, flipBit(value, i)); code < http.StatusBadRequest {
			t.Errorf("bit %d of the cookie: got %d", i, code)
		}
	}
	if n := len(w.Issuer.TokenRequests()) - before; n != 0 {
		t.Errorf("the issuer got %d token requests with a wrong cookie, want none", n)
	}
}

func flipBit(s string, bit int) string {
	changed := []byte(s)
	changed[bit/8] ^= 1 << (bit % 8)
	return string(changed)
}

func flip(s string, at int) string {
	other := byte('A')
	if s[at] == 'A' {
		other = 'B'
	}
	return s[:at] + string(other) + s[at+1:]
}

// TestCallbackParameters sends answers that are not the issuer's to this request. None may cost a token request. // C9
func TestCallbackParameters(t *testing.T) {
	for _, c := range []struct {
		name, reason string
		change       func(url.Values)
		metadata     map[string]any
		raw          string // appended as it is
		want         int
		refused      authorize.Reason
	}{
		{name: "iss wrong", reason: "another issuer's answer (C9)", refused: authorize.IssuerParamWrong,
			change: func(q url.Values) { q.Set("iss", "https://evil.example") }, want: 400},
		{name: "iss empty", reason: "there and not ours (C9)", refused: authorize.IssuerParamWrong,
			change: func(q url.Values) { q.Set("iss", "") }, want: 400},
		{name: "iss with a slash", reason: "issuers are compared to the letter (C9)", refused: authorize.IssuerParamWrong,
			change: func(q url.Values) { q.Set("iss", q.Get("iss")+"/") }, want: 400},
		{name: "iss missing", reason: "the metadata promises it (C9)", refused: authorize.IssuerParamWrong,
			change: func(q url.Values) { q.Del("iss") }, want: 400},
		{name: "iss twice", reason: "one of them is somebody else's (C9)", refused: authorize.QueryMalformed,
			change: func(q url.Values) { q.Add("iss", "https://evil.example") }, want: 400},
		{name: "iss missing, not promised", reason: "an issuer without RFC 9207 does not send it",
			metadata: map[string]any{"authorization_response_iss_parameter_supported": nil},
			change:   func(q url.Values) { q.Del("iss") }, want: 303},
		{name: "iss wrong, not promised", reason: "what is sent must be right (C9)", refused: authorize.IssuerParamWrong,
			metadata: map[string]any{"authorization_response_iss_parameter_supported": nil},
			change:   func(q url.Values) { q.Set("iss", "https://evil.example") }, want: 400},
		{name: "state missing", reason: "an answer to nothing", refused: authorize.StateMalformed,
			change: func(q url.Values) { q.Del("state") }, want: 400},
		{name: "state twice", reason: "which one is meant?", refused: authorize.QueryMalformed,
			change: func(q url.Values) { q.Add("state", "x") }, want: 400},
		{name: "state of another secret", reason: "the flow's name alone proves nothing", refused: authorize.SessionUnknown,
			change: func(q url.Values) { q.Set("state", flip(q.Get("state"), 40)) }, want: 410},
		{name: "state cut", reason: "the flow's name alone proves nothing", refused: authorize.StateMalformed,
			change: func(q url.Values) { q.Set("state", q.Get("state")[:26]) }, want: 400},
		{name: "code twice", reason: "one may be the attacker's", refused: authorize.QueryMalformed,
			change: func(q url.Values) { q.Add("code", "x") }, want: 400},
		{name: "code and error", reason: "no provider answers both", refused: authorize.StateMalformed,
			change: func(q url.Values) { q.Set("error", "access_denied") }, want: 400},
		{name: "neither", reason: "no answer at all", refused: authorize.StateMalformed,
			change: func(q url.Values) { q.Del("code") }, want: 400},
		{name: "broken escape", reason: "cannot be read in one way", refused: authorize.QueryMalformed,
			raw: "&x=%zz", want: 400},
		{name: "unknown parameters", reason: "providers add their own",
			change: func(q url.Values) { q.Set("session_state", "abc"); q.Set("scope", "openid") }, want: 303},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, func(w *world, _ *authorize.Options) { w.Issuer.Set(c.metadata) })
			b := w.browser()
			q := w.Issuer.SignIn(t, b.atIssuer(t), issuertest.Login{})
			if c.change != nil {
				c.change(q)
			}
			p := b.get(t, "/callback?"+q.Encode()+c.raw)
			if p.Code != c.want {
				t.Errorf("%s: got %d, want %d\n%s", c.reason, p.Code, c.want, w.logs)
			}
			if c.refused != "" && (w.count(c.refused) != 1 || len(w.Issuer.TokenRequests()) != 0) {
				t.Errorf("%s: want it refused as %s without a token request; %d requests\n%s",
					c.reason, c.refused, len(w.Issuer.TokenRequests()), w.logs)
			}
		})
	}
}

// TestCallbackOfAnotherChannel delivers the answer to one channel's login at the other's callback, in a browser that has
// logins open at both. // C10, C22
func TestCallbackOfAnotherChannel(t *testing.T) {
	a := newWorld(t)
	b := newWorld(t, func(w *world, o *authorize.Options) {
		w.Issuer, w.Store = a.Issuer, a.Store
		o.Channel.OIDC.IssuerURL = a.Issuer.URL
		o.ID = link.NewChannelID("LINE", "another")
		o.Channel.PublicURL = "https://link.vision.example/other"
	})
	browserA, browserB := a.browser(), b.browser()
	callback := "/callback?" + a.Issuer.SignIn(t, browserA.atIssuer(t), issuertest.Login{}).Encode()
	browserB.atIssuer(t)
	maps.Copy(browserB.cookies, browserA.cookies) // one host: the browser sends both channels' cookies to either
	if p := browserB.get(t, callback); p.Code != http.StatusBadRequest {
		t.Errorf("the other channel answered %d, want 400", p.Code)
	}
	// Even a cookie under the other channel's name finds no session there.
	for name, value := range browserA.cookies {
		prefix := ""
		for own := range browserB.cookies {
			if _, foreign := browserA.cookies[own]; !foreign {
				prefix = own[:strings.LastIndexByte(own, '-')]
			}
		}
		browserB.cookies[prefix+name[strings.LastIndexByte(name, '-'):]] = value
	}
	if p := browserB.get(t, callback); p.Code != http.StatusGone {
		t.Errorf("with the cookie renamed it answered %d, want 410", p.Code)
	}
	if n := len(a.Issuer.TokenRequests()); n != 0 {
		t.Errorf("there were %d token requests, want none", n)
	}
	if p := browserA.get(t, callback); p.Code != http.StatusSeeOther {
		t.Errorf("at home it answered %d, want 303", p.Code)
	}
}

// TestCallbackOnAnotherReplica takes each step on another replica: nothing of a login is in memory. // C22
func TestCallbackOnAnotherReplica(t *testing.T) {
	one := newWorld(t)
	two := one.replica(t)
	b := one.browser()
	callback := "/callback?" + one.Issuer.SignIn(t, b.atIssuer(t), issuertest.Login{}).Encode()
	b.w = two
	p := b.get(t, callback)
	b.w = one
	consent := b.get(t, below(t, p.Location))
	b.w = two
	if back := b.press(t, consent, "link"); back.Code != http.StatusSeeOther || !strings.HasPrefix(back.Location, lineLinkURL) {
		t.Errorf("got %d to %q, want 303 to LINE", back.Code, back.Location)
	}
}

// TestIssuerSaysNo maps the error answers of an issuer. None of its own words may be shown. // C24, C30
func TestIssuerSaysNo(t *testing.T) {
	const words = "<script>alert('EVIL')</script>"
	for _, c := range []struct {
		name    string
		want    int
		refused authorize.Reason
	}{
		{"access_denied", http.StatusOK, authorize.Canceled}, // LINE: our page
		{"login_required", http.StatusForbidden, authorize.IssuerRefused},
		{"invalid_request", http.StatusForbidden, authorize.IssuerRefused},
		{words, http.StatusForbidden, authorize.IssuerRefused},
		{"temporarily_unavailable", http.StatusServiceUnavailable, authorize.IssuerUnavailable},
		{"server_error", http.StatusServiceUnavailable, authorize.IssuerUnavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			b := w.browser()
			q := w.Issuer.SignIn(t, b.atIssuer(t), issuertest.Login{})
			q.Del("code")
			q.Set("error", c.name)
			q.Set("error_description", words)
			p := b.get(t, "/callback?"+q.Encode())
			if p.Code != c.want || w.count(c.refused) != 1 {
				t.Errorf("got %d, want %d and reason %s\n%s", p.Code, c.want, c.refused, w.logs)
			}
			if strings.Contains(p.Body, "EVIL") || strings.Contains(w.logs.String(), "EVIL") {
				t.Errorf("the issuer's words are repeated:\n%s\n%s", p.Body, w.logs)
			}
			if open, err := w.Store.OpenSessions(t.Context(), w.options.ID, w.now()); err != nil || open != 0 {
				t.Errorf("%d logins are open, %v; this one is over", open, err)
			}
			if links := w.pending(t); len(links) != 0 || len(w.Issuer.TokenRequests()) != 0 {
				t.Errorf("there are %d links and %d token requests, want none", len(links), len(w.Issuer.TokenRequests()))
			}
		})
	}
}

// TestCookieMissingOnLocalhost: Safari keeps no Secure cookie on plain http, where the page must say that and not blame the
// person.
func TestCookieMissingOnLocalhost(t *testing.T) {
	bodies := map[string]string{}
	for _, public := range []string{publicURL, "http://hr.localhost:8080"} {
		w := newWorld(t, func(_ *world, o *authorize.Options) { o.Channel.PublicURL = public })
		callback := "/callback?" + w.Issuer.SignIn(t, w.browser().atIssuer(t), issuertest.Login{}).Encode()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, callback, nil)
		bodies[public] = w.browser().do(t, r).Body
	}
	if !strings.Contains(bodies["http://hr.localhost:8080"], "https") || strings.Contains(bodies[publicURL], "https") {
		t.Errorf("the pages do not tell the two apart:\n%v", bodies)
	}
}
