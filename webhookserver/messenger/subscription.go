package messenger

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"slices"

	"channellink.dev/operator/webhookserver/event"
	"channellink.dev/operator/webhookserver/secretfile"
)

// linkingField is the webhook field without which Messenger aborts every login
// (Messenger Platform, account linking).
const linkingField = "messaging_account_linking"

// Subscription is how a page's linking events get to a webhook. An event is sent when
// both the page and the app ask for it (Graph API, page subscribed apps).
type Subscription struct {
	// Page: the page sends its linking events to the app.
	Page bool
	// App is the app's own side; nil without the app secret, with which alone it can be
	// read.
	App *AppWebhook
}

// AppWebhook is the webhook of a Facebook app, for all its pages.
type AppWebhook struct {
	URL    string // empty when none is set
	Active bool
	// Linking: it gets linking events.
	Linking bool
}

// Subscription asks how the page's linking events get to a webhook. The page access
// token reads the page's side and names the app. The app's side takes a token of the
// app, which is made of its id and its secret (access tokens, app access tokens).
func (g *Graph) Subscription(ctx context.Context) (Subscription, error) {
	var s Subscription
	app, err := g.app(ctx)
	if err != nil {
		return s, err
	}
	if s.Page, err = g.pageSubscribed(ctx, app); err != nil || g.AppSecrets == nil {
		return s, err
	}
	for _, secret := range g.AppSecrets() {
		s.App, err = g.appWebhook(ctx, app, secret)
		if _, refused := errors.AsType[*GraphError](err); !refused {
			break // and else with the next one: while a secret is renewed only Meta knows which counts
		}
	}
	return s, err
}

// app asks for the app that the page access token was issued to.
func (g *Graph) app(ctx context.Context) (event.ID, error) {
	var said struct {
		ID event.ID `json:"id"`
	}
	err := g.get(ctx, "/app", url.Values{"fields": {"id"}}, &said)
	return said.ID, err
}

func (g *Graph) pageSubscribed(ctx context.Context, app event.ID) (bool, error) {
	var said struct {
		Data []struct {
			ID     event.ID `json:"id"`
			Fields []string `json:"subscribed_fields"`
		} `json:"data"`
	}
	err := g.get(ctx, "/"+url.PathEscape(g.PageID)+"/subscribed_apps", url.Values{"fields": {"id,subscribed_fields"}}, &said)
	for _, subscribed := range said.Data {
		if subscribed.ID == app && slices.Contains(subscribed.Fields, linkingField) {
			return true, err
		}
	}
	return false, err
}

func (g *Graph) appWebhook(ctx context.Context, app event.ID, secret secretfile.Secret) (*AppWebhook, error) {
	var said struct {
		Data []struct {
			Object string       `json:"object"`
			URL    string       `json:"callback_url"`
			Active bool         `json:"active"`
			Fields []fieldNamed `json:"fields"`
		} `json:"data"`
	}
	as := *g
	as.Token = func() (secretfile.Secret, bool) {
		return secretfile.NewSecret(string(app) + "|" + secret.Reveal()), true
	}
	err := as.get(ctx, "/"+url.PathEscape(string(app))+"/subscriptions", url.Values{}, &said)
	for _, s := range said.Data {
		if s.Object == "page" {
			return &AppWebhook{URL: s.URL, Active: s.Active, Linking: slices.Contains(s.Fields, linkingField)}, err
		}
	}
	return &AppWebhook{}, err
}

// fieldNamed is the name of a webhook field, which Graph writes as a string or as an
// object with the version beside it.
type fieldNamed string

// UnmarshalJSON implements json.Unmarshaler.
func (f *fieldNamed) UnmarshalJSON(data []byte) error {
	var object struct {
		Name string `json:"name"`
	}
	if len(data) > 0 && data[0] == '"' {
		return json.Unmarshal(data, (*string)(f))
	}
	err := json.Unmarshal(data, &object)
	*f = fieldNamed(object.Name)
	return err
}
