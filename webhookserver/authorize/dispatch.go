package authorize

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/pages"
)

// ask is what a browser wants.
type ask string

// What browsers ask for, each by a route or by a button of the consent form.
const (
	toBegin   ask = "begin"
	toReturn  ask = "return" // with the issuer's answer
	toLook    ask = "look"
	toLink    ask = "link"
	toCancel  ask = "cancel"
	toSwitch  ask = "switch" // "Not you?"
	toDecline ask = "decline"
)

// visit is one request, with what has been proven about it before a step is taken.
type visit struct {
	*http.Request
	now  time.Time
	head func() pages.Head
	// session is nil where a login begins. Of any other, the browser has brought the cookie.
	session *link.Session
	// cookie is the value that session.CookieHash is of.
	cookie string
	// code is the issuer's, with toReturn.
	code string
}

// step takes a login one step further, or refuses to.
type step func(*Logins, context.Context, *visit) (answer, error)

// steps says who may take which step: what is asked, and how far the login has come. What is not here has been done before.
var steps = map[ask]map[link.Step]step{
	toBegin:   {"": (*Logins).begin},
	toReturn:  {link.Exchanging: (*Logins).identify},
	toDecline: {link.Exchanging: (*Logins).declined},
	toLook:    {link.Identified: (*Logins).show, link.Done: (*Logins).finished},
	toLink:    {link.Identified: (*Logins).link, link.Done: (*Logins).pressedAgain},
	toCancel:  {link.Identified: (*Logins).cancel, link.Done: (*Logins).pressedAgain},
	toSwitch:  {link.Identified: (*Logins).switchPerson, link.Done: (*Logins).pressedAgain},
}

// Authorize serves GET /authorize.
func (l *Logins) Authorize(w http.ResponseWriter, r *http.Request) {
	if isPreview(r) {
		l.preview(w, r, toBegin)
		return
	}
	l.dispatch(w, r, func(context.Context, time.Time) (ask, *visit, error) { return toBegin, &visit{}, nil })
}

// Callback serves GET /callback.
func (l *Logins) Callback(w http.ResponseWriter, r *http.Request) {
	if isPreview(r) {
		l.preview(w, r, toReturn)
		return
	}
	l.dispatch(w, r, func(ctx context.Context, now time.Time) (ask, *visit, error) { return l.arrive(ctx, r, now) })
}

// Consent serves GET and POST /consent/{flow}. The body of a POST must be bounded by the caller.
func (l *Logins) Consent(w http.ResponseWriter, r *http.Request) {
	l.dispatch(w, r, func(ctx context.Context, now time.Time) (ask, *visit, error) { return l.look(ctx, r, now) })
}

// preview shows a robot, or a browser that guesses, what is here. It begins and spends nothing.
func (l *Logins) preview(w http.ResponseWriter, r *http.Request, asked ask) {
	l.finish(w, r, asked, nil, answer{page: pages.Landing{Head: l.head(w, r, nil)}, reason: Preview})
}

// dispatch proves who asks for what, takes the step that is due and writes the answer. It is the only place that does.
func (l *Logins) dispatch(w http.ResponseWriter, r *http.Request, prove func(context.Context, time.Time) (ask, *visit, error)) {
	now := l.Now()
	asked, v, err := prove(r.Context(), now)
	var a answer
	if err == nil {
		v.Request, v.now, v.head = r, now, func() pages.Head { return l.head(w, r, v) }
		a, err = l.take(r.Context(), asked, v)
	}
	if err != nil {
		l.abandon(r.Context(), v)
		a = l.displayed(w, r, v, err)
	}
	l.finish(w, r, asked, v, a)
}

// abandon ends a login whose answer from the issuer was no good: its state is spent, so nothing can come of it any more.
func (l *Logins) abandon(ctx context.Context, v *visit) {
	if v == nil || v.session == nil || v.session.Step != link.Exchanging {
		return
	}
	// It matters also when the browser is gone. A store that is down leaves the session to its own end.
	if err := l.end(context.WithoutCancel(ctx), v); err != nil {
		l.log.DebugContext(ctx, "a failed login stays open until it expires", "flow", v.session.Flow, "error", err)
	}
}

