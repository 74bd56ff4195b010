package store

import (
	"context"
	"database/sql"
	"slices"
	"time"

	"channellink.dev/operator/webhookserver/link"
)

// The kinds of target that are looked at.
const (
	user = "user"
	all  = "all"
)

// loggedInAt is link.Link.LoggedInAt in SQL.
const loggedInAt = `CASE WHEN login_at = 0 THEN linked_at ELSE login_at END`

// target is whom a revocation is about. The ledger keeps kind and hash; where and values, a condition on links and on
// sessions, serve while the links are closed.
type target struct {
	kind   string
	hash   []byte
	where  string // its first parameter is $3
	values []any
}

func (g signer) target(r link.Revocation) target {
	switch {
	case r.All:
		return target{all, g.hash("all"), `TRUE`, nil}
	case r.UserID != "":
		return target{user, g.userHash(r.UserID), `user_id = $3`, []any{r.UserID}}
	case r.Subject != "":
		return target{"subject", g.hash("subject", r.Issuer, r.Subject), `issuer = $3 AND subject = $4`, []any{r.Issuer, r.Subject}}
	default:
		return target{"account", g.issuerAccount(r.Issuer, r.Account), `issuer = $3 AND account = $4`, []any{r.Issuer, r.Account}}
	}
}

// issuerAccount is the hash of an account at one issuer: two issuers may have the same.
func (g signer) issuerAccount(issuer, account string) []byte {
	return g.hash("account at issuer", issuer, account)
}

// revoked tells whether a revocation has ended what began with the link's login: one of its user, of its person, or of the
// whole channel.
func (g signer) revoked(ctx context.Context, q querier, l link.Link) (is bool, err error) {
	err = q.QueryRowContext(ctx, `
		SELECT EXISTS (SELECT 1 FROM revocations WHERE channel = $1 AND target_hash IN ($2, $3, $4, $5) AND fence >= $6)`,
		l.Channel, g.userHash(l.UserID), g.hash("subject", l.Identity.Issuer, l.Identity.Subject),
		g.issuerAccount(l.Identity.Issuer, l.Identity.Account), g.hash("all"), microsOrZero(l.LoggedInAt())).Scan(&is)
	return is, err
}

// closing closes links for one revocation.
type closing struct {
	sign    signer
	tell    link.Telling
	channel link.ChannelID
	id      string
	fence   time.Time
	by, why string
}

// closeTarget closes every link of one chat user. Sessions go first: a consent that is under way has stored its link
// by then, or finds no session. A confirmation that is under way is noticed by its row, and all of it begins anew.
func (c closing) closeTarget(ctx context.Context, tx *sql.Tx, t target, r link.Revocation) error {
	args := append([]any{c.channel, micros(c.fence)}, t.values...)
	//nolint:gosec // the condition is of this package
	if _, err := tx.ExecContext(ctx, `
		DELETE FROM sessions WHERE channel = $1 AND step <> 'done' AND started_at <= $2 AND `+t.where, args...); err != nil {
		return err
	}
	// A link that is for nobody in particular is not found by its user until the confirmation that names him is over; and one
	// that begins later finds this revocation.
	if _, err := c.sign.lockUser(ctx, tx, c.channel, r.UserID, 0); err != nil {
		return err
	}
	before, err := selectLinks(ctx, tx, `channel = $1 AND `+loggedInAt+` <= $2 AND `+t.where+` ORDER BY user_id, id`, args...)
	if err != nil {
		return err
	}
	if err := c.closeLinks(ctx, tx, before); err != nil {
		return err
	}
	newer, err := selectLinks(ctx, tx, `channel = $1 AND `+loggedInAt+` > $2 AND state = 'active' AND `+t.where+` ORDER BY user_id`, args...)
	if err != nil {
		return err
	}
	for _, l := range newer {
		if err := c.addUser(ctx, tx, l.UserID, link.RevokedSuperseded); err != nil {
			return err
		}
	}
	if len(before)+len(newer) > 0 {
		return nil
	}
	state := link.RevokedNotLinked
	if r.CallUnknown && c.tell == link.TellPossible {
		state = link.RevokedWaiting
	}
	return c.addUser(ctx, tx, r.UserID, state)
}

// closeLinks closes links that are sorted by user, so that transactions lock users in the same order.
func (c closing) closeLinks(ctx context.Context, tx *sql.Tx, links []storedLink) error {
	for len(links) > 0 {
		userID := links[0].UserID
		n := slices.IndexFunc(links, func(l storedLink) bool { return l.UserID != userID })
		if n < 0 {
			n = len(links)
		}
		if err := c.closeUser(ctx, tx, userID, links[:n]); err != nil {
			return err
		}
		links = links[n:]
	}
	return nil
}

// closeUser closes the links of one chat user and writes down what is left to do.
func (c closing) closeUser(ctx context.Context, tx *sql.Tx, userID string, links []storedLink) error {
	wasLinked := false
	ended := int64(0)
	for _, l := range links {
		if l.State != link.Pending {
			wasLinked = true
			// A backup must not bring the link back, nor an event that comes late; a newer login confirms later than this.
			ended = max(ended, microsOrZero(l.LinkedAt), micros(c.fence.Add(-link.EventSkew)))
		}
	}
	if userID != "" {
		if _, err := c.sign.lockUser(ctx, tx, c.channel, userID, ended); err != nil {
			return err
		}
	}
	for _, l := range links {
		if err := c.closeLink(ctx, tx, l.Link); err != nil {
			return err
		}
	}
	state := link.RevokedNotLinked
	switch {
	case wasLinked && c.tell != link.TellNobody, c.tell == link.TellPossible:
		state = link.RevokedWaiting
	case wasLinked:
		state = link.RevokedDone
	}
	return c.addUser(ctx, tx, userID, state)
}

// closeLink ends a link at once, unless the platform has to be told first.
func (c closing) closeLink(ctx context.Context, tx *sql.Tx, l link.Link) error {
	e := entry{what: unlinked, by: c.by, why: c.why}
	switch {
	case l.State == link.Pending:
		e.what = dropped
	case c.tell == link.TellNobody:
	case l.State == link.Unlinking: // closed by an earlier revocation, and the platform was never told
		return nil
	default:
		e.what = closed
		if err := execOne(ctx, tx, `
			UPDATE links SET state = 'unlinking', closed_at = $1 WHERE channel = $2 AND id = $3 AND state = 'active'`,
			micros(c.sign.now), l.Channel, l.ID); err != nil {
			return err
		}
		return c.sign.record(ctx, tx, l, e)
	}
	if err := remove(ctx, tx, l); err != nil {
		return err
	}
	return c.sign.record(ctx, tx, l, e)
}

// addUser writes down where the revocation stands for a chat user. Who was not linked by one link may have been by another.
func (c closing) addUser(ctx context.Context, tx *sql.Tx, userID string, state link.RevokedState) error {
	if userID == "" { // a pending link for nobody in particular
		return nil
	}
	kept := ""
	if state == link.RevokedWaiting {
		kept = userID
	}
	_, err := tx.ExecContext(ctx, `
		INSERT INTO revoked_users (channel, id, user_hash, user_id, masked, state, cause, http_status, attempts, called_run)
		VALUES ($1, $2, $3, $4, $5, $6, '', 0, 0, 0)
		ON CONFLICT (channel, id, user_hash) DO UPDATE SET state = excluded.state, user_id = excluded.user_id
		WHERE revoked_users.state = 'NotLinked'`,
		c.channel, c.id, c.sign.userHash(userID), kept, link.Mask(userID), state)
	return err
}
