package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"slices"
	"strings"
	"time"

	"channellink.dev/operator/webhookserver/link"
)

// importBite is how many links one transaction of an import stores: with SQLite a server waits for it.
const importBite = 20

// Import implements [link.LinkStore].
func (s *Store) Import(ctx context.Context, links []link.Link, now time.Time) (stored int, err error) {
	// Replicas and imports lock chat users in the same order, or they would wait for each other.
	links = slices.SortedFunc(slices.Values(links), func(a, b link.Link) int {
		return strings.Compare(string(a.Channel)+"\x00"+a.UserID, string(b.Channel)+"\x00"+b.UserID)
	})
	for bite := range slices.Chunk(links, importBite) {
		signers := map[link.ChannelID]signer{}
		for _, l := range bite {
			if signers[l.Channel], err = s.signer(ctx, l.Channel, now); err != nil {
				return stored, err
			}
		}
		var n int
		err := s.transact(ctx, "import links", func(ctx context.Context, tx *sql.Tx) error {
			n = 0
			for _, l := range bite {
				done, err := importLink(ctx, tx, l, signers[l.Channel])
				if err != nil {
					return err
				}
				if done {
					n++
				}
			}
			return nil
		})
		if err != nil {
			return stored, err
		}
		stored += n
	}
	return stored, nil
}

func importLink(ctx context.Context, tx *sql.Tx, l link.Link, sign signer) (stored bool, err error) {
	l.State, l.LinkedAt = link.Active, l.LinkedAt.Truncate(time.Microsecond)
	if l.ID == "" {
		l.ID = rand.Text()
	}
	unlinkedAt, err := sign.lockUser(ctx, tx, l.Channel, l.UserID, 0)
	if err != nil || unlinkedAt >= micros(l.LinkedAt) {
		return false, err
	}
	if being, err := beingUnlinked(ctx, tx, l); err != nil || being {
		return false, err
	}
	if over, err := sign.revoked(ctx, tx, l); err != nil || over {
		return false, err
	}
	present, err := activeLink(ctx, tx, l.Channel, l.UserID)
	if err != nil || present != nil && !present.LinkedAt.Before(l.LinkedAt) {
		return false, err
	}
	if present != nil {
		if err := remove(ctx, tx, *present); err != nil {
			return false, err
		}
		if err := sign.record(ctx, tx, *present, entry{what: replaced, by: byImport, why: link.WhyReplaced}); err != nil {
			return false, err
		}
	}
	if taken, err := hasID(ctx, tx, l); err != nil {
		return false, err
	} else if taken {
		l.ID = rand.Text()
	}
	if _, err := tx.ExecContext(ctx, insertLink, linkValues(l, 0)...); err != nil {
		return false, err
	}
	return true, sign.record(ctx, tx, l, entry{what: imported, by: byImport})
}

// beingUnlinked tells whether a link of the user's that is no older has been closed and its platform is still to be told. That
// may take longer than his unlinkings are remembered.
func beingUnlinked(ctx context.Context, tx *sql.Tx, l link.Link) (is bool, err error) {
	err = tx.QueryRowContext(ctx, `
		SELECT EXISTS (SELECT 1 FROM links WHERE channel = $1 AND user_id = $2 AND state = 'unlinking' AND linked_at >= $3)`,
		l.Channel, l.UserID, micros(l.LinkedAt)).Scan(&is)
	return is, err
}

// hasID tells whether the link's name is that of another one: a list from elsewhere may give one name to several.
func hasID(ctx context.Context, tx *sql.Tx, l link.Link) (taken bool, err error) {
	err = tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM links WHERE channel = $1 AND id = $2)`, l.Channel, l.ID).Scan(&taken)
	return taken, err
}
