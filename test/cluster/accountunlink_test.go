//go:build cluster

package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/chatsim"
)

const (
	leaverTag  = "tag-4VW8DDgwu" // hack/demo/chatsim.yaml
	unlinkPath = "/v1/api/accountLink/unlink"
	// unlinkTime bounds an unlinking that meets one fault: a call that hangs, and the first back-off.
	unlinkTime = 60 * time.Second
)

// enterLinked lets somebody new into a channel of BotBonnie's and links him.
func enterLinked(t *testing.T, channel string) *chat {
	t.Helper()
	c := enter(t, channel)
	c.linkThroughBotBonnie(c.button(c.says("leave balance")))
	c.asksForLeave()
	return c
}

// unlink applies an AccountUnlink of the chat user in one of the demo's channels.
func (c *chat) unlink(actions ...v1alpha1.UnlinkAction) *v1alpha1.AccountUnlink {
	c.t.Helper()
	return c.unlinkAt(types.NamespacedName{Namespace: companyNamespace, Name: c.channel}, actions...)
}

// unlinkAt applies an AccountUnlink of the chat user, in another second than that of the login: the time at which an object
// was made has whole seconds, and a login of the same second counts as later.
func (c *chat) unlinkAt(link types.NamespacedName, actions ...v1alpha1.UnlinkAction) *v1alpha1.AccountUnlink {
	c.t.Helper()
	login := time.Now().Unix()
	NewWithT(c.t).Eventually(func() int64 { return time.Now().Unix() }).WithTimeout(answerTime).WithPolling(poll / 10).Should(BeNumerically(">", login))
	u := &v1alpha1.AccountUnlink{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "e2e-", Namespace: link.Namespace},
		Spec: v1alpha1.AccountUnlinkSpec{
			ChannelLinkRef: &v1alpha1.ChannelLinkReference{Name: v1alpha1.ObjectName(link.Name)},
			User:           v1alpha1.UnlinkUser{UserID: c.user.ID},
			Actions:        actions, Reason: "HR-1234 leaver",
		},
	}
	create(c.t, u)
	c.t.Cleanup(func() {
		if c.t.Failed() {
			out, err := kubectl(context.Background(), "-n", u.Namespace, "get", "accountunlink", u.Name, "-o", "yaml")
			c.t.Logf("%v\n%s", err, out)
		}
		if err := client.IgnoreNotFound(cluster.Delete(context.Background(), u)); err != nil {
			c.t.Errorf("deleting AccountUnlink %s: %v", u.Name, err)
		}
	})
	return u
}

// ends waits until the unlinking has ended and returns how: the condition that is true, with its reason.
func ends(t *testing.T, u *v1alpha1.AccountUnlink, within time.Duration) string {
	t.Helper()
	var ended string
	NewWithT(t).Eventually(func(g Gomega) {
		g.Expect(cluster.Get(t.Context(), client.ObjectKeyFromObject(u), u)).To(Succeed())
		ended = ""
		for _, kind := range []string{v1alpha1.ConditionComplete, v1alpha1.ConditionFailed} {
			if c := meta.FindStatusCondition(u.Status.Conditions, kind); c != nil && c.Status == metav1.ConditionTrue {
				ended = kind + "/" + c.Reason
			}
		}
		g.Expect(ended).NotTo(BeEmpty(), "%+v", u.Status)
	}).WithTimeout(within).WithPolling(poll).Should(Succeed())
	return ended
}

// calls counts the platform's calls about the user at a path.
func (c *chat) calls(path string) int {
	c.t.Helper()
	n := 0
	for _, r := range requests(c.t, c.channel) {
		if strings.HasSuffix(r.Path, path) && r.User == c.user.ID {
			n++
		}
	}
	return n
}

