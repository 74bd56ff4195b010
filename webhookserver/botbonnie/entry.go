package botbonnie

import (
	"fmt"
	"net/url"
	"time"

	"channellink.dev/operator/webhookserver/link"
)

// The parameters that BotBonnie adds to the login URL, and those that it takes back
// (BotBonnie, account linking, 1.2 and 2.1).
const (
	paramUser      = "userId"
	paramPage      = "pageId"
	paramCarry     = "carry"
	paramLinkToken = "linkToken"
	paramRedirect  = "redirect_uri"
	paramToken     = "account_linking_token"
	paramNonce     = "nonce"
	paramCode      = "authorization_code"
)

// Bounds of the parameters. Nothing is documented; real values are a fifth of this, or less.
const (
	maxUser  = 64
	maxToken = 1024
	maxCarry = link.MaxSessionParams // of all together, no more is kept
)

// Platform is the chat platform behind BotBonnie.
type Platform string

// The platforms, by the names that BotBonnie's API has for them.
const (
	Facebook Platform = "FB"
	LINE     Platform = "LINE"
)

// Login says what a channel's logins look like.
type Login struct {
	Platform Platform
	// PageID that the parameters must name.
	PageID string
	// RedirectEndpoint is where BotBonnie takes browsers back.
	RedirectEndpoint string
	// CheckRedirect judges a redirect_uri that came with token; its error is a
	// [link.ParamError]. It is Messenger's matter; nil with LINE.
	CheckRedirect func(redirectURI, token string) error
}

// Enter checks the parameters of a login: all of the platform's, and of this channel's
// page. userId is what the query claims; nobody has signed it. The error is a
// [link.ParamError].
func (l Login) Enter(query url.Values) (link.Entry, error) {
	params, err := link.TakeParams(query, l.names()...)
	if err != nil {
		return link.Entry{}, err
	}
	token, life := l.token()
	switch {
	case params[paramPage] != l.PageID:
		return link.Entry{}, &link.ParamError{Param: paramPage, Problem: link.ParamWrongPage}
	case !link.Plain(params[paramUser], maxUser):
		return link.Entry{}, &link.ParamError{Param: paramUser, Problem: link.ParamMalformed}
	case len(params[paramCarry]) > maxCarry:
		return link.Entry{}, &link.ParamError{Param: paramCarry, Problem: link.ParamTooLong}
	case !link.Plain(params[token], maxToken):
		return link.Entry{}, &link.ParamError{Param: token, Problem: link.ParamMalformed}
	}
	if l.Platform == Facebook {
		if err := l.CheckRedirect(params[paramRedirect], params[paramToken]); err != nil {
			return link.Entry{}, err
		}
	}
	return link.Entry{UserID: params[paramUser], Token: params[token], TokenLife: life, Params: params}, nil
}

// Return is where the browser goes with the code: back to BotBonnie, which leads it on
// to the platform. carry is given back as it came; redirect_uri is one value, so that
// the parameters inside it stay inside.
func (l Login) Return(e link.Entry, code string) (string, error) {
	if err := link.CheckCode(code); err != nil {
		return "", err
	}
	for _, name := range l.names() {
		if e.Params[name] == "" {
			return "", fmt.Errorf("way back to BotBonnie: the login has no %s", name)
		}
	}
	if l.Platform == LINE {
		return link.AppendQuery(l.RedirectEndpoint,
			paramCarry, e.Params[paramCarry], paramLinkToken, e.Params[paramLinkToken], paramNonce, code)
	}
	if err := l.CheckRedirect(e.Params[paramRedirect], e.Params[paramToken]); err != nil {
		return "", err
	}
	return link.AppendQuery(l.RedirectEndpoint,
		paramCarry, e.Params[paramCarry], paramRedirect, e.Params[paramRedirect],
		paramToken, e.Params[paramToken], paramCode, code)
}

// Cancel is where the browser goes when the user says no. BotBonnie documents nothing;
// Messenger's own way is its redirect_uri without a code, and LINE has none.
func (l Login) Cancel(e link.Entry) (string, bool) {
	if l.Platform != Facebook || l.CheckRedirect(e.Params[paramRedirect], e.Params[paramToken]) != nil {
		return "", false
	}
	return e.Params[paramRedirect], true
}

func (l Login) names() []string {
	if l.Platform == LINE {
		return []string{paramUser, paramPage, paramCarry, paramLinkToken}
	}
	return []string{paramUser, paramPage, paramCarry, paramRedirect, paramToken}
}

// token is the name of the platform's token and how long it is good.
func (l Login) token() (string, time.Duration) {
	if l.Platform == LINE {
		return paramLinkToken, link.LINETokenLife
	}
	return paramToken, link.MessengerTokenLife
}
