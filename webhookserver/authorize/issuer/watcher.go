package issuer

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"golang.org/x/sync/singleflight"

	"channellink.dev/operator/webhookserver/link"
)

// When documents are fetched and how long they are good.
const (
	refreshInterval = 10 * time.Minute // of a good issuer, ± jitter
	retryFirst      = 5 * time.Second  // of a bad one, doubling
	retryLast       = time.Minute
	jitter          = 0.2
	keyInterval     = 10 * time.Second // between key refreshes that tokens ask for
	maxAge          = 24 * time.Hour   // of documents while the issuer is down
	maxSkew         = 5 * time.Minute  // of a clock that wrote a time in the future
)

// Phase is how far the metadata can be relied upon.
type Phase string

// The phases; the package comment has the transitions.
const (
	Never      Phase = "Never"      // nothing is known
	Discovered Phase = "Discovered" // known, and the last refresh was good
	Stale      Phase = "Stale"      // known; the last refresh failed
	Expired    Phase = "Expired"    // too old to be used
)

// State is what a watcher reports. It holds no text that the issuer wrote.
type State struct {
	Phase      Phase
	Reason     Reason   // of the last refresh; empty if it was good or there was none
	Endpoint   Endpoint // which the reason is about
	HTTPStatus int      // 0 if there was none
	FetchedAt  time.Time
}

// WatcherOptions are the parameters of a [Watcher].
type WatcherOptions struct {
	Channel   link.ChannelID
	IssuerURL string
	Client    Client
	Store     link.IssuerStore
	Log       *slog.Logger // nil means none
}

// Watcher keeps one channel's issuer metadata and keys fresh. It is safe for
// concurrent use, and it is the [oidc.KeySet] of its issuer.
type Watcher struct {
	options WatcherOptions
	log     *slog.Logger
	kick    chan struct{}

	// current is read on every login. Writers hold mu, so that a refresh of the
	// keys cannot put an older document back.
	mu      sync.Mutex
	current atomic.Pointer[Metadata]
	failure atomic.Pointer[Error] // of the last refresh; nil if it was good

	keyRefresh  singleflight.Group
	keysAskedAt time.Time // used within keyRefresh only
}

var _ oidc.KeySet = (*Watcher)(nil)

// NewWatcher returns a watcher that knows nothing yet.
func NewWatcher(o WatcherOptions) *Watcher {
	w := &Watcher{options: o, log: o.Log, kick: make(chan struct{}, 1)}
	if w.log == nil {
		w.log = slog.New(slog.DiscardHandler)
	}
	return w
}

