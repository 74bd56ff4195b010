package authorize

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"channellink.dev/operator/webhookserver/authorize/issuer"
	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/pages"
)

// sessionLife is that of a login on a platform whose token has no end.
const sessionLife = 10 * time.Minute

// begin opens a login for the parameters that the platform's button carries.
func (l *Logins) begin(ctx context.Context, v *visit) (answer, error) {
	query, err := parseQuery(v.URL.RawQuery)
	if err != nil {
		return answer{}, refuse(QueryMalformed, err)
	}
	entry, err := l.Platform.Enter(ctx, query)
	if _, ok := errors.AsType[*link.ParamError](err); ok {
		return answer{}, refuse(ParamInvalid, err)
	}
	if err != nil {
		return answer{}, storeRefusal(err)
	}
	if size(entry.Params) > link.MaxSessionParams {
		return answer{}, refuse(ParamInvalid, &link.ParamError{Problem: link.ParamTooLong})
	}
	life := entry.TokenLife
	if life <= 0 {
		life = sessionLife
	}
	end := v.now.Add(life)
	if !entry.TokenEnd.IsZero() && entry.TokenEnd.Before(end) {
		end = entry.TokenEnd
	}
	if !v.now.Before(end) {
		return answer{}, refuse(PlatformExpired, nil)
	}
	a, err := l.open(ctx, v, link.Session{
		UserID:        entry.UserID,
		PlatformToken: hashToken(entry.Token),
		Params:        packed(entry),
		Locale:        pages.Match(l.languages(v.Request)...).String(),
		StartedAt:     v.now,
		ExpiresAt:     end,
	}, l.Channel.OIDC.Prompt)
	a.found = true
	return a, err
}

// open stores a new session, gives the browser its cookie and sends it to the issuer.
func (l *Logins) open(ctx context.Context, v *visit, s link.Session, prompt string) (answer, error) {
	metadata, ok := l.Issuer.Metadata()
	if !ok {
		return answer{}, refuse(IssuerUnknown, nil)
	}
	if _, err := l.clientAuth(metadata); err != nil {
		return answer{}, err // better now than after the person has signed in
	}
	store, err := l.Store()
	if err != nil {
		return answer{}, storeRefusal(err)
	}
	cookie, nonce := newCookieValue(v.now), link.NewCode()
	s.Flow, s.Channel, s.Step = rand.Text(), l.ID, link.Started
	state := newState(s.Flow)
	s.Verifier = link.NewCode() // RFC 7636 section 4.1 asks for this very form
	s.StateHash, s.CookieHash, s.NonceHash = link.HashCode(state), link.HashCode(cookie), link.HashCode(nonce)
	s.FormHash = link.HashCode(formToken(cookie, s.Flow))
	if err := store.PutSession(ctx, s); err != nil {
		return answer{}, storeRefusal(err)
	}
	v.session = &s
	return answer{
		reason:   OK,
		location: l.authorizationURL(metadata, v.Request, s, state, nonce, prompt),
		cookies:  l.jar.put(v.Request, s.Flow, cookie, s.ExpiresAt.Sub(v.now)),
	}, nil
}

// sameForAll is the part of the request to the issuer that every login of the channel has, encoded. What each has for itself
// is left out, whatever the owner's extra parameters say.
func (l *Logins) sameForAll() string {
	o := l.Channel.OIDC
	query := url.Values{}
	for name, value := range o.ExtraAuthParams {
		query.Set(name, value)
	}
	for _, name := range []string{"state", "nonce", "code_challenge", "prompt", "ui_locales"} {
		query.Del(name)
	}
	query.Set("response_type", "code")
	query.Set("client_id", o.ClientID)
	query.Set("redirect_uri", l.callbackURL())
	query.Set("scope", strings.Join(o.Scopes, " "))
	query.Set("code_challenge_method", "S256")
	if len(o.ACRValues) > 0 {
		query.Set("acr_values", strings.Join(o.ACRValues, " "))
	}
	if o.MaxAge != nil {
		query.Set("max_age", strconv.Itoa(int(o.MaxAge.Std()/time.Second)))
	}
	return query.Encode()
}

// authorizationURL is the request to the issuer (OpenID Connect Core section 3.1.2.1). The issuer's own query stays.
func (l *Logins) authorizationURL(m issuer.Metadata, r *http.Request, s link.Session, state, nonce, prompt string) string {
	u, err := url.Parse(m.AuthorizationEndpoint)
	if err != nil {
		panic(err) // the watcher has judged it
	}
	challenge := sha256.Sum256([]byte(s.Verifier))
	query := l.request + "&state=" + state + "&nonce=" + nonce +
		"&code_challenge=" + base64.RawURLEncoding.EncodeToString(challenge[:]) // all three are of unreserved characters
	if prompt != "" {
		query += "&prompt=" + url.QueryEscape(prompt)
	}
	if locales := l.uiLocales(r); len(locales) > 0 {
		query += "&ui_locales=" + url.QueryEscape(strings.Join(locales, " "))
	}
	u.RawQuery = strings.TrimPrefix(u.RawQuery+"&"+query, "&")
	return u.String()
}

// languages are what the pages are matched with: what the browser prefers, then what the channel's owner does.
func (l *Logins) languages(r *http.Request) []string {
	return append(r.Header.Values("Accept-Language"), l.Channel.OIDC.UILocales...)
}

// maxLocales bounds what is passed on of Accept-Language.
const maxLocales = 8

var languageTag = regexp.MustCompile(`^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$`)

// uiLocales are the languages that the issuer is asked to speak: the owner's choice, or the browser's, which writes the one
// that it prefers first.
func (l *Logins) uiLocales(r *http.Request) []string {
	if len(l.Channel.OIDC.UILocales) > 0 {
		return l.Channel.OIDC.UILocales
	}
	var tags []string
	for entry := range strings.SplitSeq(r.Header.Get("Accept-Language"), ",") {
		tag, _, _ := strings.Cut(entry, ";")
		if tag = strings.TrimSpace(tag); languageTag.MatchString(tag) && len(tag) <= 35 && len(tags) < maxLocales {
			tags = append(tags, tag)
		}
	}
	return tags
}

func formToken(cookie, flow string) string { return derived(cookie, "form token", flow) }

// hashToken names a platform's token in the store.
func hashToken(token string) string {
	if token == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// The names under which a session's parameters hold the rest of its entry, and the chat user once he is known. No
// parameter of a platform has a colon.
const (
	packedLife    = ":life"
	packedName    = ":name"
	packedPicture = ":picture"
)

// size is that of parameters with their names, in bytes.
func size(params map[string]string) (bytes int) {
	for name, value := range params {
		bytes += len(name) + len(value)
	}
	return bytes
}

// packed puts what a login needs of its entry later into the parameters of a session. The token is in the platform's own
// parameters, and its hash in the session.
func packed(e link.Entry) map[string]string {
	params := maps.Clone(e.Params)
	if params == nil {
		params = map[string]string{}
	}
	params[packedLife] = e.TokenLife.String()
	return params
}

// entryOf is the entry that a session was opened with, as far as it is kept.
func entryOf(s link.Session) link.Entry {
	e := link.Entry{UserID: s.UserID, Params: map[string]string{}}
	e.TokenLife, _ = time.ParseDuration(s.Params[packedLife]) // we wrote it; what cannot be read has no life
	for name, value := range s.Params {
		if !strings.HasPrefix(name, ":") {
			e.Params[name] = value
		}
	}
	return e
}
