// Package webhookserver is the server that faces the internet: it links chat users with identities for the channels of its
// settings. It holds no Kubernetes credential and imports nothing of Kubernetes; the operator talks to it over the admin
// port.
package webhookserver

import (
	"context"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"

	"channellink.dev/operator/webhookserver/adminapi"
	"channellink.dev/operator/webhookserver/config"
	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/secretfile"
)

// Config is what a Server is made of.
type Config struct {
	Settings config.Settings
	// SettingsHash is the SHA-256 of the settings file, in lower-case hex.
	SettingsHash string
	// OperatorKeysPath is the file of the operator's public keys; it is followed.
	OperatorKeysPath string
	// Version of the release.
	Version string
	Now     func() time.Time
	Log     *slog.Logger
	// Traces makes the spans of requests; nil makes none.
	Traces trace.TracerProvider
}

// Server serves a set of channels. Everything that belongs to one of them is in its channel; what is here is shared by all.
type Server struct {
	version      string
	settingsHash string
	now          func() time.Time
	log          *slog.Logger
	audit        *slog.Logger
	tracer       trace.Tracer // nil without tracing

	files           *secretfile.Watcher
	operatorKeys    *secretfile.File
	storeReferences []reference
	channels        []*channel
	store           *storeKeeper
	calls           *platformCalls
	verifier        *adminapi.Verifier
	metrics         *metrics
	bodies          bodyBudget

	started  atomic.Bool // was ready once
	draining atomic.Bool
}

// New returns a server for valid settings. It reads the mounted files once and does nothing else until Serve; a file that is
// missing, a database or an issuer that is down are no errors.
func New(c Config) (*Server, error) {
	s := &Server{
		version:      c.Version,
		settingsHash: c.SettingsHash,
		now:          c.Now,
		log:          newLog(c.Log.Handler()),
		audit:        newAuditLog(c.Log.Handler()),
	}
	s.files = secretfile.NewWatcher(secretfile.Options{Log: s.log})
	if c.Traces != nil {
		s.tracer = c.Traces.Tracer(tracerName)
	}
	s.operatorKeys = s.files.File(c.OperatorKeysPath)
	s.storeReferences = storeReferences(c.Settings.Store, s.files)

	var ids []link.ChannelID
	var audiences []string
	for _, settings := range c.Settings.Channels {
		ch, err := newChannel(settings, s.files)
		if err != nil {
			return nil, err
		}
		s.channels = append(s.channels, ch)
		ids = append(ids, ch.id)
		audiences = append(audiences, ch.UID)
	}
	s.store = newStoreKeeper(c.Settings.Store, ids, s.files, c.Now, s.log, s.audited)
	s.calls = newPlatformCalls(c.Settings.Network, c.Settings.Channels, func(ch *channel, to target, status int, err error) {
		s.metrics.called(ch.Name, to, status, err)
	})
	s.verifier = adminapi.NewVerifier(audiences...)
	for _, ch := range s.channels {
		ch.issuer = newIssuerWatch(ch, c.Settings.Network, s.store, s.files, s.logOf(ch), func(status int, err error) {
			s.metrics.called(ch.Name, targetIssuer, status, err)
		})
		ch.registrar = s.newRegistrar(ch)
		ch.siblings, ch.bot, ch.confirmer = s.newSiblings(ch), s.newBot(ch, c.Settings.Network), s.newConfirmer(ch)
		ch.unlinker = s.newUnlinker(ch)
		var err error
		if ch.services, err = s.newServices(ch, c.Settings.Network); err != nil {
			return nil, err
		}
		if ch.logins, err = s.newLogins(ch, c.Settings.Network); err != nil {
			return nil, err
		}
		ch.routes = mount(s.publicRoutes(ch), writeProblemPage)
	}
	s.metrics = newMetrics(s)
	s.metrics.begin(s.channels)
	return s, nil
}

// background runs what goes on beside the requests until ctx is done.
func (s *Server) background(ctx context.Context) {
	var all sync.WaitGroup
	all.Go(func() { s.files.Run(ctx) })
	all.Go(func() { s.store.run(ctx) })
	all.Go(func() { s.followOperatorKeys(ctx) })
	all.Go(func() { s.settle(ctx) })
	all.Go(func() { s.upkeep(ctx) })
	for _, ch := range s.channels {
		all.Go(func() { ch.issuer.run(ctx) })
		all.Go(func() { s.runHooks(ctx, ch) })
		all.Go(func() { botUnlinks{s, ch}.run(ctx) })
		all.Go(func() { s.runServices(ctx, ch) })
	}
	all.Wait()
}

// settle gives memory back once the start is over.
func (s *Server) settle(ctx context.Context) {
	select {
	case <-s.store.opened:
	case <-ctx.Done():
		return
	}
	select {
	case <-time.After(restDelay):
	case <-ctx.Done():
		return
	}
	debug.FreeOSMemory()
}

// followOperatorKeys takes the operator's keys from their file whenever it changes. A file that holds anything else leaves
// the keys as they are: a mistake in a ConfigMap must not shut the operator out.
func (s *Server) followOperatorKeys(ctx context.Context) {
	for {
		snapshot, changed := s.operatorKeys.Watch()
		if snapshot.Usable() {
			if keys, err := adminapi.ParseKeys(snapshot.Raw()); err != nil {
				s.log.WarnContext(ctx, "operator keys left as they are", "error", err)
			} else {
				s.verifier.SetKeys(keys)
				s.log.InfoContext(ctx, "operator keys read", "kids", keys.IDs())
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
	}
}

// referencesOf lists the references of a channel and of the store that it uses.
func (s *Server) referencesOf(c *channel) []reference {
	all := make([]reference, 0, len(s.storeReferences)+len(c.references))
	return append(append(all, s.storeReferences...), c.references...)
}

// waitingFor says why the server is not ready: nothing, if it is. It is ready once the store has been open and every
// reference that a channel needs has or had a value, and it stays so: traffic that is turned away from every replica helps
// nobody, so neither a database nor an issuer that is down later makes it unready, nor does a secret that vanishes. An
// issuer that was never reached does not either: webhooks and lookups work without it.
func (s *Server) waitingFor() []string {
	if s.draining.Load() {
		return []string{"stopping"}
	}
	if s.started.Load() {
		return nil
	}
	var causes []string
	if _, err := s.store.Store(); err != nil {
		causes = append(causes, "store")
	}
	for _, r := range s.storeReferences {
		if !r.usable() {
			causes = append(causes, r.field)
		}
	}
	for _, ch := range s.channels {
		causes = append(causes, ch.missing()...)
	}
	if len(causes) == 0 && !s.started.Swap(true) {
		s.log.Info("ready")
	}
	return causes
}

// status is what the operator is told of a channel.
func (s *Server) status(ctx context.Context, c *channel) adminapi.Status {
	status := adminapi.Status{
		Version:      s.version,
		SettingsHash: s.settingsHash,
		KeyIDs:       s.verifier.KeyIDs(),
		References:   []adminapi.Reference{},
		Issuer:       c.issuer.State(),
		Store:        s.store.State(),
		Links:        linksOf(c),
		Confirmation: s.confirmation(ctx, c),
		Registration: c.registrar.State(),
	}
	for _, r := range s.referencesOf(c) {
		status.References = append(status.References, adminapi.Reference{Field: r.field, State: r.state()})
	}
	return status
}
