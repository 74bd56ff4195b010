package store

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
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
	key []byte
	now time.Time
}

// userHashing remembers the key of each channel. The key is never replaced: hashes of before would find nothing.
type userHashing struct{ keys sync.Map }

// signer returns the channel's signer. It makes the key where the server that does so at its start has not come to it. It
// must be called outside of a transaction: with SQLite that has the only connection.
func (s *Store) signer(ctx context.Context, channel link.ChannelID, now time.Time) (signer, error) {
	if key, ok := s.hashing.keys.Load(channel); ok {
		return signer{key: key.([]byte), now: now}, nil //nolint:forcetypeassert // nothing else is stored
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
	return signer{key: key, now: now}, nil
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

func (g signer) record(ctx context.Context, tx *sql.Tx, l link.Link, e entry) error {
	at := e.at
	if at.IsZero() {
		at = g.now
	}
	_, err := tx.ExecContext(ctx, `
		INSERT INTO audit (channel, at, what, link_id, user_hash, subject_hash, account_hash, by_whom, why)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		l.Channel, micros(at), e.what, l.ID,
		g.userHash(l.UserID), g.hash("subject", l.Identity.Issuer, l.Identity.Subject), g.hash("account", l.Identity.Account),
		e.by, e.why)
	return err
}
