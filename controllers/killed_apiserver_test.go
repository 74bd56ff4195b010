//go:build apiserver

package controllers_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/webhookserver/adminapi"
	"channellink.dev/operator/webhookserver/config"
	"channellink.dev/operator/webhookserver/link"
)

// purge is a dozen AccountUnlinks over three channels, whose servers have the real ledger.
type purge struct {
	*operator
	records  *records
	verifier *adminapi.Verifier
	// tenant is the namespace of the channels and of the AccountUnlinks.
	tenant   string
	channels map[string]*v1alpha1.ChannelLink
}

// faulty is the channel whose platform fails once, for the first user.
const faulty = "killed-it"

// purgeOutcome is what must be the same, whatever befell the operator.
type purgeOutcome struct {
	// Statuses of the AccountUnlinks by name.
	Statuses map[string]v1alpha1.AccountUnlinkStatus
	// Calls of the platforms by ChannelLink and chat user.
	Calls map[string]map[string]int
	// Linked are those who still are, by ChannelLink.
	Linked map[string]map[string]link.Identity
}

// A manager process is killed at one step after the other, with and without what it had asked for being done, and started
// again. All is revoked as if nothing had happened: with the same calls for every user, and with the attempts told that
// the servers' ledgers have. C71
func TestTheOperatorIsKilledAgainAndAgain(t *testing.T) {
	p := newPurge(t)
	first := p.live(nil)
	p.prepare()
	unlinks := p.begin("undisturbed")
	p.awaitComplete(unlinks)
	want := p.outcome(unlinks)
	if diff := cmp.Diff(p.bound(), want.Calls); diff != "" {
		t.Fatalf("calls without an accident (-want +got):\n%s", diff)
	}
	for _, unlink := range unlinks {
		remove(t, unlink)
	}
	first.end(p)

	unlinks = p.begin("killed")
	for _, d := range []death{
		{asks, 1, false},
		{calls, 2, false},
		{asks, 3, true},
		{writes, 1, false},
		{writes, 1, true},
		{asks, 4, false},
		{writes, 3, true},
		{asks, 2, true},
	} {
		l := p.live(&d)
		l.awaitDeath(t)
		l.end(p)
	}
	p.live(nil)
	p.awaitComplete(unlinks)
	got := p.outcome(unlinks)
	if diff := cmp.Diff(want, got, cmp.Options{
		cmpopts.IgnoreTypes(metav1.Time{}),
		cmpopts.IgnoreFields(v1alpha1.AccountUnlinkStatus{}, "StartTime", "LastAttemptTime", "CompletionTime"),
	}); diff != "" {
		t.Errorf("the end of a process that was killed (-undisturbed +killed):\n%s", diff)
	}
	p.compareWithLedgers(unlinks)
}

func newPurge(t *testing.T) *purge {
	t.Helper()
	p := &purge{operator: newOperator(t), records: newRecords(t), tenant: env.Namespace(t), channels: map[string]*v1alpha1.ChannelLink{}}
	var audiences []string
	for _, name := range []string{"killed-hr", faulty, "killed-law"} {
		channel := create(t, "line", p.tenant, ofVision(name))
		p.channels[name] = channel
		audiences = append(audiences, string(channel.UID))
	}
	p.verifier = adminapi.NewVerifier(audiences...)
	return p
}

// prepare waits until the ChannelLinks are ready. Their servers take the operator's keys from where it has published them.
func (p *purge) prepare() {
	p.t.Helper()
	for _, channel := range p.channels {
		settings := &corev1.ConfigMap{}
		NewWithT(p.t).Eventually(func(g Gomega) {
			g.Expect(env.Client.Get(p.t.Context(), childOf(channel), settings)).To(Succeed())
			keys, err := adminapi.ParseKeys([]byte(settings.Data[config.OperatorKeysFile]))
			g.Expect(err).NotTo(HaveOccurred())
			p.verifier.SetKeys(keys)
		}).WithTimeout(2 * patience).Should(Succeed())
	}
	for _, channel := range p.channels {
		p.readyWithin(p.t, channel, 2*patience)
	}
}

// status is what the server of that channel says.
func (p *purge) status(audience string) adminapi.Status {
	p.servers.mu.Lock()
	defer p.servers.mu.Unlock()
	var status adminapi.Status
	if server, ok := p.servers.byChannel[audience]; ok {
		status = server.status
	}
	status.KeyIDs = p.verifier.KeyIDs()
	return status
}