func TestUnlinkCarriesOutEachAction(t *testing.T) {
	for _, tc := range []struct {
		action v1alpha1.UnlinkAction
		want   chatsim.UserState
	}{
		{v1alpha1.UnlinkAction{Type: "saveParams", Name: "age", Value: "18"}, chatsim.UserState{Params: map[string]string{"age": "18"}}},
		{v1alpha1.UnlinkAction{Type: "addTag", Value: leaverTag}, chatsim.UserState{Tags: []string{leaverTag}}},
		{v1alpha1.UnlinkAction{Type: "removeTag", Value: leaverTag}, chatsim.UserState{}},
		{v1alpha1.UnlinkAction{Type: "notifyAgent", Message: "用戶已解除綁定"}, chatsim.UserState{Notices: []string{"用戶已解除綁定"}}},
	} {
		t.Run(string(tc.action.Type), func(t *testing.T) {
			c := enterLinked(t, "vision-hr")
			if tc.action.Type == "removeTag" { // somebody who has the tag
				c.tag()
			}
			u := c.unlink(tc.action)
			out, err := kubectl(t.Context(), "-n", u.Namespace, "wait", "--for=condition=Complete", "--timeout=60s", "accountunlink/"+u.Name)
			if err != nil {
				t.Fatalf("kubectl wait: %v\n%s", err, out)
			}
			if how := ends(t, u, time.Second); how != "Complete/Unlinked" || u.Status.Summary != "1/1 unlinked" {
				t.Errorf("it ended as %s, %q", how, u.Status.Summary)
			}
			if n := c.calls(unlinkPath); n != 1 && tc.action.Type != "removeTag" {
				t.Errorf("BotBonnie was called %d times", n)
			}
			got := c.state()
			if diff := cmp.Diff(tc.want, chatsim.UserState{Tags: got.Tags, Params: got.Params, Notices: got.Notices}, emptyIsNil); diff != "" {
				t.Error(diff)
			}
			if got.Linked || got.ExtID != "" {
				t.Error("BotBonnie still calls the accounts linked")
			}
			if prompt := c.button(c.says("my leave balance?")); prompt.Action != chatsim.StartModule {
				t.Errorf("the user gets %+v", prompt)
			}
		})
	}
}

// emptyIsNil takes an empty map for none.
var emptyIsNil = cmp.Comparer(func(a, b map[string]string) bool {
	return len(a) == len(b) && (len(a) == 0 || fmt.Sprint(a) == fmt.Sprint(b))
})

// tag tags the user by a call of BotBonnie's API that is not the server's, and links him again.
func (c *chat) tag() {
	c.t.Helper()
	body, err := json.Marshal(map[string]any{
		"bot_id": "bot-M-BOieOXZ", "bot_raw_uid": c.user.ID, "bot_pid": "507oftxz", "bot_channel": 1,
		"actions": []map[string]string{{"type": "addTag", "value": leaverTag}},
	})
	if err != nil {
		c.t.Fatal(err)
	}
	status, said, err := send(c.t, http.MethodPost, simulator()+unlinkPath, "application/json", "demo-botbonnie-token", body)
	if err != nil || status != http.StatusOK || len(c.state().Tags) != 1 {
		c.t.Fatalf("%d %s %v", status, said, err)
	}
}

// TestUnlinkMeetsFaults counts calls and looks at the end: what passes with time is tried again, what does not is not (C74).
func TestUnlinkMeetsFaults(t *testing.T) {
	for _, tc := range []struct {
		name   string
		reason string
		fault  chatsim.Fault
		ends   string
		calls  int
	}{
		{"429", "BotBonnie says when to come again", chatsim.Fault{Status: 429, RetryAfter: 3}, "Complete/Unlinked", 2},
		{"500", "an error may pass", chatsim.Fault{Status: 500}, "Complete/Unlinked", 2},
		{"500 and done", "the same unlinking twice is one unlinking", chatsim.Fault{Status: 500, Done: true}, "Complete/Unlinked", 2},
		{"time-out", "no answer is no answer", chatsim.Fault{Delay: 30_000}, "Complete/Unlinked", 2},
		{"garbage 200", "whatever that was, it was no yes", chatsim.Fault{}, "Complete/Unlinked", 2},
		{"errorCode in a 200", "BotBonnie has said no", chatsim.Fault{Body: `{"errorMessage":"no","errorCode":500}`}, "Failed/Rejected", 1},
		{"404", "there is nothing to try again", chatsim.Fault{Status: 404}, "Failed/Rejected", 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c := enterLinked(t, "vision-hr")
			tc.fault.Path, tc.fault.About = unlinkPath, c.user.ID
			control(t, http.MethodPost, "faults", tc.fault, nil)
			began := time.Now()
			u := c.unlink(v1alpha1.UnlinkAction{Type: "notifyAgent"})
			if how := ends(t, u, unlinkTime); how != tc.ends {
				t.Errorf("it ended as %s, want %s: %s", how, tc.ends, tc.reason)
			}
			if n := c.calls(unlinkPath); n != tc.calls {
				t.Errorf("BotBonnie was called %d times, want %d: %s", n, tc.calls, tc.reason)
			}
			if after := time.Duration(tc.fault.RetryAfter) * time.Second; time.Since(began) < after {
				t.Errorf("BotBonnie wanted to be left alone for %s", after)
			}
			if c.lookUp() {
				t.Error("whatever BotBonnie says, the company takes the user for linked no longer")
			}
		})
	}
}

