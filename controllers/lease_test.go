package controllers

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// fakeLock answers as it is told.
type fakeLock struct {
	resourcelock.Interface
	err   error
	delay time.Duration
}

func (f *fakeLock) Identity() string { return "me" }

func (f *fakeLock) Create(context.Context, resourcelock.LeaderElectionRecord) error {
	<-time.After(f.delay)
	return f.err
}

func (f *fakeLock) Update(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	return f.Create(ctx, record)
}

// A lease is held from the moment its renewal was sent until its duration has passed, by whoever renewed it last. C76
func TestLeaseHeld(t *testing.T) {
	mine := resourcelock.LeaderElectionRecord{HolderIdentity: "me"}
	synctest.Test(t, func(t *testing.T) {
		lock := &fakeLock{}
		lease := &Lease{Interface: lock, Duration: 15 * time.Second}
		expect := func(want bool, when string) {
			t.Helper()
			if got := lease.Held(); got != want {
				t.Errorf("%s: held %t, want %t", when, got, want)
			}
		}
		expect(false, "before the election")

		if err := lease.Create(t.Context(), mine); err != nil {
			t.Fatal(err)
		}
		expect(true, "elected")
		<-time.After(15*time.Second - 1)
		expect(true, "within its duration")
		<-time.After(1)
		expect(false, "after it")

		if err := lease.Update(t.Context(), mine); err != nil {
			t.Fatal(err)
		}
		expect(true, "renewed")
		<-time.After(10 * time.Second)
		lock.err = errors.New("connection refused")
		if err := lease.Update(t.Context(), mine); err == nil {
			t.Fatal("no error")
		}
		expect(true, "a renewal that failed, within the last one's duration")
		<-time.After(5 * time.Second)
		expect(false, "after the last good renewal's duration")

		lock.err, lock.delay = nil, 14*time.Second
		if err := lease.Update(t.Context(), mine); err != nil {
			t.Fatal(err)
		}
		expect(true, "renewed slowly")
		<-time.After(time.Second)
		expect(false, "15 s after the renewal was sent, though 1 s after it was answered: others may have seen it at once")

		lock.delay = 0
		if err := lease.Update(t.Context(), mine); err != nil {
			t.Fatal(err)
		}
		if err := lease.Update(t.Context(), resourcelock.LeaderElectionRecord{}); err != nil {
			t.Fatal(err)
		}
		expect(false, "given up: another may lead right now")
	})
}
