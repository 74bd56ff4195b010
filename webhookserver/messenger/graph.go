package messenger

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"channellink.dev/operator/webhookserver/event"
	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/outbound"
	"channellink.dev/operator/webhookserver/secretfile"
)

// ErrOtherPage: the page access token belongs to another page than the channel's.
var ErrOtherPage = errors.New("the page access token is of another page")

// Graph calls Meta's Graph API for one page.
type Graph struct {
	// Endpoint is the base with the version.
	Endpoint string
	PageID   string
	// Token is the page access token to use now; false if there is none.
	Token func() (secretfile.Secret, bool)
	// AppSecrets make the appsecret_proof, newest first; nil or none: calls go without it.
	AppSecrets func() []secretfile.Secret
	// Do makes the call; its errors show neither URL nor body, both of which hold
	// tokens.
	Do func(*http.Request) (*outbound.Response, error)
}

// Configured reports whether there is a token to call with.
func (g *Graph) Configured() bool {
	if g == nil || g.Token == nil {
		return false
	}
	_, ok := g.Token()
	return ok
}

// Recipient asks for whom Messenger issued the login's account_linking_token: the one
// who tapped Log In, by PSID. [link.ErrExpired] means that the token is no good;
// every other error, that Graph cannot say.
func (g *Graph) Recipient(ctx context.Context, e link.Entry) (string, error) {
	var said struct {
		ID        event.ID `json:"id"`
		Recipient event.ID `json:"recipient"`
	}
	err := g.get(ctx, "/me", url.Values{"fields": {"recipient"}, paramToken: {e.Params[paramToken]}}, &said)
	if refused, ok := errors.AsType[*GraphError](err); ok {
		return "", g.blame(ctx, refused)
	}
	if err != nil {
		return "", err
	}
	if string(said.ID) != g.PageID {
		return "", ErrOtherPage
	}
	if said.Recipient == "" {
		return "", errors.New("graph names no recipient")
	}
	return string(said.Recipient), nil
}

// blame finds out whose fault a refusal is: [link.ErrExpired] if it is the login's token's. Code 100 is given for any
// parameter, our own appsecret_proof included, and no subcode is documented for a token that is over. So Graph is asked
// for the page alone: if it takes that, all that was wrong is the token.
func (g *Graph) blame(ctx context.Context, refused *GraphError) error {
	switch {
	case refused.Code == codeLinking, refused.Code == codeParameter && refused.Subcode == subcodeNobody:
		return fmt.Errorf("%w: %w", link.ErrExpired, refused)
	case refused.Code != codeParameter:
		return refused
	}
	var said struct {
		ID event.ID `json:"id"`
	}
	if err := g.get(ctx, "/me", url.Values{"fields": {"id"}}, &said); err != nil {
		return err
	}
	if string(said.ID) != g.PageID {
		return ErrOtherPage
	}
	return fmt.Errorf("%w: %w", link.ErrExpired, refused)
}

// Profile returns a user's name and the address of his picture, either of which may be
// empty: not every account has them, and not every app may ask.
func (g *Graph) Profile(ctx context.Context, psid string) (name, picture string, err error) {
	var said struct {
		FirstName string `json:"first_name"`
		LastName  string `json:"last_name"`
		Picture   string `json:"profile_pic"`
	}
	if err := g.get(ctx, "/"+url.PathEscape(psid), url.Values{"fields": {"first_name,last_name,profile_pic"}}, &said); err != nil {
		return "", "", err
	}
	return strings.TrimSpace(said.FirstName + " " + said.LastName), said.Picture, nil
}

func (g *Graph) get(ctx context.Context, path string, query url.Values, into any) error {
	return g.call(ctx, http.MethodGet, path, query, nil, into)
}

// call makes one call with the page's token and reads a good answer. A body of nil is none. While an app secret is renewed
// there are two, and only Meta knows which of them it goes by: a proof that is refused is made with the next one, or no login
// would pass between the change of the Secret and the change at Meta.
func (g *Graph) call(ctx context.Context, method, path string, query url.Values, body []byte, into any) error {
	token, ok := g.Token()
	if !ok {
		return errors.New("no page access token")
	}
	query.Set("access_token", token.Reveal())
	var secrets []secretfile.Secret
	if g.AppSecrets != nil {
		secrets = g.AppSecrets()
	}
	if len(secrets) == 0 {
		return g.once(ctx, method, path, query, body, into)
	}
	var err error
	for _, secret := range secrets {
		query.Set("appsecret_proof", proof(secret, token))
		if err = g.once(ctx, method, path, query, body, into); !mayBeProof(err) {
			break
		}
	}
	return err
}

// mayBeProof reports whether a call may have been refused for its proof: the code is that of any wrong parameter. Nothing
// has been done then, so that the call can be made again.
func mayBeProof(err error) bool {
	refused, ok := errors.AsType[*GraphError](err)
	return ok && refused.Code == codeParameter && refused.Subcode == 0
}

// once makes a call that has all its parameters.
func (g *Graph) once(ctx context.Context, method, path string, query url.Values, body []byte, into any) error {
	address := strings.TrimRight(g.Endpoint, "/") + path + "?" + query.Encode()
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return errors.New("graphEndpoint is not a URL") // err holds the token
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := g.Do(req)
	if err != nil {
		return err
	}
	if resp.Status != http.StatusOK {
		return graphError(resp)
	}
	if json.Unmarshal(resp.Body, into) != nil {
		return &outbound.Error{Reason: outbound.BadContent, Host: req.URL.Hostname(), Status: resp.Status}
	}
	return nil
}

// proof shows Graph that whoever has the token has the app secret too (Graph API,
// securing requests).
func proof(appSecret, token secretfile.Secret) string {
	h := hmac.New(sha256.New, []byte(appSecret.Reveal()))
	h.Write([]byte(token.Reveal()))
	return hex.EncodeToString(h.Sum(nil))
}
