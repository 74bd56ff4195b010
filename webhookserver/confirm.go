package webhookserver

import (
	"context"
	"log/slog"
	"time"

	"channellink.dev/operator/webhookserver/botbonnie"
	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/outbound"
)

// When BotBonnie is asked whether it has taken a code.
const (
	// firstLook is how long after consent. The browser needs about that long to get there.
	firstLook = 2 * time.Second
	// slowestLook bounds the pauses, which double from firstLook on.
	slowestLook = time.Minute
	// lookPatience bounds one look-up, with all its pages.
	lookPatience = 15 * time.Second
	// lookForWaiting is how often the store is asked for links that nobody here has heard of: those of a server that ended
	// before they were confirmed.
	lookForWaiting = 30 * time.Second
	// maxLooked bounds the links that one look-up serves.
	maxLooked = 1000
)

// waitingStore is what the confirmer needs of the store.
type waitingStore interface {
	UnconfirmedLinks(ctx context.Context, channel link.ChannelID, userID string, now time.Time, limit int) ([]link.Link, error)
	Confirm(ctx context.Context, c link.Confirmation, now time.Time) (link.Outcome, error)
}

// confirmer confirms the links of a channel behind BotBonnie, which gets the platform's event in our place. It keeps the
// code that the login carried as the user's extId: so the record of the user, read at BotBonnie itself, is the proof that
// the browser which gave consent was that user's. One look-up serves every link that waits, those included that a login
// alone has activated: they count already, as unconfirmed.
//
// Replicas need no leader: confirming twice is confirming once, and each one asks for its own logins above all.
type confirmer struct {
	channel   link.ChannelID
	pageID    string
	platform  botbonnie.Platform
	customers func(ctx context.Context, since time.Time, fn func(botbonnie.Customer) bool) error
	store     func() (waitingStore, error)
	now       func() time.Time
	log       *slog.Logger
	// observe counts look-ups by result and confirmations by outcome.
	observe func(what, result string)

	woken  chan struct{}
	urgent chan chan struct{} // closed when a look-up has been made
	last   time.Time          // when the last look-up began; run's alone
}

// newConfirmer returns the confirmer of a channel, or nil without BotBonnie.
func (s *Server) newConfirmer(c *channel) *confirmer {
	if c.BotBonnie == nil {
		return nil
	}
	return startConfirmer(confirmer{
		channel:   c.id,
		pageID:    c.PageID,
		platform:  botBonniePlatform(c),
		customers: s.botBonnieAPI(c).Customers,
		store:     func() (waitingStore, error) { return s.store.Store() },
		now:       s.now,
		log:       s.logOf(c),
		observe: func(what, result string) {
			if what == "lookup" {
				s.metrics.lookup(c.Name, result)
				return
			}
			s.metrics.linkEvent(c.Name, what, result)
		},
	})
}

// startConfirmer makes the confirmer ready to be called.
func startConfirmer(c confirmer) *confirmer {
	c.woken, c.urgent = make(chan struct{}, 1), make(chan chan struct{})
	return &c
}

// wake says that a browser is on its way to BotBonnie with a code.
func (c *confirmer) wake() {
	select {
	case c.woken <- struct{}{}:
	default: // it is awake
	}
}

