//go:build cluster

package cluster

import (
	"net/http"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/chatsim"
)

// A token that is refused is not tried again; the Secret's new one is. The bot is one of its own, and so is its channel: others
// unlink in the meantime.
func TestUnlinkWaitsForANewToken(t *testing.T) {
	t.Parallel() // the controller asks once a minute
	link := ownBot(t, "shop")
	c := enter(t, link.Namespace)
	c.logInWith(c.button(c.says("log in")))
	control(t, http.MethodPut, "channels/"+c.channel+"/credentials", chatsim.Credentials{APIToken: "renewed-" + c.channel}, nil)

	before := refusedTokens(t)
	u := c.unlinkAt(client.ObjectKeyFromObject(link))
	NewWithT(t).Eventually(func(g Gomega) {
		g.Expect(cluster.Get(t.Context(), client.ObjectKeyFromObject(u), u)).To(Succeed())
		ready := meta.FindStatusCondition(u.Status.Conditions, v1alpha1.ConditionReady)
		g.Expect(ready).NotTo(BeNil())
		g.Expect(ready.Reason).To(Equal(v1alpha1.ReasonCredentialsRejected))
	}).WithTimeout(unlinkTime).WithPolling(poll).Should(Succeed())

	if !newPlugin(t).refusesTheToken(link) {
		t.Error("the doctor does not say that the token is refused")
	}

	out, err := kubectl(t.Context(), "-n", link.Namespace, "patch", "secret", "own-bot", "-p", `{"stringData":{"apiToken":"renewed-`+c.channel+`"}}`)
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if how := ends(t, u, 3*unlinkTime); how != "Complete/Unlinked" || c.state().Linked {
		t.Errorf("it ended as %s", how)
	}
	if old, renewed := refusedTokens(t)-before, c.calls(unlinkPath); old != 1 || renewed != 1 {
		t.Errorf("BotBonnie was called %d times with the old token and %d times with the new one, want each once", old, renewed)
	}
}

// ownBot makes a ChannelLink at a host that dex knows, and opens its chat in the simulator, under the name of its namespace.
func ownBot(t *testing.T, host string, changes ...func(*v1alpha1.ChannelLink)) *v1alpha1.ChannelLink {
	t.Helper()
	ns := namespace(t)
	createSecret(t, ns, "own-bot", map[string]string{"apiToken": "token-" + ns, "apiSecret": "secret-" + ns})
	atBotBonnie := func(l *v1alpha1.ChannelLink) {
		l.Spec.PublicURL = v1alpha1.URL("http://" + host + ".localhost:" + port)
		b := l.Spec.BotBonnie
		b.BotID = "bot-" + ns
		b.APITokenSecretRef.Name, b.APISecretRef.Name = "own-bot", "own-bot"
		b.Endpoints = &v1alpha1.BotBonnieEndpoints{
			API: v1alpha1.URL(simulator()), Redirect: v1alpha1.URL(simulator() + "/account/link"),
		}
	}
	link := newLink(t, ns, "hr", append(changes, atBotBonnie)...)
	control(t, http.MethodPut, "channels/"+ns, chatsim.Channel{
		Name: ns, Kind: chatsim.LINE, PageID: link.Spec.PageID, BotUserID: "U8e742f61d673b39c7fff3cecb7536ef0",
		Secret: "line-secret", AccessToken: "line-token-" + ns, Server: string(link.Spec.PublicURL),
		BotBonnie: &chatsim.BotBonnie{
			BotID: link.Spec.BotBonnie.BotID, APIToken: "token-" + ns, APISecret: "secret-" + ns,
			Modules: []chatsim.Module{
				{ID: "start", Kind: chatsim.StartLinking, Keywords: []string{"log in"}, Text: "Please log in.", Button: "Log in"},
			},
		},
	}, nil)
	create(t, link)
	awaitReady(t, link)
	awaitPage(t, link, "Vision HR")
	return link
}

// refusedTokens counts the unlinkings that BotBonnie refused for their token.
func refusedTokens(t *testing.T) int {
	t.Helper()
	n := 0
	for _, r := range requests(t, "") {
		if strings.HasSuffix(r.Path, unlinkPath) && r.Credentials == "wrong" {
			n++
		}
	}
	return n
}
