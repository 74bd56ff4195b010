//go:build apiserver

package controllers_test

import (
	"context"
	"errors"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/webhookserver/adminapi"
)

// ledger is what a fakeServer knows of unlinkings. It answers as servers do: what is over stays as it is, and the platform
// is called for what is not.
type ledger struct {
	requests map[string]*entry
	// script says what the platform makes of call n (from 1) for a request; nil: it unlinks one user.
	script func(request adminapi.Unlink, n int) (adminapi.UnlinkResult, error)
	// now is the ledger's clock; nil: the machine's.
	now func() time.Time
}

// errStoreClosed has a ledger answer that its store cannot be used.
var errStoreClosed = errors.New("the store cannot be used")

// entry is one request in the ledger.
type entry struct {
	first  adminapi.Unlink
	result adminapi.UnlinkResult
	// calls of the platform, and questions of the operator.
	calls, asked int
	// last is the request as it came last.
	last adminapi.Unlink
}

// unlinked is a result for one user, in this state.
func unlinked(state adminapi.UnlinkState, cause adminapi.UnlinkCause) adminapi.UnlinkResult {
	result := adminapi.UnlinkResult{
		Attempts: 1, Cause: cause,
		Users: []adminapi.UnlinkUser{{User: "U206…7cb8", State: state, Cause: cause, Attempts: 1}},
	}
	switch state {
	case adminapi.UnlinkWaiting:
		result.More, result.Counts.Waiting = true, 1
	case adminapi.UnlinkDone:
		result.Counts.Unlinked = 1
	case adminapi.UnlinkSuperseded:
		result.Counts.Superseded = 1
	case adminapi.UnlinkFailed:
		result.Counts.Failed = 1
	case adminapi.UnlinkNotLinked:
		result.Counts.NotLinked = 1
	}
	return result
}

// Unlink implements controllers.Unlinker.
func (s *servers) Unlink(_ context.Context, target adminapi.Target, _ *adminapi.Signer, id string, request adminapi.Unlink) (adminapi.UnlinkResult, error) {
	s.mu.Lock()
	server, ok := s.byChannel[target.Audience]
	if !ok {
		s.mu.Unlock()
		return adminapi.UnlinkResult{}, adminapi.ErrUnreachable
	}
	defer s.mu.Unlock()
	return server.unlinks.take(id, request)
}

func (l *ledger) take(id string, request adminapi.Unlink) (adminapi.UnlinkResult, error) {
	if l.requests == nil {
		l.requests = map[string]*entry{}
	}
	e, ok := l.requests[id]
	if !ok {
		e = &entry{first: request}
		l.requests[id] = e
	}
	e.asked++
	e.last = request
	if started := !e.result.StartedAt.IsZero(); started && !e.result.More && e.result.Epoch == request.Epoch {
		return e.result, nil
	}
	script := l.script
	if script == nil {
		script = func(adminapi.Unlink, int) (adminapi.UnlinkResult, error) {
			return unlinked(adminapi.UnlinkDone, ""), nil
		}
	}
	result, err := script(request, e.calls+1)
	switch {
	case errors.Is(err, errStoreClosed):
		return adminapi.UnlinkResult{Cause: adminapi.UnlinkStoreUnavailable, More: true}, nil
	case err != nil:
		return adminapi.UnlinkResult{}, err
	}
	e.calls++
	result.StartedAt, result.Epoch = e.result.StartedAt, request.Epoch
	if result.StartedAt.IsZero() {
		now := l.now
		if now == nil {
			now = time.Now
		}
		result.StartedAt = now().Truncate(time.Second)
	}
	e.result = result
	return result, nil
}

// entryOf is what the ChannelLink's server knows of the request.
func (s *servers) entryOf(link *v1alpha1.ChannelLink, owner client.Object) entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	server, ok := s.byChannel[string(link.UID)]
	if !ok {
		return entry{}
	}
	if e, ok := server.unlinks.requests[string(owner.GetUID())]; ok {
		return *e
	}
	return entry{}
}

// platform has the platform of the ChannelLink do what the script says.
func (s *servers) platform(link *v1alpha1.ChannelLink, script func(request adminapi.Unlink, n int) (adminapi.UnlinkResult, error)) {
	s.change(link, func(f *fakeServer) { f.unlinks.script = script })
}

// always is a platform that makes the same of every call.
func always(state adminapi.UnlinkState, cause adminapi.UnlinkCause) func(adminapi.Unlink, int) (adminapi.UnlinkResult, error) {
	return func(_ adminapi.Unlink, n int) (adminapi.UnlinkResult, error) {
		result := unlinked(state, cause)
		result.Attempts, result.Users[0].Attempts = int32(n), int32(n)
		return result, nil
	}
}

// chatUser is a whole id of a chat user; it must appear nowhere but in the spec and in requests.
const chatUser = "U206d25c2ea6bd87c17655609a1c37cb8"

// request gives an AccountUnlink for one chat user of the ChannelLink, after the changes.
func request(name, namespace, channel string, changes ...func(*v1alpha1.AccountUnlink)) *v1alpha1.AccountUnlink {
	unlink := &v1alpha1.AccountUnlink{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha1.AccountUnlinkSpec{
			ChannelLinkRef: &v1alpha1.ChannelLinkReference{Name: v1alpha1.ObjectName(channel)},
			User:           v1alpha1.UnlinkUser{UserID: chatUser},
		},
	}
	for _, change := range changes {
		change(unlink)
	}
	return unlink
}

// ask makes such an AccountUnlink.
func ask(t *testing.T, name, namespace, channel string, changes ...func(*v1alpha1.AccountUnlink)) *v1alpha1.AccountUnlink {
	t.Helper()
	unlink := request(name, namespace, channel, changes...)
	if err := env.Client.Create(t.Context(), unlink); err != nil {
		t.Fatal(err)
	}
	return unlink
}

// reads brings the AccountUnlink up to date and gives its condition.
func reads(ctx context.Context, unlink *v1alpha1.AccountUnlink, kind string) (metav1.Condition, error) {
	if err := env.Client.Get(ctx, client.ObjectKeyFromObject(unlink), unlink); err != nil {
		return metav1.Condition{}, err
	}
	if c := meta.FindStatusCondition(unlink.Status.Conditions, kind); c != nil {
		return *c, nil
	}
	return metav1.Condition{}, nil
}

// becomes waits until Ready of the AccountUnlink has the reason, about its current generation.
func becomes(t *testing.T, unlink *v1alpha1.AccountUnlink, reason string) {
	t.Helper()
	NewWithT(t).Eventually(func(g Gomega) {
		ready, err := reads(t.Context(), unlink, v1alpha1.ConditionReady)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(ready.Reason).To(Equal(reason), ready.Message)
		g.Expect(ready.ObservedGeneration).To(Equal(unlink.Generation))
	}).Should(Succeed())
}

// amend changes the AccountUnlink.
func amend(t *testing.T, unlink *v1alpha1.AccountUnlink, change func(*v1alpha1.AccountUnlink)) {
	t.Helper()
	was := unlink.DeepCopy()
	change(unlink)
	if err := env.Client.Patch(t.Context(), unlink, client.MergeFrom(was)); err != nil {
		t.Fatal(err)
	}
}

func exists(t *testing.T, unlink *v1alpha1.AccountUnlink) bool {
	t.Helper()
	err := env.Client.Get(t.Context(), client.ObjectKeyFromObject(unlink), &v1alpha1.AccountUnlink{})
	if client.IgnoreNotFound(err) != nil {
		t.Fatal(err)
	}
	return err == nil
}
