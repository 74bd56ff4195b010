package store

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"strings"
	"sync"
	"time"

	"channellink.dev/operator/webhookserver/link"
)

// What the audit trail says happened.
const (
	linked   = "linked"
	replaced = "replaced"
	burnt    = "burnt"
	outdated = "outdated"
	tooMany  = "too many"
	unlinked = "unlinked"
	imported = "imported"

	// Of revocations: a link resolves to nobody any more, a pending one will not; and then the end, which is unlinked too.
	closed     = "closed"
	dropped    = "dropped"
	superseded = "superseded"
	failed     = "failed"
)

// Who did it, where nobody else is named.
const (
	byUser     = "chat user"
	byPlatform = "platform"
	byImport   = "import"
)

// entry is what happened to a link.
type entry struct {
	what, by, why string
	at            time.Time // zero: the time of the call
}

// signer writes what outlives a link of one channel. Whom a row is about it says in hashes keyed with the channel's own key:
// who has a user's id and that key finds the rows, and a copy of the table alone names nobody.
type signer struct {
	key  []byte
	now  time.Time
	told *telling
}

// userHashing remembers the key of each channel. The key is never replaced: hashes of before would find nothing.
type userHashing struct{ keys sync.Map }

// signer returns the channel's signer. It makes the key where the server that does so at its start has not come to it. It
// must be called outside of a transaction: with SQLite that has the only connection.
func (s *Store) signer(ctx context.Context, channel link.ChannelID, now time.Time) (signer, error) {
	if key, ok := s.hashing.keys.Load(channel); ok {
		return signer{key: key.([]byte), now: now, told: &s.told}, nil //nolint:forcetypeassert // nothing else is stored
	}
	if err := link.EnsureKeys(ctx, s, channel, now); err != nil {
		return signer{}, err
	}
	keys, err := s.Keys(ctx, channel, link.UserHashKey)
	if err != nil {
		return signer{}, err
	}
	if len(keys) == 0 {
		return signer{}, link.ErrNotFound // removed at once by somebody else
	}
	oldest := keys[len(keys)-1]
	key := []byte(oldest.Material.Reveal())
	s.hashing.keys.Store(channel, key)
	return signer{key: key, now: now, told: &s.told}, nil
}

// hash is HMAC-SHA256 over values and what they are, each ended so that no two lists give the same bytes.
func (g signer) hash(kind string, values ...string) []byte {
	mac := hmac.New(sha256.New, g.key)
	_, _ = mac.Write([]byte(kind)) // a hash's Write never fails
	for _, value := range values {
		sum := sha256.Sum256([]byte(value))
		_, _ = mac.Write(sum[:])
	}
	return mac.Sum(nil)
}

func (g signer) userHash(userID string) []byte { return g.hash("user", userID) }

// UserHash implements [link.AuditStore].
func (s *Store) UserHash(ctx context.Context, channel link.ChannelID, userID string, now time.Time) ([]byte, error) {
	sign, err := s.signer(ctx, channel, now)
	if err != nil {
		return nil, err
	}
	return sign.userHash(userID), nil
}

func (g signer) record(ctx context.Context, tx *sql.Tx, l link.Link, e entry) error {
	at := e.at
	if at.IsZero() {
		at = g.now
	}
	row := link.AuditRow{
		Channel: l.Channel, At: fromMicros(micros(at)), What: e.what, LinkID: l.ID,
		UserHash:    g.userHash(l.UserID),
		SubjectHash: g.hash("subject", l.Identity.Issuer, l.Identity.Subject),
		AccountHash: g.hash("account", l.Identity.Account),
		By:          e.by, Why: nameless(e.why, l),
	}
	g.told.add(tx, row)
	_, err := tx.ExecContext(ctx, `
		INSERT INTO audit (channel, at, what, link_id, user_hash, subject_hash, account_hash, by_whom, why)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		row.Channel, micros(at), row.What, row.LinkID, row.UserHash, row.SubjectHash, row.AccountHash, row.By, row.Why)
	return err
}

// nameless is a reason that a person wrote, without the names that the trail must not keep: who says why often says whom.
func nameless(why string, l link.Link) string {
	for _, name := range []string{l.UserID, l.Identity.Subject, l.Identity.Account} {
		if len(name) >= shortestName {
			why = strings.ReplaceAll(why, name, link.Mask(name))
		}
	}
	return why
}

// shortestName is how long a name must be to be looked for: shorter ones are in words that mean nobody.
const shortestName = 6

// telling keeps the rows of the transactions that are under way, until it is known that they count.
type telling struct {
	tell func(context.Context, link.AuditRow) // nil: nobody wants to know
	mu   sync.Mutex
	rows map[*sql.Tx][]link.AuditRow
}

func (t *telling) add(tx *sql.Tx, row link.AuditRow) {
	if t.tell == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.rows == nil {
		t.rows = map[*sql.Tx][]link.AuditRow{}
	}
	t.rows[tx] = append(t.rows[tx], row)
}

// ended forgets a transaction and tells of its rows if it was committed.
func (t *telling) ended(ctx context.Context, tx *sql.Tx, committed bool) {
	if t.tell == nil {
		return
	}
	t.mu.Lock()
	rows := t.rows[tx]
	delete(t.rows, tx)
	t.mu.Unlock()
	if !committed {
		return
	}
	for _, row := range rows {
		t.tell(ctx, row)
	}
}
