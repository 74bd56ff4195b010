package authorize_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"channellink.dev/operator/webhookserver/authorize"
	"channellink.dev/operator/webhookserver/authorize/issuer"
	"channellink.dev/operator/webhookserver/authorize/issuer/issuertest"
	"channellink.dev/operator/webhookserver/config"
	"channellink.dev/operator/webhookserver/secretfile"
)

// unknownIssuer is one that was never discovered.
type unknownIssuer struct{}

func (unknownIssuer) Metadata() (issuer.Metadata, bool) { return issuer.Metadata{}, false }

func (unknownIssuer) VerifySignature(context.Context, string) ([]byte, error) {
	return nil, issuer.ErrUnknownKey
}

// TestClientAuthentication proves the client in the way that the issuer takes.
func TestClientAuthentication(t *testing.T) {
	public := func(_ *world, o *authorize.Options) { o.Secrets = authorize.Secrets{} }
	for _, c := range []struct {
		name     string
		methods  []string
		option   option
		basic    bool
		inForm   []string
		notThere []string
	}{
		{"basic", []string{"client_secret_post", "client_secret_basic"}, nil, true, nil, []string{"client_secret", "client_id"}},
		{"none named: basic", nil, nil, true, nil, []string{"client_secret"}},
		{"post", []string{"client_secret_post"}, nil, false, []string{"client_id", "client_secret"}, nil},
		{"public client", []string{"none"}, public, false, []string{"client_id"}, []string{"client_secret", "client_assertion"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			options := []option{func(w *world, _ *authorize.Options) {
				w.Issuer.Set(map[string]any{"token_endpoint_auth_methods_supported": any(c.methods)})
				if c.methods == nil {
					w.Issuer.Set(map[string]any{"token_endpoint_auth_methods_supported": nil})
				}
			}}
			if c.option != nil {
				options = append(options, c.option)
			}
			w := newWorld(t, options...)
			if p := w.browser().signedIn(t, issuertest.Login{}); p.Code != http.StatusSeeOther {
				t.Fatalf("got %d\n%s", p.Code, w.logs)
			}
			r := w.Issuer.TokenRequests()[0]
			user, password, ok := r.BasicAuth()
			if ok != c.basic {
				t.Errorf("basic authentication is %t, want %t", ok, c.basic)
			}
			if decoded, err := url.QueryUnescape(password); ok && (err != nil || user != clientID || decoded != canary+"-client+/ secret") {
				t.Errorf("the secret is not form-encoded (RFC 6749 section 2.3.1)")
			}
			for _, name := range c.inForm {
				if r.PostForm.Get(name) == "" {
					t.Errorf("the form has no %s", name)
				}
			}
			for _, name := range c.notThere {
				if r.PostForm.Has(name) {
					t.Errorf("the form has a %s", name)
				}
			}
		})
	}
}

// TestSecretWithheld lets the client secret become unusable while somebody signs in: it is not sent. // C57
func TestSecretWithheld(t *testing.T) {
	usable := true
	w := newWorld(t, func(_ *world, o *authorize.Options) {
		o.Secrets.ClientSecret = func() (secretfile.Secret, bool) { return secretfile.NewSecret(canary), usable }
	})
	b := w.browser()
	callback := "/callback?" + w.Issuer.SignIn(t, b.atIssuer(t), issuertest.Login{}).Encode()
	usable = false
	if p := b.get(t, callback); p.Code != http.StatusServiceUnavailable {
		t.Errorf("got %d, want 503", p.Code)
	}
	if n := len(w.Issuer.TokenRequests()); n != 0 {
		t.Errorf("there were %d token requests, want none", n)
	}
}