// lookUp asks the server, as the company's bot, whether the user is linked.
func (c *chat) lookUp() bool {
	c.t.Helper()
	status, said, err := send(c.t, http.MethodGet, publicURL(c.channel)+"/api/v1/users/"+c.user.ID, "application/json", "demo-bot-api-token", nil)
	if err != nil || status != http.StatusOK {
		c.t.Fatalf("looking the user up: %d %s %v", status, said, err)
	}
	var answer struct{ Linked bool }
	if err := json.Unmarshal(said, &answer); err != nil {
		c.t.Fatal(err)
	}
	return answer.Linked
}

// While BotBonnie is down the user is unlinked for everything that the company asks, from the first attempt on.
func TestUnlinkClosesTheLinkFirst(t *testing.T) {
	c := enterLinked(t, "vision-hr")
	code := c.state().ExtID
	if !c.introspect(code, c.user.ID) || !c.lookUp() {
		t.Fatal("the user should be linked")
	}
	control(t, http.MethodPost, "faults", chatsim.Fault{Path: unlinkPath, About: c.user.ID, Status: 500, Times: 1000}, nil)
	u := c.unlink()
	NewWithT(t).Eventually(func() int { return c.calls(unlinkPath) }).WithTimeout(unlinkTime).WithPolling(poll).Should(BeNumerically(">", 0))
	if c.introspect(code, c.user.ID) {
		t.Error("the pair is active still")
	}
	if c.lookUp() {
		t.Error("the bot is told that the user is linked")
	}
	if prompt := c.button(c.says("my leave balance?")); prompt.Action != chatsim.StartModule {
		t.Errorf("the service answers %+v", prompt)
	}
	if !c.state().Linked {
		t.Error("BotBonnie has said no so far")
	}
	control(t, http.MethodDelete, "faults", nil, nil)
	if how := ends(t, u, 3*unlinkTime); how != "Complete/Unlinked" || c.state().Linked {
		t.Errorf("it ended as %s", how)
	}
}

// On the direct routes Meta is told, and LINE keeps nothing that could be.
func TestUnlinkOnTheDirectRoutes(t *testing.T) {
	for channel, call := range map[string]string{"vision-messenger": "/me/unlink_accounts", "vision-line": ""} {
		t.Run(channel, func(t *testing.T) {
			c := enter(t, channel)
			login := c.button(c.says("leave balance"))
			before := c.newest()
			c.person.logIn(c.press(login))
			c.hears(before)
			c.asksForLeave()
			if how := ends(t, c.unlink(), unlinkTime); how != "Complete/Unlinked" {
				t.Errorf("it ended as %s", how)
			}
			if call != "" && (c.calls(call) != 1 || c.state().Linked) {
				t.Errorf("Meta was called %d times; linked is %v", c.calls(call), c.state().Linked)
			}
			if prompt := c.button(c.says("my leave balance?")); prompt.Action != login.Action {
				t.Errorf("the user gets %+v", prompt)
			}
		})
	}
}

// What a person reads.
func TestUnlinkReadsWell(t *testing.T) {
	c := enterLinked(t, "vision-hr")
	u := c.unlink()
	ends(t, u, unlinkTime)
	out, err := kubectl(t.Context(), "-n", u.Namespace, "get", "unlink", u.Name)
	if err != nil {
		t.Fatal(out)
	}
	header, row, _ := strings.Cut(out, "\n")
	if diff := cmp.Diff([]string{"NAME", "CHANNEL", "COMPLETE", "REASON", "RESULT", "AGE"}, strings.Fields(header)); diff != "" {
		t.Error(diff)
	}
	for _, want := range []string{"vision-hr", "True", "Unlinked", "1/1 unlinked"} {
		if !strings.Contains(row, want) {
			t.Errorf("the row does not say %s: %s", want, row)
		}
	}
	if strings.Contains(fmt.Sprintf("%+v", u.Status), c.user.ID) {
		t.Error("the status names the whole user id")
	}
	out, err = kubectl(t.Context(), "explain", "accountunlink.spec.linkedBefore")
	if err != nil || !strings.Contains(out, "DESCRIPTION") {
		t.Errorf("%v\n%s", err, out)
	}
}
