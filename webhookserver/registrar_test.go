package webhookserver

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"channellink.dev/operator/webhookserver/adminapi"
	"channellink.dev/operator/webhookserver/secretfile"
	"channellink.dev/operator/webhookserver/secretfile/secretfiletest"
)

// platformSettings answer a registrar as they are told to, and note when they were asked.
type platformSettings struct {
	mu             sync.Mutex // also in a bubble: its clock orders nothing for the race detector
	looked, tested []time.Time
	test           adminapi.Registration
	fails          error
}

// times are when the platform was asked, and when it was to test.
func (p *platformSettings) times() (looked, tested []time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.looked), slices.Clone(p.tested)
}

// answers changes what the platform says from now on.
func (p *platformSettings) answers(test adminapi.Registration, fails error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.test, p.fails = test, fails
}

// observed runs a registrar in a bubble, with a token from the start and a server that is ready after half a minute.
func observed(t *testing.T, p *platformSettings, during func(r *registrar)) {
	t.Helper()
	volume := secretfiletest.NewVolume(t, map[string]string{"token": "t"})
	synctest.Test(t, func(t *testing.T) {
		token := secretfile.NewWatcher(secretfile.Options{}).File(volume.Path("token"))
		readyAt := time.Now().Add(30 * time.Second)
		r := &registrar{
			look: func(context.Context) (adminapi.Registration, error) {
				p.mu.Lock()
				defer p.mu.Unlock()
				p.looked = append(p.looked, time.Now())
				return adminapi.Registration{State: adminapi.RegistrationInPlace}, p.fails
			},
			test: func(context.Context) (adminapi.Registration, error) {
				p.mu.Lock()
				defer p.mu.Unlock()
				p.tested = append(p.tested, time.Now())
				return p.test, nil
			},
			ready: func() bool { return !time.Now().Before(readyAt) },
			token: token, now: time.Now, log: slog.New(slog.DiscardHandler),
		}
		r.current.Store(&adminapi.Registration{State: adminapi.RegistrationPending})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			r.run(ctx)
		}()
		during(r)
		stop()
		<-ended
	})
}

// LINE allows 60 tests an hour; a webhook that works is tested four times a day, and never before the server is ready.
func TestRegistrarTestsSeldom(t *testing.T) {
	p := &platformSettings{test: adminapi.Registration{State: adminapi.RegistrationInPlace}}
	observed(t, p, func(r *registrar) {
		began := time.Now()
		time.Sleep(24 * time.Hour) // the bubble's clock
		looked, tested := p.times()
		if first := tested[0].Sub(began); first < 30*time.Second+testDelay || first > 2*time.Minute {
			t.Errorf("first tested after %v", first)
		}
		if n := len(tested); n < 4 || n > 6 {
			t.Errorf("tested %d times in a day", n)
		}
		if n := len(looked); n < 24*60/6 || n > 24*60/4 {
			t.Errorf("looked %d times in a day", n)
		}
		if got := *r.State(); got.State != adminapi.RegistrationInPlace {
			t.Errorf("%+v", got)
		}
	})
}

// A webhook that fails its test is tested again soon, and then less and less often; what mends is seen.
func TestRegistrarTestsAgain(t *testing.T) {
	failed := adminapi.Registration{State: adminapi.RegistrationTestFailed, Test: adminapi.TestBadStatus, HTTPStatus: 502}
	p := &platformSettings{test: failed}
	observed(t, p, func(r *registrar) {
		time.Sleep(time.Hour) // the bubble's clock
		if _, tested := p.times(); len(tested) < 6 || len(tested) > 10 {
			t.Errorf("tested %d times in the first hour", len(tested))
		}
		if got := *r.State(); got != failed {
			t.Errorf("%+v", got)
		}
		p.answers(adminapi.Registration{State: adminapi.RegistrationInPlace}, nil)
		time.Sleep(testSlowest + lookAgain*2) // the bubble's clock
		if got := *r.State(); got.State != adminapi.RegistrationInPlace {
			t.Errorf("it works again: %+v", got)
		}
	})
}

// What was seen last counts for an hour when the platform does not answer, and not longer.
func TestRegistrarRemembers(t *testing.T) {
	p := &platformSettings{test: adminapi.Registration{State: adminapi.RegistrationInPlace}}
	observed(t, p, func(r *registrar) {
		time.Sleep(10 * time.Minute) // the bubble's clock
		p.answers(adminapi.Registration{}, errors.New("silence"))
		time.Sleep(40 * time.Minute) // the bubble's clock
		if got := *r.State(); got.State != adminapi.RegistrationInPlace {
			t.Errorf("within the hour: %+v", got)
		}
		time.Sleep(40 * time.Minute) // the bubble's clock
		if got := *r.State(); got.State != adminapi.RegistrationUnreachable {
			t.Errorf("after it: %+v", got)
		}
	})
}