// lookNow has a look-up begin at once, and waits for its end as long as ctx lets it. The look-up is the confirmer's: it goes
// on when nobody waits for it any more.
func (c *confirmer) lookNow(ctx context.Context) {
	done := make(chan struct{})
	select {
	case c.urgent <- done:
	case <-ctx.Done():
		return
	}
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// run looks whenever it is time, until ctx is done.
func (c *confirmer) run(ctx context.Context) {
	for ctx.Err() == nil {
		pause := lookForWaiting
		if at, ok := c.nextLook(ctx); ok {
			pause = at.Sub(c.now())
			if pause <= 0 {
				c.lookFor(ctx)
				continue
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		case done := <-c.urgent:
			c.lookFor(ctx, done)
		case <-c.woken: // and the link will be stored in a moment
			select {
			case <-ctx.Done():
			case <-time.After(firstLook):
			case done := <-c.urgent:
				c.lookFor(ctx, done)
			}
		}
	}
}

// lookFor looks once for those who wait, and for all who want it by now.
func (c *confirmer) lookFor(ctx context.Context, waiting ...chan struct{}) {
	for more := true; more; {
		select {
		case done := <-c.urgent:
			waiting = append(waiting, done)
		default:
			more = false
		}
	}
	c.lookUp(ctx)
	for _, done := range waiting {
		close(done)
	}
}

// nextLook is when the first of the links that wait is due, or when to ask for that again; false if none waits.
func (c *confirmer) nextLook(ctx context.Context) (time.Time, bool) {
	waiting, err := c.waitingOf(ctx, everybody)
	if err != nil || len(waiting) == 0 {
		return time.Time{}, false
	}
	now := c.now()
	if c.last.After(now) { // the clock was set back
		c.last = now
	}
	next := now.Add(lookForWaiting)
	for _, l := range waiting {
		at := dueAfter(l.ConsentAt, c.last)
		if l.ConsentAt.After(now.Add(link.EventSkew)) { // its age is not known any more
			at = c.last.Add(slowestLook)
		}
		if at.Before(next) {
			next = at
		}
	}
	// However many logins there are, look-ups keep a distance.
	if earliest := c.last.Add(firstLook); next.Before(earliest) {
		next = earliest
	}
	return next, true
}

// dueAfter is the first time after last at which a link of that consent is due: 2 s, 4 s, 8 s … after it, then every minute.
// A link that nobody looked for in time is due at once.
func dueAfter(consent, last time.Time) time.Time {
	pause := firstLook
	at := consent.Add(pause)
	for !at.After(last) {
		at = at.Add(pause)
		pause = min(2*pause, slowestLook)
	}
	return at
}

// everybody asks waitingOf for the links of all users.
const everybody = ""

// waitingOf are the links of a user that wait for their confirmation.
func (c *confirmer) waitingOf(ctx context.Context, userID string) ([]link.Link, error) {
	store, err := c.store()
	if err != nil {
		return nil, err
	}
	return store.UnconfirmedLinks(ctx, c.channel, userID, c.now(), maxLooked)
}

// lookUp reads the records of the users who did something since the oldest login that waits, and confirms what they
// confirm. When it fails, the next one comes by itself.
func (c *confirmer) lookUp(ctx context.Context) {
	c.last = c.now()
	ctx, cancel := context.WithTimeout(ctx, lookPatience)
	defer cancel()
	waiting, err := c.waitingOf(ctx, everybody)
	if err == nil && len(waiting) == 0 {
		return
	}
	if err == nil {
		err = c.match(ctx, waiting, c.last)
	}
	result := "ok"
	if err != nil {
		if result = string(outbound.ReasonOf(err)); result == "" {
			result = "failed"
		}
		c.log.WarnContext(ctx, "look-up at BotBonnie failed", "error", err)
	}
	c.observe("lookup", result)
}

// match confirms each link that waits whose code is the extId of the very user it is for, and touches no other: a code that
// stands with another user proves nothing about this one.
func (c *confirmer) match(ctx context.Context, waiting []link.Link, at time.Time) error {
	type claim struct {
		user string
		code link.CodeHash
	}
	open := make(map[claim]bool, len(waiting))
	since := at
	for _, l := range waiting {
		open[claim{l.UserID, l.CodeHash}] = true
		if l.LoginAt.Before(since) {
			since = l.LoginAt
		}
	}
	store, err := c.store()
	if err != nil {
		return err
	}
	var failed error
	// BotBonnie's clock is not ours.
	err = c.customers(ctx, since.Add(-link.EventSkew), func(r botbonnie.Customer) bool {
		if r.Platform != c.platform || r.PageID != c.pageID || r.ExtID == "" {
			return true
		}
		code := link.HashCode(r.ExtID)
		if !open[claim{r.UserID, code}] {
			return true
		}
		outcome, err := store.Confirm(ctx, link.Confirmation{Channel: c.channel, Code: code, UserID: r.UserID, OK: true, At: at}, c.now())
		if err != nil {
			failed = err
			return false
		}
		c.observe("confirmed", string(outcome))
		delete(open, claim{r.UserID, code})
		return len(open) > 0
	})
	if failed != nil {
		return failed
	}
	return err
}
