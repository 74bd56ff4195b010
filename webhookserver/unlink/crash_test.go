package unlink_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"channellink.dev/operator/webhookserver/link"
)

// calls stands for BotBonnie: it outlives whoever calls.
type calls struct {
	*httptest.Server
	mu    sync.Mutex
	users []string
}

func newCalls(t *testing.T) *calls {
	c := &calls{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.users = append(c.users, r.URL.Query().Get("user"))
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *calls) made() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.users)
}

// live runs a process that makes one attempt, and reports whether it died of its step.
func live(t *testing.T, o mortalOrder) (died bool) {
	t.Helper()
	order, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), mortalVariable+"="+string(order), "GORACE=atexit_sleep_ms=0")
	cmd.Stderr = os.Stderr
	err = cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() == -1 {
		return true
	}
	if err != nil {
		t.Fatal(err)
	}
	return false
}

// C71: a server is killed at each step of an unlinking, twice in a row. Whatever the step, the end is the same: everybody is
// unlinked once, from the first step that was taken; a call that succeeded is never made again, and one of which nobody
// knows is made once more for each death; and all of them are counted.
func TestKilledAtEachStep(t *testing.T) {
	const users, deaths = 2, 2
	all := ofPerson("all")
	all.Subject, all.All = "", true
	eachDatabase(t, func(t *testing.T, fresh func(*testing.T) where) {
		database := fresh(t)
		made, err := database.open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := made.Close(); err != nil {
			t.Fatal(err)
		}
		s := database.beside(t)
		for _, asked := range []link.Revocation{ofPerson("person"), all} {
			step, died := 1, deaths
			for ; died > 0; step++ {
				asked.Channel = link.ChannelID(fmt.Sprintf("LINE/%s-%d", asked.ID, step))
				k := killing{store: s, calls: newCalls(t), where: database, asked: asked, now: fence}
				linkUsers(t, s, asked.Channel, users, -time.Minute)
				for died = 0; died < deaths && k.live(t, step); died++ {
					k.wantClosedOnceOpen(t)
				}
				if k.live(t, 0) {
					t.Fatal("died of nothing")
				}
				k.wantEnd(t, users, died)
			}
			// open, begin, end and release, each from both sides; and closing, where it is a step of its own.
			if least := 4 + 4*users; step-2 < least {
				t.Errorf("%s: died at %d steps, want %d at least", asked.ID, step-2, least)
			}
		}
	})
}

// killing is one unlinking that is cut off again and again.
type killing struct {
	store link.Store
	calls *calls
	where where
	asked link.Revocation
	now   time.Time
}

// live has a process make an attempt, once the lease of the one before is over.
func (k *killing) live(t *testing.T, dieAt int) (died bool) {
	t.Helper()
	k.now = k.now.Add(link.LeaseTime + time.Second)
	return live(t, mortalOrder{Where: k.where, Platform: k.calls.URL, Now: k.now, DieAt: dieAt, Asked: k.asked})
}

// wantClosedOnceOpen: from the moment that the ledger knows of a person's unlinking, his links resolve to nobody.
func (k *killing) wantClosedOnceOpen(t *testing.T) {
	t.Helper()
	standing, err := k.store.Standing(t.Context(), k.asked.Channel, k.asked.ID, 10)
	if errors.Is(err, link.ErrNotFound) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if users := linked(t, k.store, k.asked.Channel); standing.Closed && len(users) != 0 {
		t.Errorf("%s: %v are linked, though the unlinking has begun", k.asked.Channel, users)
	}
	counted := 0
	for _, u := range standing.Users {
		counted += u.Attempts
	}
	if made := len(k.calls.made()); made > counted {
		t.Errorf("%s: %d calls were made, and %d counted", k.asked.Channel, made, counted)
	}
}

func (k *killing) wantEnd(t *testing.T, users, deaths int) {
	t.Helper()
	channel, made := k.asked.Channel, k.calls.made()
	if len(made) < users || len(made) > users+deaths {
		t.Errorf("%s: %d calls for %d users and %d deaths", channel, len(made), users, deaths)
	}
	for i := range users {
		if !slices.Contains(made, userN(i)) {
			t.Errorf("%s: no call for %s", channel, userN(i))
		}
	}
	standing, err := k.store.Standing(t.Context(), channel, k.asked.ID, 10)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[link.RevokedState]int{link.RevokedDone: users}, standing.Counts); diff != "" || !standing.Ended() {
		t.Errorf("%s (-want +got)\n%s", channel, diff)
	}
	left, err := k.store.CountLinks(t.Context(), channel)
	if err != nil || left[link.Active]+left[link.Unlinking] != 0 {
		t.Errorf("%s: %v are left, %v", channel, left, err)
	}
	happened := map[string]int{}
	err = k.store.Audit(t.Context(), channel, "", func(row link.AuditRow) error {
		happened[row.What]++
		return nil
	})
	if diff := cmp.Diff(map[string]int{"imported": users, "closed": users, "unlinked": users}, happened); err != nil || diff != "" {
		t.Errorf("%s: audit, %v (-want +got)\n%s", channel, err, diff)
	}
}
