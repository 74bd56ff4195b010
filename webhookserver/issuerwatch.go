package webhookserver

import (
	"context"
	"crypto/x509"
	"log/slog"
	"sync"
	"time"

	"channellink.dev/operator/webhookserver/adminapi"
	"channellink.dev/operator/webhookserver/authorize/issuer"
	"channellink.dev/operator/webhookserver/config"
	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/outbound"
	"channellink.dev/operator/webhookserver/secretfile"
)

// issuerWatch knows a channel's issuer: it joins the watcher of the issuer's documents with the channel's CA bundle and the
// store that may not be open yet.
type issuerWatch struct {
	client  *outbound.Client
	watcher *issuer.Watcher
	bundle  *secretfile.File // nil without oidc.caBundleConfigMapRef
}

func newIssuerWatch(c *channel, network config.Network, store *storeKeeper, files *secretfile.Watcher, log *slog.Logger,
	called func(status int, err error),
) *issuerWatch {
	w := &issuerWatch{}
	options := outbound.Options{Policy: policy(network), Called: called}
	if c.OIDC.CABundle != nil {
		w.bundle = files.File(c.OIDC.CABundle.Path)
		options.Roots = (&roots{bundle: w.bundle}).pool
	}
	w.client = outbound.New(options)
	w.watcher = issuer.NewWatcher(issuer.WatcherOptions{
		Channel:   c.id,
		IssuerURL: c.OIDC.IssuerURL,
		Client:    w.client,
		Store:     patientStore{store},
		Log:       log,
	})
	return w
}

// run watches the issuer until ctx is done, and asks it at once when the CA bundle has changed.
func (w *issuerWatch) run(ctx context.Context) {
	defer w.client.CloseIdleConnections()
	var all sync.WaitGroup
	defer all.Wait()
	if w.bundle != nil {
		all.Go(func() { w.followBundle(ctx) })
	}
	w.watcher.Run(ctx)
}

func (w *issuerWatch) followBundle(ctx context.Context) {
	for _, changed := w.bundle.Watch(); ; _, changed = w.bundle.Watch() {
		select {
		case <-ctx.Done():
			return
		case <-changed:
			w.watcher.Refresh()
		}
	}
}

// State is what the operator is told of the issuer.
func (w *issuerWatch) State() adminapi.Issuer {
	seen := w.watcher.State()
	told := adminapi.Issuer{Reason: issuerReasons[seen.Reason]}
	switch seen.Phase {
	case issuer.Discovered:
		told.State = adminapi.IssuerDiscovered
	case issuer.Stale:
		told.State = adminapi.IssuerStale
	case issuer.Expired:
		told.State = adminapi.IssuerFailed
	default:
		told.State = adminapi.IssuerPending
		if seen.Reason != "" {
			told.State = adminapi.IssuerFailed
		}
	}
	switch told.Reason {
	case adminapi.IssuerBadStatus, adminapi.IssuerRedirected:
		told.HTTPStatus = seen.HTTPStatus
	case adminapi.IssuerTLSFailed:
		if w.bundle != nil && !holdsCertificates(w.bundle.Load()) {
			told.Reason = adminapi.IssuerCABundleInvalid // why the certificate is not trusted
		}
	}
	return told
}

// Age is that of the documents in use; false while there are none.
func (w *issuerWatch) Age(now time.Time) (time.Duration, bool) {
	fetched := w.watcher.State().FetchedAt
	return now.Sub(fetched), !fetched.IsZero()
}

// issuerReasons says in the admin API's words why discovery failed. What they have no word of their own for is told as what
// one would look at.
var issuerReasons = map[issuer.Reason]adminapi.IssuerReason{
	issuer.IssuerURLInvalid:  adminapi.IssuerAddressRefused,
	issuer.AddressRefused:    adminapi.IssuerAddressRefused,
	issuer.IssuerUnreachable: adminapi.IssuerUnreachable,
	issuer.TLSFailed:         adminapi.IssuerTLSFailed,
	issuer.TimedOut:          adminapi.IssuerTimedOut,
	issuer.IssuerRedirected:  adminapi.IssuerRedirected,
	issuer.StatusUnexpected:  adminapi.IssuerBadStatus,
	issuer.DocumentTooLarge:  adminapi.IssuerDocumentInvalid,
	issuer.DocumentInvalid:   adminapi.IssuerDocumentInvalid,
	issuer.IssuerMismatch:    adminapi.IssuerMismatch,
	issuer.EndpointRefused:   adminapi.IssuerEndpointRefused,
	issuer.PKCEUnsupported:   adminapi.IssuerPKCEUnsupported,
	issuer.KeysUnavailable:   adminapi.IssuerDocumentInvalid,
}

// roots are the authorities of a CA bundle beside the system's, parsed once for each content of the file.
type roots struct {
	bundle *secretfile.File

	mu    sync.Mutex
	raw   []byte
	known *x509.CertPool
}

// pool is nil, which stands for the system's authorities, as long as there is no bundle.
func (r *roots) pool() *x509.CertPool {
	raw := r.bundle.Load().Raw()
	r.mu.Lock()
	defer r.mu.Unlock()
	if raw == nil {
		return nil
	}
	if r.known == nil || string(raw) != string(r.raw) {
		r.known, _ = outbound.Roots(raw)
		r.raw = raw
	}
	return r.known
}

func holdsCertificates(s secretfile.Snapshot) bool {
	return s.Usable() && x509.NewCertPool().AppendCertsFromPEM(s.Raw())
}

// patientStore is the store for one who asks before it is open: it waits as long as a call may take.
type patientStore struct{ keeper *storeKeeper }

// PutIssuerDocuments implements link.IssuerStore.
func (p patientStore) PutIssuerDocuments(ctx context.Context, d link.IssuerDocuments) error {
	s, err := p.keeper.wait(ctx)
	if err != nil {
		return err
	}
	return s.PutIssuerDocuments(ctx, d)
}

// IssuerDocuments implements link.IssuerStore.
func (p patientStore) IssuerDocuments(ctx context.Context, channel link.ChannelID, issuerURL string) (link.IssuerDocuments, error) {
	s, err := p.keeper.wait(ctx)
	if err != nil {
		return link.IssuerDocuments{}, err
	}
	return s.IssuerDocuments(ctx, channel, issuerURL)
}
