package webhookserver

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"channellink.dev/operator/webhookserver/adminapi"
	"channellink.dev/operator/webhookserver/config"
	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/secretfile"
	"channellink.dev/operator/webhookserver/store"
)

// storeKeeper opens the store in the background, tries again for as long as it takes, opens it anew when its connection
// string changes, and knows how it is.
type storeKeeper struct {
	settings config.Store
	channels []link.ChannelID
	dsn      *secretfile.File // nil with SQLite
	keys     *secretfile.File // nil without encryption
	now      func() time.Time
	log      *slog.Logger
	audited  func(context.Context, link.AuditRow)

	current atomic.Pointer[link.Store]
	opened  chan struct{} // closed when the store is open for the first time
	state   atomic.Pointer[adminapi.Store]
	retired sync.WaitGroup // replaced stores that are not closed yet
}

func newStoreKeeper(s config.Store, channels []link.ChannelID, files *secretfile.Watcher, now func() time.Time, log *slog.Logger,
	audited func(context.Context, link.AuditRow),
) *storeKeeper {
	k := &storeKeeper{settings: s, channels: channels, now: now, log: log, audited: audited, opened: make(chan struct{})}
	if s.Postgres != nil {
		k.dsn = files.File(s.Postgres.DSN.Path)
	}
	if s.EncryptionKeys != nil {
		k.keys = files.File(s.EncryptionKeys.Path)
	}
	k.state.Store(&adminapi.Store{State: adminapi.StoreOpening})
	return k
}

// Store returns the store, or link.ErrUnavailable as long as it has not been opened.
func (k *storeKeeper) Store() (link.Store, error) {
	if s := k.current.Load(); s != nil {
		return *s, nil
	}
	return nil, link.ErrUnavailable
}

// wait returns the store when it is open, or link.ErrUnavailable if that takes longer than a call may.
func (k *storeKeeper) wait(ctx context.Context) (link.Store, error) {
	select {
	case <-k.opened:
	case <-ctx.Done():
	case <-time.After(storePatience):
	}
	return k.Store()
}

// State is how the store was when it was last looked at.
func (k *storeKeeper) State() adminapi.Store { return *k.state.Load() }

// run keeps the store until ctx is done, and closes it then.
func (k *storeKeeper) run(ctx context.Context) {
	defer k.closeAll()
	for {
		dsnChanged, ok := k.openOnce(ctx)
		if !ok {
			return
		}
		if !k.watch(ctx, dsnChanged) {
			return
		}
	}
}

// openOnce tries until a store is open. It returns the channel that says when the connection string is another, and false
// when ctx is done.
func (k *storeKeeper) openOnce(ctx context.Context) (<-chan struct{}, bool) {
	pause := storeRetryMin
	for {
		inputs, dsnChanged, ok := k.inputs(ctx)
		if !ok {
			return nil, false
		}
		opened, err := k.open(ctx, inputs)
		if err == nil {
			k.replace(ctx, opened)
			return dsnChanged, true
		}
		if ctx.Err() != nil {
			return nil, false
		}
		k.failed(ctx, "open", err)
		select {
		case <-ctx.Done():
			return nil, false
		case <-dsnChanged:
			pause = storeRetryMin
		case <-time.After(jitter(pause)):
			pause = min(2*pause, storeRetryMax)
		}
	}
}

// inputs waits until every file that the store needs has a value. An encryption key that is only late must not let the
// first keys of the server be stored in clear.
func (k *storeKeeper) inputs(ctx context.Context) (secretfile.Secret, <-chan struct{}, bool) {
	if k.keys != nil && !waitFor(ctx, k.keys) {
		return secretfile.Secret{}, nil, false
	}
	if k.dsn == nil {
		return secretfile.Secret{}, nil, true
	}
	if !waitFor(ctx, k.dsn) {
		return secretfile.Secret{}, nil, false
	}
	snapshot, changed := k.dsn.Watch()
	dsn, _ := snapshot.Newest()
	return dsn, changed, true
}

