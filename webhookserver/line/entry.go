package line

import (
	"net/url"

	"channellink.dev/operator/webhookserver/link"
)

// The parameters of a login, and the one that LINE takes back (Messaging API, linking
// accounts).
const (
	paramToken = "linkToken"
	paramNonce = "nonce"
)

// maxToken bounds the linkToken; real ones have 32 characters.
const maxToken = 512

// Enter checks the parameters of a login from a message of the bot. They name no user:
// only the confirming event does. The error is a [link.ParamError].
func Enter(query url.Values) (link.Entry, error) {
	params, err := link.TakeParams(query, paramToken)
	if err != nil {
		return link.Entry{}, err
	}
	if !link.Plain(params[paramToken], maxToken) {
		return link.Entry{}, &link.ParamError{Param: paramToken, Problem: link.ParamMalformed}
	}
	return link.Entry{Token: params[paramToken], TokenLife: link.LINETokenLife, Params: params}, nil
}

// Return is where the browser goes with the code, which LINE calls a nonce. LINE has
// no way of being told that the user said no: an unused token lapses.
func Return(e link.Entry, code, accountLinkEndpoint string) (string, error) {
	if err := link.CheckCode(code); err != nil {
		return "", err
	}
	if !link.Plain(e.Params[paramToken], maxToken) {
		return "", &link.ParamError{Param: paramToken, Problem: link.ParamMalformed}
	}
	return link.AppendQuery(accountLinkEndpoint, paramToken, e.Params[paramToken], paramNonce, code)
}
