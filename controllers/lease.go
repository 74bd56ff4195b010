package controllers

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"channellink.dev/operator/internal/names"
)

// +kubebuilder:rbac:groups=coordination.k8s.io,namespace=system,resources=leases,verbs=create
// +kubebuilder:rbac:groups=coordination.k8s.io,namespace=system,resources=leases,resourceNames=channellink-operator,verbs=get;update

// Leader election: others take over within leaseDuration and retryPeriod, and a leader gives up before that.
const (
	leaseDuration = 15 * time.Second
	renewDeadline = 10 * time.Second
	retryPeriod   = 2 * time.Second
)

// ElectLeader has the manager lead only while it holds the Lease in the operator's namespace. The function that it returns
// tells whether the Lease is still held, for Options.MayAsk.
func ElectLeader(options *manager.Options, config *rest.Config, namespace string) (held func() bool, err error) {
	lease, err := newLease(config, namespace)
	if err != nil {
		return nil, fmt.Errorf("preparing leader election: %w", err)
	}
	options.LeaderElection = true
	options.LeaderElectionResourceLockInterface = lease
	options.LeaseDuration = new(leaseDuration)
	options.RenewDeadline = new(renewDeadline)
	options.RetryPeriod = new(retryPeriod)
	// The process ends when its manager does, so another replica may lead at once.
	options.LeaderElectionReleaseOnCancel = true
	return lease.Held, nil
}

// newLease is the lock that the replicas elect their leader by. Its identity is new with every process, so that a
// restarted one never takes its predecessor's lease for its own.
func newLease(config *rest.Config, namespace string) (*Lease, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	// Renewals must fail fast, and must not queue behind other requests.
	config = rest.CopyConfig(config)
	config.Timeout = renewDeadline / 2
	client, err := kubernetes.NewForConfig(rest.AddUserAgent(config, "leader-election"))
	if err != nil {
		return nil, err
	}
	identity := fmt.Sprintf("%s_%d_%d", host, os.Getpid(), time.Now().UnixNano())
	lock, err := resourcelock.New(resourcelock.LeasesResourceLock, namespace, names.LeaderLease,
		client.CoreV1(), client.CoordinationV1(), resourcelock.ResourceLockConfig{Identity: identity})
	if err != nil {
		return nil, err
	}
	return &Lease{Interface: lock, Duration: leaseDuration}, nil
}

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
