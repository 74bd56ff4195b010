package controllers

import (
	"context"
	"sync/atomic"
	"time"

	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// +kubebuilder:rbac:groups=coordination.k8s.io,namespace=system,resources=leases,verbs=create
// +kubebuilder:rbac:groups=coordination.k8s.io,namespace=system,resources=leases,resourceNames=channellink-operator,verbs=get;update

// Lease is a leader election lock that remembers when it was last renewed. A process that was paused learns of the loss of
// its lease only when its next renewal fails; until then only the age of the last renewal tells it to keep still.
type Lease struct {
	resourcelock.Interface
	// Duration of the lease.
	Duration time.Duration
	renewed  atomic.Pointer[time.Time]
}

// Create makes the lock's record and notes the time.
func (l *Lease) Create(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	return l.note(record, func() error { return l.Interface.Create(ctx, record) })
}

// Update changes the lock's record and notes the time.
func (l *Lease) Update(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	return l.note(record, func() error { return l.Interface.Update(ctx, record) })
}

// note keeps the time before the write: others count the lease from when they see it, which is later. A lease that is
// given up is not held any more from before the write on, because another may lead right after it.
func (l *Lease) note(record resourcelock.LeaderElectionRecord, write func() error) error {
	if record.HolderIdentity != l.Identity() {
		l.renewed.Store(nil)
		return write()
	}
	before := time.Now()
	err := write()
	if err == nil {
		l.renewed.Store(&before)
	}
	return err
}

// Held tells whether the last renewal is younger than the lease lasts. The monotonic clock goes on while a process is
// paused.
func (l *Lease) Held() bool {
	renewed := l.renewed.Load()
	return renewed != nil && time.Since(*renewed) < l.Duration
}
