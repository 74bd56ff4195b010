//go:build apiserver

package controllers_test

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/gomega"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/webhookserver/adminapi"
)

// kubectl gives what kubectl prints.
func kubectl(t *testing.T, namespace string, args ...string) (string, error) {
	t.Helper()
	all := append([]string{"--kubeconfig=" + env.Kubeconfig(t, env.Config), "--namespace=" + namespace}, args...)
	out, err := exec.CommandContext(t.Context(), env.Kubectl(), all...).CombinedOutput()
	return string(out), err
}

// What people see of AccountUnlinks in a terminal: a line that says whose, whether it is over, how, and with what result;
// a wait that ends; an explanation of each field; the Event.
func TestAccountUnlinksInATerminal(t *testing.T) {
	o := startOperator(t)
	namespace := env.Namespace(t)
	link := create(t, "line", namespace, ofVision("vision-hr"))
	o.ready(t, link)
	for _, each := range []struct {
		name, channel, reason string
		change                func(*v1alpha1.AccountUnlink)
		platform              func(adminapi.Unlink, int) (adminapi.UnlinkResult, error)
	}{
		{"hr-1", "vision-hr", v1alpha1.ReasonUnlinked, nil, nil},
		{"hr-2", "", v1alpha1.ReasonUnlinked, leaver, nil},
		{"hr-3", "vision-hr", v1alpha1.ReasonNotLinked, nil, always(adminapi.UnlinkNotLinked, "")},
		{"hr-4", "vision-hr", v1alpha1.ReasonRejected, nil, always(adminapi.UnlinkFailed, adminapi.UnlinkRejected)},
		{"hr-5", "vision-hr", v1alpha1.ReasonCredentialsRejected, nil, always(adminapi.UnlinkWaiting, adminapi.UnlinkCredentialsRejected)},
		{"hr-6", "vision-it", v1alpha1.ReasonWaitingForChannelLink, nil, nil},
		{"hr-7", "vision-hr", v1alpha1.ReasonSuspended, func(u *v1alpha1.AccountUnlink) { u.Spec.Suspend = new(true) }, nil},
	} {
		o.servers.platform(link, each.platform)
		change := each.change
		if change == nil {
			change = func(*v1alpha1.AccountUnlink) {}
		}
		becomes(t, ask(t, each.name, namespace, each.channel, change), each.reason)
	}

	t.Run("get", func(t *testing.T) {
		const want = `NAME CHANNEL COMPLETE REASON RESULT AGE
hr-1 vision-hr True Unlinked 1/1 unlinked 0s
hr-2 {"company":"vision"} True Unlinked 1/1 unlinked 0s
hr-3 vision-hr True NotLinked nobody was linked 0s
hr-4 vision-hr False Rejected 0/1 unlinked, 1 failed 0s
hr-5 vision-hr False CredentialsRejected 0/1 unlinked 0s
hr-6 vision-it False WaitingForChannelLink 0s
hr-7 vision-hr False Suspended 0s
`
		got, err := kubectl(t, namespace, "get", "unlink")
		got = regexp.MustCompile(`\d+s\n`).ReplaceAllString(regexp.MustCompile(` +`).ReplaceAllString(got, " "), "0s\n")
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
	})
	t.Run("conditions", func(t *testing.T) {
		const want = `Complete=True Unlinked: The links are revoked
Failed=False Unlinked: The links are revoked
Ready=True Unlinked: The links are revoked
Reconciling=False Unlinked: The links are revoked
Stalled=False Unlinked: The links are revoked
`
		got, err := kubectl(t, namespace, "get", "unlink", "hr-1", "-o",
			`jsonpath={range .status.conditions[*]}{.type}={.status} {.reason}: {.message}{"\n"}{end}`)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
	})
	t.Run("wait", func(t *testing.T) {
		for object, condition := range map[string]string{"hr-1": "Complete", "hr-2": "Ready", "hr-4": "Failed", "hr-5": "Reconciling", "hr-6": "Complete=false"} {
			if out, err := kubectl(t, namespace, "wait", "unlink/"+object, "--for=condition="+condition, "--timeout=20s"); err != nil {
				t.Errorf("%s: %v: %s", object, err, out)
			}
		}
		if out, err := kubectl(t, namespace, "wait", "unlink/hr-4", "--for=condition=Reconciling=false", "--timeout=20s"); err != nil {
			t.Errorf("its end: %v: %s", err, out)
		}
		out, err := kubectl(t, namespace, "wait", "unlink/hr-4", "--for=condition=Complete", "--timeout=1s")
		if err == nil {
			t.Errorf("the failed one is complete: %s", out)
		}
	})
	t.Run("explain", func(t *testing.T) {
		for field, sentence := range map[string]string{
			"":                     "revokes the link of a chat user",
			".spec.linkedBefore":   "links whose login is later survive",
			".spec.user.subject":   "every chat account linked to this identity",
			".spec.actions.type":   "ENUM:",
			".status.users.user":   "masked",
			".spec.ifUnknown":      "BotBonnie is told all the same",
			".status.startTime":    "as the server recorded it before the first call",
			".status.summary":      "2/2 unlinked",
			".spec.channelLinkRef": "Absent: `channelLinkSelector` is set",
		} {
			out, err := kubectl(t, namespace, "explain", "accountunlinks"+field)
			if text := strings.Join(strings.Fields(out), " "); err != nil || !strings.Contains(text, sentence) {
				t.Errorf("%s does not say %q: %v: %s", field, sentence, err, out)
			}
		}
	})
	t.Run("describe", func(t *testing.T) {
		NewWithT(t).Eventually(func() (string, error) { return kubectl(t, namespace, "describe", "unlink", "hr-4") }).
			Should(MatchRegexp(`Warning +Rejected .*the links are revoked here all the same.*\(0/1 unlinked, 1 failed\)`))
	})
}