// Run loads the last good documents and refreshes them until ctx is done.
func (w *Watcher) Run(ctx context.Context) {
	retry := retryFirst
	for {
		if w.current.Load() == nil {
			w.load(ctx)
		}
		wait := refreshInterval
		if err := w.refresh(ctx); err != nil {
			wait, retry = retry, min(2*retry, retryLast)
		} else {
			retry = retryFirst
		}
		timer := time.NewTimer(spread(wait))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-w.kick:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// Refresh asks for a refresh now, such as after a change of the CA bundle.
func (w *Watcher) Refresh() {
	select {
	case w.kick <- struct{}{}:
	default: // one is asked for already
	}
}

// Metadata returns what is known, and whether it may be used for logins.
func (w *Watcher) Metadata() (Metadata, bool) {
	m := w.current.Load()
	if m == nil || !fresh(m.fetchedAt, time.Now()) {
		return Metadata{}, false
	}
	return *m, true
}

// State returns what the watcher knows of the issuer.
func (w *Watcher) State() State {
	m, failure := w.current.Load(), w.failure.Load()
	s := State{Phase: Never}
	if failure != nil {
		s.Reason, s.Endpoint, s.HTTPStatus = failure.Reason, failure.Endpoint, failure.Status
	}
	if m == nil {
		return s
	}
	s.FetchedAt = m.fetchedAt
	switch {
	case !fresh(m.fetchedAt, time.Now()):
		s.Phase = Expired
	case failure != nil:
		s.Phase = Stale
	default:
		s.Phase = Discovered
	}
	return s
}

// fresh reports whether documents of that time may be used. What seems to come
// from the future has an unknown age.
func fresh(fetchedAt, now time.Time) bool {
	age := now.Sub(fetchedAt)
	return age >= -maxSkew && age < maxAge
}

// load takes up what the store has. It is judged anew: the policy may have changed.
func (w *Watcher) load(ctx context.Context) {
	d, err := w.options.Store.IssuerDocuments(ctx, w.options.Channel, w.options.IssuerURL)
	if errors.Is(err, link.ErrNotFound) {
		return
	}
	if err != nil {
		w.log.WarnContext(ctx, "issuer documents not loaded", "error", err)
		return
	}
	m, err := parseDiscovery(w.options.Client.Policy(), w.options.IssuerURL, d.Discovery)
	if err != nil {
		w.log.WarnContext(ctx, "stored issuer documents refused", "error", err)
		return
	}
	if m.keys = parseKeys(d.JWKS); len(m.keys) == 0 {
		return
	}
	m.jwksJSON, m.fetchedAt = d.JWKS, d.FetchedAt
	w.mu.Lock()
	defer w.mu.Unlock()
	w.current.Store(&m)
}

// refresh fetches everything anew. Failures are logged when they change: an issuer
// that is down for an hour is two lines.
func (w *Watcher) refresh(ctx context.Context) error {
	m, err := Discover(ctx, w.options.Client, w.options.IssuerURL)
	if err != nil {
		failure, ok := errors.AsType[*Error](err)
		if !ok || failure.Reason == Canceled {
			return err // this process is ending: that says nothing of the issuer
		}
		if last := w.failure.Swap(failure); last == nil || *last != *failure {
			w.log.WarnContext(ctx, "issuer not discovered", "reason", failure.Reason,
				"endpoint", failure.Endpoint, "host", failure.Host, "status", failure.Status, "detail", failure.Detail)
		}
		return err
	}
	w.mu.Lock()
	w.current.Store(&m)
	w.mu.Unlock()
	if last := w.failure.Swap(nil); last != nil {
		w.log.InfoContext(ctx, "issuer discovered again", "after", last.Reason)
	}
	w.save(ctx, m)
	return nil
}

// save keeps the documents for the next start. A failure costs nothing now; the
// next refresh tries again.
func (w *Watcher) save(ctx context.Context, m Metadata) {
	err := w.options.Store.PutIssuerDocuments(ctx, link.IssuerDocuments{
		Channel:   w.options.Channel,
		Issuer:    m.Issuer,
		Discovery: m.discoveryJSON,
		JWKS:      m.jwksJSON,
		FetchedAt: m.fetchedAt,
	})
	if err != nil {
		w.log.WarnContext(ctx, "issuer documents not stored", "error", err)
		return
	}
	w.log.DebugContext(ctx, "issuer documents stored")
}

// VerifySignature implements [oidc.KeySet]: it returns the payload of a token that
// the issuer signed. A token with an unknown key makes it ask for the keys again,
// at most once in ten seconds whoever asks, so that a new key works at once and
// made-up key IDs cost the issuer nothing.
func (w *Watcher) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	m, ok := w.Metadata()
	if !ok {
		return nil, &Error{Reason: KeysUnavailable, Endpoint: JWKS}
	}
	if len(token) > maxTokenBytes {
		return nil, ErrTokenMalformed
	}
	parsed, err := jose.ParseSignedCompact(token, m.SigningAlgorithms)
	if err != nil {
		return nil, ErrTokenMalformed // err may quote the token
	}
	payload, named := verify(m.keys, parsed)
	if payload != nil {
		return payload, nil
	}
	if named {
		return nil, ErrSignatureInvalid
	}
	if err := w.refreshKeys(ctx, m.JWKSURI); err != nil {
		return nil, err
	}
	if m, ok = w.Metadata(); !ok {
		return nil, &Error{Reason: KeysUnavailable, Endpoint: JWKS}
	}
	if payload, named = verify(m.keys, parsed); payload != nil {
		return payload, nil
	}
	if named {
		return nil, ErrSignatureInvalid
	}
	return nil, ErrUnknownKey
}

// refreshKeys fetches the keys unless that was done a moment ago. All who ask at
// once share one fetch, which therefore does not end with the first of them.
func (w *Watcher) refreshKeys(ctx context.Context, url string) error {
	result := w.keyRefresh.DoChan("keys", func() (any, error) {
		if now := time.Now(); now.Sub(w.keysAskedAt) >= keyInterval {
			w.keysAskedAt = now
			return nil, w.fetchKeys(context.WithoutCancel(ctx), url)
		}
		return nil, nil // the keys of a moment ago will have to do
	})
	select {
	case <-ctx.Done():
		return &Error{Reason: Canceled, Endpoint: JWKS}
	case r := <-result:
		return r.Err
	}
}

func (w *Watcher) fetchKeys(ctx context.Context, url string) error {
	raw, keys, err := fetchKeys(ctx, w.options.Client, url)
	if err != nil {
		return err
	}
	w.mu.Lock()
	m := *w.current.Load() // a watcher that knew an issuer never forgets it
	if m.JWKSURI != url {
		w.mu.Unlock()
		return nil // a refresh has brought another key set meanwhile
	}
	m.jwksJSON, m.keys = raw, keys
	w.current.Store(&m)
	w.mu.Unlock()
	w.save(ctx, m)
	return nil
}

// spread changes a wait by up to jitter either way, so that the replicas of a
// rollout do not keep asking at the same moment.
func spread(wait time.Duration) time.Duration {
	var random [8]byte
	_, _ = rand.Read(random[:]) // never fails: crypto/rand ends the process instead
	unit := float64(binary.BigEndian.Uint64(random[:])) / math.MaxUint64
	return time.Duration(float64(wait) * (1 - jitter + 2*jitter*unit))
}
