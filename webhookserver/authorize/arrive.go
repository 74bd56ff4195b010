package authorize

import (
	"context"
	"crypto/subtle"
	"net/http"
	"net/url"
	"strings"
	"time"

	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/pages"
)

// maxForm is what the consent form may send, in bytes: two short fields.
const maxForm = 4 << 10

// arrive proves that the issuer's answer is one to a login of this browser, and spends the state.
func (l *Logins) arrive(ctx context.Context, r *http.Request, now time.Time) (ask, *visit, error) {
	query, err := parseQuery(r.URL.RawQuery)
	if err != nil {
		return toReturn, nil, refuse(QueryMalformed, err)
	}
	flow, ok := flowOf(query.Get("state"))
	if !ok || query.Has("code") == query.Has("error") {
		return toReturn, nil, refuse(StateMalformed, nil)
	}
	cookie, err := l.jar.value(r, flow)
	if err != nil {
		return toReturn, nil, err
	}
	metadata, ok := l.Issuer.Metadata()
	if !ok {
		return toReturn, nil, refuse(IssuerUnknown, nil)
	}
	// RFC 9207 section 2.4. Another issuer's answer is refused before our code goes anywhere.
	if iss := query.Get("iss"); query.Has("iss") && iss != metadata.Issuer || !query.Has("iss") && metadata.SendsIssuer {
		return toReturn, nil, refuse(IssuerParamWrong, nil)
	}
	store, err := l.Store()
	if err != nil {
		return toReturn, nil, storeRefusal(err)
	}
	session, err := store.TakeCallback(ctx, l.ID, link.HashCode(query.Get("state")), now)
	if err != nil {
		return toReturn, nil, storeRefusal(err)
	}
	session.Step = link.Exchanging
	v := &visit{session: &session, cookie: cookie, code: query.Get("code")}
	if session.Flow != flow || !same(session.CookieHash, cookie) {
		return toReturn, nil, refuse(CookieWrong, nil)
	}
	if over(session, now) {
		return toReturn, v, refuse(SessionExpired, nil)
	}
	if query.Has("error") {
		return l.errorAnswer(query, v)
	}
	return toReturn, v, nil
}

// errorAnswer says what an error answer of the issuer asks for (RFC 6749 section 4.1.2.1, OpenID Connect Core section
// 3.1.2.6). Its texts go nowhere.
func (l *Logins) errorAnswer(query url.Values, v *visit) (ask, *visit, error) {
	switch query.Get("error") {
	case "access_denied", "user_cancelled", "user_cancelled_login", "consent_required":
		return toDecline, v, nil
	case "server_error", "temporarily_unavailable":
		return toReturn, v, refuse(IssuerUnavailable, nil)
	default:
		return toReturn, v, refuse(IssuerRefused, nil)
	}
}

// look proves that a request about the consent comes from the browser of its login, and a press from its page.
func (l *Logins) look(ctx context.Context, r *http.Request, now time.Time) (ask, *visit, error) {
	flow := r.PathValue("flow")
	if !isFlow(flow) {
		return toLook, nil, refuse(SessionUnknown, nil)
	}
	asked, token := toLook, ""
	if r.Method == http.MethodPost {
		var err error
		if asked, token, err = l.pressed(r); err != nil {
			return asked, nil, err
		}
	}
	cookie, err := l.jar.value(r, flow)
	if err != nil {
		return asked, nil, err
	}
	store, err := l.Store()
	if err != nil {
		return asked, nil, storeRefusal(err)
	}
	session, err := store.Session(ctx, l.ID, flow)
	if err != nil {
		return asked, nil, storeRefusal(err)
	}
	if !same(session.CookieHash, cookie) {
		return asked, nil, refuse(CookieWrong, nil)
	}
	v := &visit{session: &session, cookie: cookie}
	if asked != toLook && !same(session.FormHash, token) {
		return asked, v, refuse(FormTokenWrong, nil)
	}
	if session.Step != link.Done && over(session, now) {
		return asked, v, refuse(SessionExpired, nil)
	}
	return asked, v, nil
}

// over tells whether a login's time is over. One that has yet to begin is one that a clock which was set back would give more
// time than it had.
func over(s link.Session, now time.Time) bool {
	return !now.Before(s.ExpiresAt) || s.StartedAt.After(now.Add(leeway))
}

// pressed reads the form, after a look at where it was sent from.
func (l *Logins) pressed(r *http.Request) (ask, string, error) {
	if err := l.origin.Check(r); err != nil {
		return toLink, "", refuse(CrossOrigin, nil)
	}
	r.Body = http.MaxBytesReader(nil, r.Body, maxForm)
	if err := r.ParseForm(); err != nil || len(r.PostForm[pages.FieldChoice]) != 1 || len(r.PostForm[pages.FieldToken]) != 1 {
		return toLink, "", refuse(FormTokenWrong, nil)
	}
	token := r.PostForm.Get(pages.FieldToken)
	switch r.PostForm.Get(pages.FieldChoice) {
	case pages.ChoiceLink:
		return toLink, token, nil
	case pages.ChoiceNotYou:
		return toSwitch, token, nil
	case pages.ChoiceCancel:
		return toCancel, token, nil
	}
	return toLink, "", refuse(FormTokenWrong, nil)
}

// same compares a value that a browser brought with the hash in the row.
func same(hash link.CodeHash, value string) bool {
	brought := link.HashCode(value)
	return subtle.ConstantTimeCompare(hash[:], brought[:]) == 1
}

// flowLength is that of crypto/rand.Text.
const flowLength = 26

// newState makes a state that names its flow, so that the cookie can be looked at before the state is spent.
func newState(flow string) string { return flow + "." + link.NewCode() }

func flowOf(state string) (string, bool) {
	flow, secret, _ := strings.Cut(state, ".")
	return flow, isFlow(flow) && secret != ""
}

func isFlow(s string) bool {
	return len(s) == flowLength && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") == ""
}