func (l *Logins) take(ctx context.Context, asked ask, v *visit) (answer, error) {
	var at link.Step
	if v.session != nil {
		at = v.session.Step
	}
	do, ok := steps[asked][at]
	if !ok {
		return answer{}, refuse(AlreadyUsed, nil)
	}
	return do(l, ctx, v)
}

// answer is what a step wants the browser to get: another address, or a page.
type answer struct {
	reason Reason
	cause  error // of a refusal, for the log

	location string
	found    bool // 302 and not 303: the request was a GET of the platform's

	page interface {
		Document() (pages.Document, error)
	}
	code int // of the page; 0 means 200
	// posts: the page has a form. Without a referrer its POST would have `Origin: null` and be refused.
	posts bool

	cookies []*http.Cookie
}

// displayed makes a page of an error.
func (l *Logins) displayed(w http.ResponseWriter, r *http.Request, v *visit, err error) answer {
	known, ok := errors.AsType[*refusal](err)
	if !ok {
		known = &refusal{reason: Internal, cause: err}
	}
	d, ok := displays[known.reason]
	if !ok {
		d = displays[Internal]
	}
	if d.kind == pages.ProblemCookie && l.insecure {
		d.kind = pages.ProblemInsecure
	}
	return answer{
		reason: known.reason, cause: known.cause,
		page: pages.Trouble{Head: l.head(w, r, v), Kind: d.kind}, code: d.code,
	}
}

// finish writes the answer, and says in log and metric how the step ended.
func (l *Logins) finish(w http.ResponseWriter, r *http.Request, asked ask, v *visit, a answer) {
	if l.Observe != nil {
		l.Observe(string(asked), a.reason)
	}
	level := slog.LevelDebug
	if d, refused := displays[a.reason]; refused {
		if l.Refused != nil && v != nil && v.session != nil {
			l.Refused(r.Context(), *v.session, string(asked), a.reason)
		}
		level = slog.LevelInfo
		if d.code >= http.StatusInternalServerError {
			level = slog.LevelWarn
		}
	}
	attributes := []any{"step", asked, "reason", a.reason}
	if v != nil && v.session != nil {
		attributes = append(attributes, "flow", v.session.Flow)
	}
	if a.cause != nil {
		attributes = append(attributes, "error", a.cause)
	}
	l.log.Log(r.Context(), level, "login step", attributes...)

	for _, c := range a.cookies {
		http.SetCookie(w, c)
	}
	if a.location != "" {
		code := http.StatusSeeOther // never 307: it would send the form on
		if a.found {
			code = http.StatusFound
		}
		w.Header().Set("Location", a.location)
		w.WriteHeader(code)
		return
	}
	document, err := a.page.Document()
	if err != nil {
		panic(err) // a template that does not fit its page: a fault of ours, recovered and logged by the server
	}
	h := w.Header()
	h.Set("Content-Security-Policy", document.ContentSecurityPolicy)
	if a.posts {
		h.Set("Referrer-Policy", "same-origin")
	}
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(document.HTML)))
	w.WriteHeader(max(a.code, http.StatusOK))
	_, _ = w.Write(document.HTML) // the browser is gone: nobody is left to be told
}

// head is what every page has. Of a login that has begun, the language is the one that it began in.
func (l *Logins) head(w http.ResponseWriter, r *http.Request, v *visit) pages.Head {
	branding := l.Channel.Branding
	h := pages.Head{
		Look:      pages.Look{Name: l.Channel.DisplayName, Accent: branding.AccentColor},
		Language:  pages.Match(l.languages(r)...),
		RequestID: l.requestID(w),
	}
	if v != nil && v.session != nil {
		h.Language = pages.Match(v.session.Locale)
	}
	if l.Secrets.Logo != nil {
		h.Look.Logo, _ = l.Secrets.Logo()
	}
	return h
}

func (l *Logins) requestID(w http.ResponseWriter) string {
	if l.RequestID == nil {
		return ""
	}
	return l.RequestID(w)
}