// begin links the same people in channels of which nothing is known yet, and asks for the revocations: three of one chat user
// for each channel, and three of one person in every channel. One person stays.
func (p *purge) begin(run string) []*v1alpha1.AccountUnlink {
	p.t.Helper()
	p.records.mu.Lock()
	defer p.records.mu.Unlock()
	p.records.channels, p.records.issuers = map[string]link.ChannelID{}, map[string]string{}
	p.records.told = map[link.ChannelID][]string{}
	p.records.failures = map[chatAccount]int{{link.NewChannelID("LINE", faulty+"-"+run), purged(0)}: 1}
	var unlinks []*v1alpha1.AccountUnlink
	for name, channel := range p.channels {
		id := link.NewChannelID("LINE", name+"-"+run)
		p.records.channels[string(channel.UID)], p.records.issuers[string(channel.UID)] = id, someIssuers[0]
		var links []link.Link
		at := time.Now().Add(-time.Hour)
		for n := range 7 {
			links = append(links, link.Link{
				Channel: id, UserID: purged(n), LoginAt: at, LinkedAt: at, Confirmed: true, CodeHash: link.HashCode(link.NewCode()),
				Identity: link.Identity{Issuer: someIssuers[0], Subject: fmt.Sprint("00u", n)},
			})
		}
		if _, err := p.records.store.Import(p.t.Context(), links, time.Now()); err != nil {
			p.t.Fatal(err)
		}
		for n := range 3 {
			unlinks = append(unlinks, ask(p.t, fmt.Sprint(name, "-", n), p.tenant, name, func(u *v1alpha1.AccountUnlink) {
				u.Spec.User = v1alpha1.UnlinkUser{UserID: purged(n)}
			}))
		}
	}
	for n := 3; n < 6; n++ {
		unlinks = append(unlinks, ask(p.t, fmt.Sprint("everywhere-", n), p.tenant, "", leaver, func(u *v1alpha1.AccountUnlink) {
			u.Spec.User.Subject = fmt.Sprint("00u", n)
		}))
	}
	return unlinks
}

// purged is person n as a chat user, in every channel.
func purged(n int) string { return fmt.Sprintf("U%032x", n+1) }

// bound is how often the platforms may be called for each user: once, and once more where a call has failed.
func (p *purge) bound() map[string]map[string]int {
	calls := map[string]map[string]int{}
	for name := range p.channels {
		calls[name] = map[string]int{}
		for n := range 6 {
			calls[name][purged(n)] = 1
		}
	}
	calls[faulty][purged(0)]++
	return calls
}

func (p *purge) awaitComplete(unlinks []*v1alpha1.AccountUnlink) {
	p.t.Helper()
	NewWithT(p.t).Eventually(func(g Gomega) {
		for _, unlink := range unlinks {
			complete, err := reads(p.t.Context(), unlink, v1alpha1.ConditionComplete)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(complete.Status).To(Equal(metav1.ConditionTrue), "%s: %s", unlink.Name, complete.Message)
		}
	}).WithTimeout(2 * patience).Should(Succeed())
}

func (p *purge) outcome(unlinks []*v1alpha1.AccountUnlink) purgeOutcome {
	p.t.Helper()
	o := purgeOutcome{map[string]v1alpha1.AccountUnlinkStatus{}, map[string]map[string]int{}, map[string]map[string]link.Identity{}}
	for _, unlink := range unlinks {
		o.Statuses[unlink.Name] = unlink.Status
	}
	for name, channel := range p.channels {
		p.records.mu.Lock()
		id := p.records.channels[string(channel.UID)]
		o.Calls[name] = map[string]int{}
		for _, user := range p.records.told[id] {
			o.Calls[name][user]++
		}
		p.records.mu.Unlock()
		o.Linked[name] = p.records.linked(p.t, id)
		if _, stays := o.Linked[name][purged(6)]; len(o.Linked[name]) != 1 || !stays {
			p.t.Errorf("%d are linked in %s, want the one whom nobody has revoked", len(o.Linked[name]), name)
		}
	}
	return o
}

// compareWithLedgers compares the attempts that the AccountUnlinks tell with those that the servers have counted.
func (p *purge) compareWithLedgers(unlinks []*v1alpha1.AccountUnlink) {
	p.t.Helper()
	for _, unlink := range unlinks {
		told, counted, most := map[string]int32{}, map[string]int32{}, int32(0)
		for _, user := range unlink.Status.Users {
			told[string(user.ChannelLink)+" "+user.User] = user.Attempts
		}
		for name, channel := range p.channels {
			if ref := unlink.Spec.ChannelLinkRef; ref != nil && string(ref.Name) != name {
				continue
			}
			standing, err := p.records.store.Standing(p.t.Context(), p.records.channels[string(channel.UID)], string(unlink.UID), 10)
			if err != nil {
				p.t.Fatal(err)
			}
			most = max(most, int32(standing.Attempts))
			for _, user := range standing.Users {
				counted[name+" "+user.Masked] = int32(user.Attempts)
			}
		}
		if diff := cmp.Diff(counted, told); diff != "" || unlink.Status.Attempts != most {
			p.t.Errorf("%s tells %d attempts, the ledgers have %d; for each user (-ledger +status):\n%s", unlink.Name, unlink.Status.Attempts, most, diff)
		}
	}
}