// TestTokenAnswers has the token endpoint answer everything but tokens. Not a word of it may be shown or logged. // C53, C54
func TestTokenAnswers(t *testing.T) {
	const evil = "EVIL-BODY"
	var elsewhere string
	for _, c := range []struct {
		name    string
		answer  http.HandlerFunc
		code    int
		refused authorize.Reason
	}{
		{"client refused", issuertest.Answer(401, `{"error":"invalid_client","error_description":"`+evil+`"}`), 502, authorize.ClientRefused},
		{"client refused without a word", issuertest.Answer(401, evil), 502, authorize.ClientRefused},
		{"code refused", issuertest.Answer(400, `{"error":"invalid_grant","error_description":"`+evil+`"}`), 400, authorize.CodeRefused},
		{"an error that is none", issuertest.Answer(400, `{"error":"`+evil+`"}`), 502, authorize.TokenMalformed},
		{"down", issuertest.Answer(503, evil), 503, authorize.IssuerUnavailable},
		{"too busy", issuertest.Answer(429, evil), 503, authorize.IssuerUnavailable},
		{"no JSON", issuertest.Answer(200, evil), 502, authorize.TokenMalformed},
		{"no ID token", issuertest.Answer(200, `{"access_token":"`+evil+`"}`), 502, authorize.TokenMalformed},
		{"an error with 200", issuertest.Answer(200, `{"error":"`+evil+`"}`), 502, authorize.TokenMalformed},
		{"endless", issuertest.Endless, 503, authorize.IssuerUnavailable},
		{"a redirect", func(w http.ResponseWriter, r *http.Request) { issuertest.Redirect(elsewhere)(w, r) }, 503, authorize.IssuerUnavailable},
		{"a broken connection", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 503, authorize.IssuerUnavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			elsewhere = w.Issuer.URL + "/elsewhere"
			b := w.browser()
			callback := "/callback?" + w.Issuer.SignIn(t, b.atIssuer(t), issuertest.Login{}).Encode()
			w.Issuer.Handle(issuertest.TokenPath, c.answer)
			p := b.get(t, callback)
			if p.Code != c.code || w.count(c.refused) != 1 {
				t.Errorf("got %d, want %d and %s\n%s", p.Code, c.code, c.refused, w.logs)
			}
			if strings.Contains(p.Body+w.logs.String(), evil) {
				t.Errorf("the issuer's words are repeated:\n%s\n%s", p.Body, w.logs)
			}
			if w.Issuer.Hits()["/elsewhere"] != 0 {
				t.Error("the redirect was followed") // C51
			}
			if again := b.get(t, callback); again.Code != http.StatusConflict { // C4: a failed exchange is not tried again
				t.Errorf("the same callback again got %d, want 409", again.Code)
			}
		})
	}
}

// TestUserInfo asks the issuer for claims that the ID token lacks.
func TestUserInfo(t *testing.T) {
	lean := issuertest.Login{Claims: map[string]any{"name": nil, "email": nil, "email_verified": nil}}
	answer := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer access-") {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			_, _ = w.Write([]byte(body))
		}
	}
	unsaid := issuertest.Login{Claims: map[string]any{"email_verified": nil}}
	byEmail := oidc(func(o *config.OIDC) { o.UserClaim = "email" })
	for _, c := range []struct {
		name, reason, body string
		login              issuertest.Login
		option             option
		want               int
		account            string
	}{
		{"complete", "the endpoint tells what the token does not", `{"sub":"` + issuertest.Subject + `","email":"j.dupont@vision.example","email_verified":true}`, lean, byEmail, 303, "j.dupont@vision.example"},
		{"of another person", "OpenID Connect Core section 5.3.2", `{"sub":"evil","email":"boss@vision.example","email_verified":true}`, lean, byEmail, 502, ""},
		{"unverified", "an address that anybody can claim", `{"sub":"` + issuertest.Subject + `","email":"boss@vision.example","email_verified":false}`, lean, byEmail, 403, ""},
		{"verified", "the token has the address, and not that it is verified", `{"sub":"` + issuertest.Subject + `","email":"j.dupont@vision.example","email_verified":true}`, unsaid, byEmail, 303, "j.dupont@vision.example"},
		{"verified is another address", "OpenID Connect Core section 5.1: the claim speaks of the address beside it", `{"sub":"` + issuertest.Subject + `","email":"boss@vision.example","email_verified":true}`, unsaid, byEmail, 403, ""},
		{"signed claims stay", "what is signed counts", `{"sub":"` + issuertest.Subject + `","email":"boss@vision.example","name":"J"}`, issuertest.Login{Claims: map[string]any{"name": nil}}, byEmail, 303, "j.dupont@vision.example"},
		{"no JSON", "the token has to do", "EVIL", lean, nil, 303, issuertest.Subject},
	} {
		t.Run(c.name, func(t *testing.T) {
			options := []option{}
			if c.option != nil {
				options = append(options, c.option)
			}
			w := newWorld(t, options...)
			w.Issuer.Handle(issuertest.UserInfoPath, answer(c.body))
			b := w.browser()
			p := b.signedIn(t, c.login)
			if p.Code != c.want {
				t.Fatalf("%s: got %d, want %d\n%s", c.reason, p.Code, c.want, w.logs)
			}
			if c.want != http.StatusSeeOther {
				return
			}
			b.press(t, b.get(t, below(t, p.Location)), "link")
			if links := w.pending(t); len(links) != 1 || links[0].Identity.Account != c.account {
				t.Errorf("%s: links are %+v, want account %q", c.reason, links, c.account)
			}
		})
	}
}
