package webhookserver

import (
	"bytes"
	"context"
	"io"
	"net/http"

	"channellink.dev/operator/webhookserver/authorize"
	"channellink.dev/operator/webhookserver/config"
	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/secretfile"
)

// newLogins joins a channel's logins with its issuer, its platform, the store and the mounted keys.
func (s *Server) newLogins(c *channel, network config.Network) (*authorize.Logins, error) {
	platform, err := s.newLoginPlatform(c, network)
	if err != nil {
		return nil, err
	}
	return authorize.New(authorize.Options{
		Channel:  c.Channel,
		ID:       c.id,
		Platform: platform,
		Issuer:   c.issuer.watcher,
		Client:   c.issuer.client,
		Store:    func() (link.SessionStore, error) { return s.store.Store() },
		Secrets:  c.loginSecrets(),
		Now:      s.now,
		Log:      s.logOf(c),
		Observe:  func(step string, reason authorize.Reason) { s.metrics.observeLogin(c.Name, step, reason) },
		Refused: func(ctx context.Context, session link.Session, step string, reason authorize.Reason) {
			s.refused(ctx, c, session, step, reason)
		},
		RequestID: func(w http.ResponseWriter) string { return w.Header().Get(requestIDHeader) },
	})
}

func loginRoutes(logins *authorize.Logins) []route {
	return []route{
		{"GET /authorize", logins.Authorize, false},
		{"GET /callback", logins.Callback, false},
		{"GET /consent/{flow}", logins.Consent, false},
		{"POST /consent/{flow}", withForm(logins.Consent), true},
	}
}

// withForm receives the body of a form, within the limits of this server.
func withForm(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var body bytes.Buffer
		if err := receive(w, r, &body, maxFormBody); err != nil {
			writeProblemPage(w, r, bodyProblem(err))
			return
		}
		r.Body = io.NopCloser(&body)
		next(w, r)
	}
}

// loginSecrets reads the references of the channel that logins need. One that is there and not good, such as a client secret
// that belongs to another issuer, is not given out (C57).
func (c *channel) loginSecrets() authorize.Secrets {
	newest := func(f *config.File) func() (secretfile.Secret, bool) {
		ref, ok := c.reference(f)
		if !ok {
			return nil
		}
		return func() (secretfile.Secret, bool) {
			now, ok := ref.load()
			if !ok {
				return secretfile.Secret{}, false
			}
			return now.Newest()
		}
	}
	raw := func(f *config.File) func() ([]byte, bool) {
		ref, ok := c.reference(f)
		if !ok {
			return nil
		}
		return func() ([]byte, bool) {
			now, ok := ref.load()
			return now.Raw(), ok
		}
	}
	return authorize.Secrets{
		ClientSecret: newest(c.OIDC.ClientSecret),
		PrivateKey:   raw(c.OIDC.PrivateKey),
		CodeKey:      newest(c.Linking.CodeKey),
		Logo:         raw(c.Branding.Logo),
	}
}

// reference finds the followed file of a setting; false for a setting that is not made.
func (c *channel) reference(f *config.File) (reference, bool) {
	if f == nil {
		return reference{}, false
	}
	for _, r := range c.references {
		if r.field == f.Field {
			return r, true
		}
	}
	return reference{}, false
}
