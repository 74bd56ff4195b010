package authorize

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/cel-go/cel"

	"channellink.dev/operator/webhookserver/authorize/issuer"
	"channellink.dev/operator/webhookserver/config"
	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/outbound"
	"channellink.dev/operator/webhookserver/secretfile"
)

// Issuer is the channel's OpenID provider; [issuer.Watcher] is one.
type Issuer interface {
	// Metadata returns what is known of it, and whether that may be used for logins.
	Metadata() (issuer.Metadata, bool)
	// VerifySignature returns the payload of a token that it signed.
	VerifySignature(ctx context.Context, token string) ([]byte, error)
}

// Secrets reads the mounted keys of a channel, each time anew so that a rotation counts at once. A field is nil where the
// channel refers to no such key.
type Secrets struct {
	// ClientSecret reports false when there is no value, or when it is bound to another issuer than the channel's.
	ClientSecret func() (secretfile.Secret, bool)
	// PrivateKey is the file of the key for private_key_jwt, for which [UsableKey] holds.
	PrivateKey func() ([]byte, bool)
	// CodeKey keys the pseudonyms of linking.code: Stable.
	CodeKey func() (secretfile.Secret, bool)
	// Logo is the picture of the channel's owner for the pages.
	Logo func() ([]byte, bool)
}

// Options are what [Logins] are made of.
type Options struct {
	Channel  config.Channel
	ID       link.ChannelID
	Platform Platform
	Issuer   Issuer
	// Client calls the token and userinfo endpoints.
	Client *outbound.Client
	// Store returns the store, or [link.ErrUnavailable] as long as it is not open.
	Store   func() (link.SessionStore, error)
	Secrets Secrets
	Now     func() time.Time
	Log     *slog.Logger
	// Observe counts how steps end; nil counts nothing.
	Observe func(step string, reason Reason)
	// Refused is told of every login that was begun and is not let through; nil tells nobody.
	Refused func(ctx context.Context, session link.Session, step string, reason Reason)
	// RequestID returns the id that joins an answer and its log lines; nil means none.
	RequestID func(http.ResponseWriter) string
}

// Logins serves the logins of one channel. It holds nothing that another replica would need.
type Logins struct {
	Options
	log      *slog.Logger
	baseURL  string // publicURL without a final slash
	insecure bool   // publicURL is plain http on localhost
	request  string // to the issuer, the part that is the same for all logins
	jar      jar
	required cel.Program // nil without requiredClaims
	origin   *http.CrossOriginProtection
	presses  *presses
}

// New returns the logins of a channel whose settings are valid.
func New(o Options) (*Logins, error) {
	base := strings.TrimRight(o.Channel.PublicURL, "/")
	public, err := url.Parse(base)
	if err != nil {
		return nil, fmt.Errorf("logins of channel %s: publicURL is not a URL", o.ID)
	}
	l := &Logins{
		Options:  o,
		log:      o.Log,
		baseURL:  base,
		insecure: public.Scheme == "http",
		jar:      newJar(o.ID),
		origin:   http.NewCrossOriginProtection(),
		presses:  newPresses(),
	}
	l.request = l.sameForAll()
	// A proxy may change the Host that the protection compares with; the browser's word for our own origin is this one.
	if err := l.origin.AddTrustedOrigin(public.Scheme + "://" + public.Host); err != nil {
		return nil, fmt.Errorf("logins of channel %s: %w", o.ID, err)
	}
	if o.Channel.OIDC.RequiredClaims != "" {
		if l.required, err = config.CompileClaims(o.Channel.OIDC.RequiredClaims); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// callbackURL is our redirect_uri at the issuer.
func (l *Logins) callbackURL() string { return l.baseURL + "/callback" }

func (l *Logins) consentURL(flow string) string { return l.baseURL + "/consent/" + flow }
