package messenger

import (
	"net/url"

	"channellink.dev/operator/webhookserver/link"
)

// The parameters that Messenger appends to the account linking URL, and the one that
// it takes back (Messenger Platform, account linking, authentication).
const (
	paramToken    = "account_linking_token"
	paramRedirect = "redirect_uri"
	paramCode     = "authorization_code"
)

// maxToken bounds the account_linking_token; real ones have some 110 characters.
const maxToken = 1024

// Enter checks the parameters of a login from the Log In button. They name no user:
// only Graph or the confirming event does. The error is a [link.ParamError].
func Enter(query url.Values, redirects Redirects) (link.Entry, error) {
	params, err := link.TakeParams(query, paramToken, paramRedirect)
	if err != nil {
		return link.Entry{}, err
	}
	if !link.Plain(params[paramToken], maxToken) {
		return link.Entry{}, &link.ParamError{Param: paramToken, Problem: link.ParamMalformed}
	}
	if err := redirects.Check(params[paramRedirect], params[paramToken]); err != nil {
		return link.Entry{}, err
	}
	return link.Entry{Token: params[paramToken], TokenLife: link.MessengerTokenLife, Params: params}, nil
}

// Return is where the browser goes with the code: the redirect_uri, to which the code
// is appended. The URI is checked again, because it has been in the store meanwhile.
func Return(e link.Entry, code string, redirects Redirects) (string, error) {
	if err := link.CheckCode(code); err != nil {
		return "", err
	}
	if err := redirects.Check(e.Params[paramRedirect], e.Params[paramToken]); err != nil {
		return "", err
	}
	return link.AppendQuery(e.Params[paramRedirect], paramCode, code)
}

// Cancel is where the browser goes when the user says no: the same redirect_uri
// without a code makes Messenger abort the linking.
func Cancel(e link.Entry, redirects Redirects) (string, bool) {
	if redirects.Check(e.Params[paramRedirect], e.Params[paramToken]) != nil {
		return "", false
	}
	return e.Params[paramRedirect], true
}
