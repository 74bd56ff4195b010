package store

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"channellink.dev/operator/webhookserver/link"
)

// A flood of log-in clicks ends at the bound, on its own channel. Until they are swept sessions take room, however they ended.
func TestSQLiteMaxSessions(t *testing.T) {
	const limit = 20
	s, err := OpenSQLite(t.Context(), SQLiteOptions{Path: databasePath(t), Options: Options{MaxSessions: limit}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	now := time.Unix(1_700_000_000, 0)
	put := func(channel link.ChannelID, name string, at time.Time) error {
		return s.PutSession(t.Context(), link.Session{
			Flow: name, Channel: channel, Step: link.Started, StateHash: link.HashCode(name),
			StartedAt: at, ExpiresAt: at.Add(time.Minute),
		})
	}
	var mu sync.Mutex
	admitted := 0
	var callers sync.WaitGroup
	for i := range 5 * limit {
		callers.Go(func() {
			err := put("LINE/1", fmt.Sprint("flood-", i), now)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				admitted++
			case !errors.Is(err, link.ErrTooManySessions):
				t.Error(err)
			}
		})
	}
	callers.Wait()
	if n, err := s.OpenSessions(t.Context(), "LINE/1", now); err != nil || n > limit || int(n) != admitted {
		t.Fatalf("%d sessions open, %d admitted, %v; want at most %d", n, admitted, err, limit)
	}
	// Under a flood some are counted twice for a moment, which leaves room for others at the next count.
	for i := 0; ; i++ {
		err := put("LINE/1", fmt.Sprint("after-", i), now.Add(time.Duration(i+1)*recountAfter))
		if errors.Is(err, link.ErrTooManySessions) {
			break
		}
		if err != nil || i == limit {
			t.Fatalf("session %d after the flood: %v, want the bound of %d to be reached", i, err, limit)
		}
	}
	for i := range 5 * limit { // a stranger can end what he began
		name := fmt.Sprint("flood-", i)
		if _, err := s.TakeCallback(t.Context(), "LINE/1", link.HashCode(name), now); errors.Is(err, link.ErrNotFound) {
			continue
		} else if err != nil {
			t.Fatal(err)
		}
		if err := s.Refuse(t.Context(), "LINE/1", name); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct {
		reason  string
		channel link.ChannelID
		at      time.Time
		want    error
	}{
		{"the flood is over, the sessions are kept", "LINE/1", now.Add(30 * time.Second), link.ErrTooManySessions},
		{"another channel", "LINE/2", now, nil},
		{"C86: a clock that is set back counts anew", "LINE/1", now.Add(-time.Hour), link.ErrTooManySessions},
		{"their time is over", "LINE/1", now.Add(2 * time.Minute), link.ErrTooManySessions},
		{"they are swept", "LINE/1", now.Add(2*time.Minute + link.SessionKept), nil},
	} {
		if err := s.Sweep(t.Context(), tc.at, time.Hour); err != nil {
			t.Fatal(err)
		}
		if err := put(tc.channel, tc.reason, tc.at); !errors.Is(err, tc.want) {
			t.Errorf("%s: got %v, want %v", tc.reason, err, tc.want)
		}
	}
}
