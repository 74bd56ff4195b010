package linktest

import (
	"errors"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"channellink.dev/operator/webhookserver/link"
)

// C71: of any number of replicas one works on a revocation, also when none of them has seen it before.
func testRevocationLeasedOnce(t *testing.T, open Open) {
	store := open(t)
	linkUser(t, store, "code", "U1", "sub-1")
	once(t, "open", link.ErrLeased, func(int) error {
		_, err := store.OpenRevocation(t.Context(), revocation("asked"), link.TellLinked, fence)
		return err
	})
	if standing, err := store.Standing(t.Context(), vision, "asked", 10); err != nil || standing.Counts[link.RevokedWaiting] != 1 {
		t.Errorf("%+v, %v", standing, err)
	}
	once(t, "open again", link.ErrLeased, func(int) error {
		_, err := store.OpenRevocation(t.Context(), revocation("asked"), link.TellLinked, fence.Add(link.LeaseTime))
		return err
	})
	closeStore(t, store)
}

// Logins that are confirmed while their person is revoked: whoever comes first, nobody is linked afterwards, and whoever
// was linked in between waits for the platform to be told.
func testRevocationRace(t *testing.T, open Open) {
	store := open(t)
	for i := range parallel {
		putPending(t, store, pending(fmt.Sprint("code-", i), fmt.Sprint("U", i), "sub-1"))
	}
	r := link.Revocation{Channel: vision, ID: "asked", Subject: "sub-1", Issuer: person("").Issuer, Fence: fence}
	tally(t, func(i int) (link.Outcome, error) {
		if i == parallel/2 {
			lease, err := store.OpenRevocation(t.Context(), r, link.TellLinked, fence)
			if err == nil && !lease.Closed {
				err = patiently(func() error { _, err := store.CloseLinks(t.Context(), lease, link.TellLinked, fence); return err })
			}
			return "", err
		}
		return store.Confirm(t.Context(), linkedEvent(fmt.Sprint("code-", i), fmt.Sprint("U", i), 5), moment)
	})
	counts, err := store.CountLinks(t.Context(), vision)
	if err != nil || counts[link.Active] != 0 || counts[link.Pending] > 1 { // of the one whose confirmation did not come
		t.Errorf("%v, %v; want no link that counts", counts, err)
	}
	standing, err := store.Standing(t.Context(), vision, "asked", 1)
	if err != nil || int64(standing.Counts[link.RevokedWaiting]) != counts[link.Unlinking] {
		t.Errorf("%v wait, %v; want one for each of %d closed links", standing.Counts, err, counts[link.Unlinking])
	}
	closeStore(t, store)
}

// Two people's revocations by user, person and everybody at once end without waiting for each other for ever.
func testRevocationsAtOnce(t *testing.T, open Open) {
	const users = 30
	store := open(t)
	for i := range users {
		linkUser(t, store, fmt.Sprint("code-", i), fmt.Sprintf("U%02d", i), fmt.Sprint("sub-", i%3))
	}
	asked := []link.Revocation{{All: true}}
	for i := range 3 {
		asked = append(asked, link.Revocation{Subject: fmt.Sprint("sub-", i), Issuer: person("").Issuer})
	}
	for i := range users {
		asked = append(asked, link.Revocation{UserID: fmt.Sprintf("U%02d", i)})
	}
	var workers sync.WaitGroup
	for i, r := range asked {
		r.Channel, r.ID, r.Fence = vision, fmt.Sprint("asked-", i), fence
		workers.Go(func() {
			err := patiently(func() error { return carryOut(t, store, r) })
			if err != nil {
				t.Errorf("%s: %v", r.ID, err)
			}
		})
	}
	workers.Wait()
	wantCounts(t, store, map[link.State]int64{})
	closeStore(t, store)
}

// carryOut makes one attempt at a revocation at which every call succeeds.
func carryOut(t *testing.T, store link.Store, r link.Revocation) error {
	lease, err := store.OpenRevocation(t.Context(), r, link.TellLinked, fence.Add(time.Duration(clock.Add(1))*time.Minute))
	if err != nil {
		return err
	}
	if !lease.Closed {
		if _, err := store.CloseLinks(t.Context(), lease, link.TellLinked, fence); err != nil {
			return err
		}
	}
	due, err := store.DueUsers(t.Context(), lease, 100)
	if err != nil {
		return err
	}
	for _, userID := range due {
		err := store.BeginCall(t.Context(), lease, userID, fence)
		if err == nil {
			err = store.EndCall(t.Context(), lease, userID, link.Settlement{State: link.RevokedDone}, fence)
		}
		if err != nil && !errors.Is(err, link.ErrSuperseded) {
			return err
		}
	}
	return store.Release(t.Context(), lease, fence)
}

// clock makes each attempt of a test later than any lease before it.
var clock atomic.Int64

// relinking plays one chat user who links and unlinks himself, revocations of him that come and are carried out late, and
// the platform's echoes, in any order. The model is a line of the user's doings: what a revocation ends is what began before
// its fence.
type relinking struct {
	scene
	now     time.Duration
	link    string        // the active link's ID, by the model
	login   time.Duration // of it
	pending map[string]time.Duration
	asked   map[string]time.Duration // fences of revocations
	leases  map[string]link.Lease
	calls   map[string]int
}