func waitFor(ctx context.Context, f *secretfile.File) bool {
	for {
		snapshot, changed := f.Watch()
		if snapshot.Usable() {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-changed:
		}
	}
}

func (k *storeKeeper) open(ctx context.Context, dsn secretfile.Secret) (link.Store, error) {
	ctx, cancel := context.WithTimeout(ctx, storeOpenTimeout)
	defer cancel()
	options := store.Options{Log: k.log, Audited: k.audited}
	if k.keys != nil {
		options.EncryptionKeys = func() []secretfile.Secret { return k.keys.Load().Values() }
	}
	var opened link.Store
	var err error
	if k.dsn != nil {
		opened, err = store.OpenPostgres(ctx, store.PostgresOptions{Options: options, DSN: dsn, MaxConns: k.settings.Postgres.MaxConns})
	} else {
		path := filepath.Join(k.settings.SQLite.Dir, store.DatabaseFile)
		opened, err = store.OpenSQLite(ctx, store.SQLiteOptions{Options: options, Path: path})
	}
	if err != nil {
		return nil, err
	}
	for _, id := range k.channels {
		if err := link.EnsureKeys(ctx, opened, id, k.now()); err != nil {
			return nil, errors.Join(err, opened.Close())
		}
	}
	return opened, nil
}

// replace puts a store in the place of the one before, which serves the calls that began with it for a while longer.
func (k *storeKeeper) replace(ctx context.Context, opened link.Store) {
	old := k.current.Swap(&opened)
	k.state.Store(&adminapi.Store{State: adminapi.StoreOpen})
	k.log.InfoContext(ctx, "store open")
	if old == nil {
		close(k.opened)
		return
	}
	k.retired.Go(func() {
		select {
		case <-ctx.Done():
		case <-time.After(storeGrace):
		}
		k.close(*old)
	})
}

// watch asks the store how it is, until its connection string changes (true) or ctx is done (false).
func (k *storeKeeper) watch(ctx context.Context, dsnChanged <-chan struct{}) bool {
	ticker := time.NewTicker(storePing)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-dsnChanged:
			return true
		case <-ticker.C:
			if err := (*k.current.Load()).Ping(ctx); err == nil {
				k.state.Store(&adminapi.Store{State: adminapi.StoreOpen})
			} else if ctx.Err() == nil {
				k.failed(ctx, "ping", err)
			}
		}
	}
}

// failed notes why the store cannot be used. A change of the reason is logged, not each try.
func (k *storeKeeper) failed(ctx context.Context, tried string, err error) {
	now := adminapi.Store{State: adminapi.StoreFailed, Reason: storeReason(err)}
	if before := k.state.Swap(&now); *before != now {
		k.log.WarnContext(ctx, "store cannot be used", "tried", tried, "reason", now.Reason, "error", err)
	}
}

func (k *storeKeeper) closeAll() {
	k.retired.Wait()
	if s := k.current.Load(); s != nil {
		k.close(*s)
	}
}

func (k *storeKeeper) close(s link.Store) {
	if err := s.Close(); err != nil {
		k.log.Warn("closing the store", "error", err)
	}
}

// storeReason is what the admin API says of a failed call.
func storeReason(err error) adminapi.StoreReason {
	if errors.Is(err, link.ErrSealed) {
		return adminapi.StoreKeyInvalid
	}
	switch store.ReasonOf(err) {
	case store.Full:
		return adminapi.StoreFull
	case store.InUse, store.Busy:
		return adminapi.StoreLocked
	case store.SchemaTooNew:
		return adminapi.StoreSchemaTooNew
	default:
		return adminapi.StoreUnavailable
	}
}

// jitter spreads d by ± 20 %, so that replicas do not come back all at once.
func jitter(d time.Duration) time.Duration {
	return d + time.Duration((rand.Float64()*0.4-0.2)*float64(d)) //nolint:gosec // no secret
}
