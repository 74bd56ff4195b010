package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"channellink.dev/operator/webhookserver/link"
)

const (
	// closeBite is how many links one bite closes, of a whole channel or of a person: others wait for it, and over a slow network
	// its hundred statements have to fit into callTimeout.
	closeBite = 20
	// firstBites are taken at once: they close a person with some links before anybody is answered.
	firstBites = 3
)

// CloseLinks implements [link.Ledger].
func (s *Store) CloseLinks(ctx context.Context, l link.Lease, tell link.Telling, now time.Time) (done bool, err error) {
	if l.Closed {
		return true, nil
	}
	sign, err := s.signer(ctx, l.Channel, now)
	if err != nil {
		return false, err
	}
	if s.backend.analyze != "" && ctx.Err() == nil {
		s.analyze(ctx)
	}
	for !done && ctx.Err() == nil {
		// A bite that has begun is taken: an end of ctx is no failure.
		err = s.transact(context.WithoutCancel(ctx), "close links", func(ctx context.Context, tx *sql.Tx) error {
			done, err = closeNext(ctx, tx, l, tell, sign)
			return err
		})
		if err != nil {
			return false, err
		}
	}
	return done, nil
}

// analyze costs some tens of milliseconds. If it fails, what follows is slow, and fails by itself if it is too slow.
func (s *Store) analyze(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, _ = s.write.ExecContext(ctx, s.backend.analyze)
}

// closeNext takes one bite for whoever holds the lease, and asks for the links that were asked for first: an id that stands for
// somebody else by now closes nobody's.
func closeNext(ctx context.Context, tx *sql.Tx, l link.Lease, tell link.Telling, sign signer) (done bool, err error) {
	t := sign.target(l.Asked)
	c := closing{sign: sign, tell: tell, channel: l.Channel, id: l.ID}
	var fence int64
	var upTo string
	if err := held(tx.QueryRowContext(ctx, `
		UPDATE revocations SET worked_at = $4 WHERE channel = $1 AND id = $2 AND run = $3 AND target_hash = $5
		RETURNING fence, closed_up_to, requester, reason, closed AND NOT closing`, l.Channel, l.ID, l.Run, micros(sign.now), t.hash),
		&fence, &upTo, &c.by, &c.why, &done); err != nil || done {
		return done, err
	}
	c.fence = fromMicros(fence)
	if upTo, done, err = c.bite(ctx, tx, t, upTo); err != nil {
		return false, err
	}
	return done, c.reached(ctx, tx, upTo, done)
}

// closeFirst closes what fits into the transaction that the revocation begins with.
func (c closing) closeFirst(ctx context.Context, tx *sql.Tx, t target) (done bool, err error) {
	upTo := ""
	for range firstBites {
		if upTo, done, err = c.bite(ctx, tx, t, upTo); err != nil {
			return false, err
		}
		if done {
			break
		}
	}
	return done, c.reached(ctx, tx, upTo, done)
}

// reached writes down how far the closing has come. What is closed as a whole channel is and what as a person is are told apart
// for the sake of servers that know the former alone.
func (c closing) reached(ctx context.Context, tx *sql.Tx, upTo string, done bool) error {
	return execOne(ctx, tx, `
		UPDATE revocations SET closed_up_to = $1, closed = closed OR $2, closing = target <> $3 AND NOT $2 WHERE channel = $4 AND id = $5`,
		upTo, done, all, c.channel, c.id)
}

// bite closes some of a target's links, those behind the user that it has come to. What is still to become a link goes first:
// later it would, behind the back of whoever closes.
func (c closing) bite(ctx context.Context, tx *sql.Tx, t target, upTo string) (reached string, done bool, err error) {
	args := append([]any{c.channel, micros(c.fence)}, t.values...)
	if t.kind == all || upTo == "" { // of a person nothing becomes a link any more that has begun before
		if some, err := c.dropLogins(ctx, tx, t, args); err != nil || some {
			return upTo, false, err
		}
	}
	which, by := loggedInAt+` <= $2 AND state IN ('active', 'unlinking')`, `user_id`
	if t.kind != all {
		which = `(` + which + ` OR state = 'active')` // who has linked anew is told of
		by = `user_id || ''`                          // or SQLite would look at every link of the channel in this order
	}
	links, err := selectLinks(ctx, tx, fmt.Sprintf(`channel = $1 AND %[1]s AND %[2]s > $%[3]d AND %[4]s ORDER BY %[2]s, id LIMIT %[5]d`,
		t.where, by, len(args)+1, which, closeBite), append(args, upTo)...)
	if err != nil || len(links) == 0 {
		return upTo, true, err
	}
	links = wholeUsers(links)
	var ended []storedLink
	for _, l := range links {
		if l.LoggedInAt().After(c.fence) {
			err = c.addUser(ctx, tx, l.UserID, link.RevokedSuperseded)
		} else {
			ended = append(ended, l)
		}
		if err != nil {
			return upTo, false, err
		}
	}
	return links[len(links)-1].UserID, false, c.closeLinks(ctx, tx, ended)
}

// dropLogins drops sessions and pending links, and reports whether there may be more of them. Sessions go first: a consent that
// is under way has stored its link by then, or finds no session.
func (c closing) dropLogins(ctx context.Context, tx *sql.Tx, t target, args []any) (some bool, err error) {
	n, err := affected(tx.ExecContext(ctx, fmt.Sprintf(`
		DELETE FROM sessions WHERE channel = $1 AND flow IN (
			SELECT flow FROM sessions WHERE channel = $1 AND step <> 'done' AND started_at <= $2 AND %s LIMIT %d)`,
		t.where, sweepBite), args...))
	if err != nil || n == sweepBite {
		return true, err
	}
	// Sorted here: for the order's sake SQLite would look at every link of the channel, each time.
	pending, err := selectLinks(ctx, tx, fmt.Sprintf(`channel = $1 AND NOT confirmed AND state = 'pending' AND %s <= $2 AND %s LIMIT %d`,
		loggedInAt, t.where, closeBite), args...)
	if err != nil || len(pending) == 0 {
		return false, err
	}
	slices.SortFunc(pending, func(a, b storedLink) int { return strings.Compare(a.UserID, b.UserID) })
	return true, c.closeLinks(ctx, tx, pending)
}

// wholeUsers leaves the last user's links of a full bite to the next one, which has them all.
func wholeUsers(links []storedLink) []storedLink {
	last := links[len(links)-1].UserID
	first := slices.IndexFunc(links, func(l storedLink) bool { return l.UserID == last })
	if len(links) < closeBite || first == 0 {
		return links
	}
	return links[:first]
}