// tick lets some time pass: longer than an echo takes, so that the user's own unlinkings are his own.
func (m *relinking) tick() { m.now += 2 * link.EchoTime }

func (m *relinking) begin(rt *rapid.T) {
	m.tick()
	id := fmt.Sprint("login-", clock.Add(1))
	who := rapid.SampledFrom([]link.Identity{alice, bob}).Draw(rt, "who")
	l := pending(id, "U1", "")
	l.Channel, l.Identity, l.LoginAt = m.channel, who, fence.Add(m.now)
	l.ConsentAt, l.ExpiresAt = l.LoginAt, l.LoginAt.Add(48*time.Hour)
	putPending(m.t, m.store, l)
	m.pending[id] = m.now
}

func (m *relinking) confirmed(rt *rapid.T) {
	if len(m.pending) == 0 {
		rt.Skip("nobody is logging in")
	}
	m.tick()
	id := rapid.SampledFrom(sorted(keys(m.pending))).Draw(rt, "login")
	login := m.pending[id]
	delete(m.pending, id)
	c := linkedEvent(id, "U1", 0)
	c.Channel, c.At = m.channel, fence.Add(m.now)
	if _, err := m.store.Confirm(m.t.Context(), c, c.At); err != nil {
		rt.Fatal(err)
	}
	for _, asked := range m.asked {
		if login <= asked {
			return // ended before it became a link
		}
	}
	m.link, m.login = id, login
}

func (m *relinking) unlinked(rt *rapid.T) {
	m.tick()
	at := fence.Add(m.now)
	if _, err := m.store.Unlink(m.t.Context(), link.Unlink{Channel: m.channel, UserID: "U1", At: at, By: "chat user"}, at); err != nil {
		rt.Fatal(err)
	}
	m.link = ""
}

// ask has the user revoked as of any moment until now.
func (m *relinking) ask(rt *rapid.T) {
	m.tick()
	id := fmt.Sprint("asked-", clock.Add(1))
	asked := rapid.SampledFrom([]time.Duration{0, m.now / 2, m.now}).Draw(rt, "fence").Truncate(time.Microsecond)
	m.asked[id] = asked
	m.leases[id] = m.open(link.Revocation{ID: id, UserID: "U1", Fence: fence.Add(asked), CallUnknown: true}, link.TellPossible, m.now)
	if m.link != "" && m.login <= asked {
		m.link = ""
	}
}

// work makes the call of a revocation, or finds that there is none to make; the platform echoes it.
func (m *relinking) work(rt *rapid.T) {
	if len(m.leases) == 0 {
		rt.Skip("nothing is asked")
	}
	m.tick()
	id := rapid.SampledFrom(sorted(keys(m.leases))).Draw(rt, "revocation")
	lease, at := m.leases[id], fence.Add(m.now)
	due, err := m.store.DueUsers(m.t.Context(), lease, 10)
	if err != nil {
		rt.Fatal(err)
	}
	delete(m.leases, id)
	if len(due) == 0 {
		return
	}
	err = m.store.BeginCall(m.t.Context(), lease, "U1", at)
	if m.link != "" {
		if !errors.Is(err, link.ErrSuperseded) { // C72
			rt.Fatalf("a call begins though the user is linked anew: %v", err)
		}
		return
	}
	if err != nil {
		rt.Fatal(err)
	}
	if m.calls[id]++; m.calls[id] > 1 {
		rt.Fatalf("%s called twice", id)
	}
	if err := m.store.EndCall(m.t.Context(), lease, "U1", link.Settlement{State: link.RevokedDone}, at); err != nil {
		rt.Fatal(err)
	}
	if rapid.Bool().Draw(rt, "echoed") {
		u := link.Unlink{Channel: m.channel, UserID: "U1", At: at.Add(time.Second), By: "platform"}
		if _, err := m.store.Unlink(m.t.Context(), u, at); err != nil {
			rt.Fatal(err)
		}
	}
}

func (m *relinking) check(rt *rapid.T) {
	want := map[string]string{}
	if m.link != "" {
		want["U1"] = m.link
	}
	if got := m.active(); !maps.Equal(got, want) {
		rt.Fatalf("linked are %v, want %v", got, want)
	}
}

// C72: whatever the order, a link lives exactly if no revocation of after its login, and no unlinking of the user's own,
// came.
func testRevocationMachine(t *testing.T, open Open) {
	store := open(t)
	rapid.Check(t, func(rt *rapid.T) {
		m := &relinking{
			scene:   newScene(t, store, fmt.Sprint("machine-", machines.Add(1))),
			pending: map[string]time.Duration{}, asked: map[string]time.Duration{}, leases: map[string]link.Lease{}, calls: map[string]int{},
		}
		rt.Repeat(map[string]func(*rapid.T){
			"": m.check, "begin": m.begin, "confirmed": m.confirmed, "unlinked": m.unlinked, "ask": m.ask, "work": m.work,
		})
	})
	closeStore(t, store)
}

func keys[V any](m map[string]V) []string {
	var all []string
	for key := range m {
		all = append(all, key)
	}
	return all
}
