//go:build cluster

package cluster

import (
	"net/http"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/chatsim"
)

// observed is a channel without BotBonnie whose settings at the platform the server looks at.
type observed struct {
	t    *testing.T
	link *v1alpha1.ChannelLink
	// token is the one that is good at the platform.
	token string
}

// Somebody changes what is set at the platform, and his access token runs out: Registered tells each, and what to do. The server
// changes nothing there, so that what is mended is mended by hand; a new token in the Secret is tried at once.
func TestRegisteredFollowsThePlatform(t *testing.T) {
	t.Parallel() // the server asks the platform once a minute
	t.Run("LINE", func(t *testing.T) {
		t.Parallel()
		o := observe(t, chatsim.LINE, nil)
		o.await(metav1.ConditionTrue, v1alpha1.ReasonRegistered, "LINE calls "+o.webhook())
		o.setEndpoint("https://elsewhere.example/webhook")
		o.await(metav1.ConditionFalse, v1alpha1.ReasonOtherWebhookURL, "set it to "+o.webhook())
		if got, err := condition(t.Context(), o.link, v1alpha1.ConditionReady); err != nil || got.Reason != v1alpha1.ReasonOtherWebhookURL {
			t.Errorf("Ready is %+v (%v)", got, err)
		}
		o.setEndpoint(o.webhook())
		o.revoke("renewed-" + o.link.Namespace)
		o.await(metav1.ConditionFalse, v1alpha1.ReasonTokenRejected, "spec.line.channelAccessTokenSecretRef")
		o.storeToken()
		o.await(metav1.ConditionTrue, v1alpha1.ReasonRegistered, "LINE calls "+o.webhook())
		awaitReady(t, o.link)
	})
	t.Run("Messenger", func(t *testing.T) {
		t.Parallel()
		o := observe(t, chatsim.Messenger, &chatsim.Switches{WebhookOff: true})
		o.await(metav1.ConditionFalse, v1alpha1.ReasonNotSubscribed, "messaging_account_linking")
		o.control("switches", chatsim.Switches{})
		o.revoke("renewed-" + o.link.Namespace)
		o.await(metav1.ConditionFalse, v1alpha1.ReasonTokenRejected, "spec.messenger.pageAccessTokenSecretRef")
		o.storeToken()
		o.await(metav1.ConditionTrue, v1alpha1.ReasonRegistered, "Meta calls this server")
		awaitReady(t, o.link)
	})
}

// observe opens a chat in the simulator, under the name of a new namespace, and makes the ChannelLink that serves it.
func observe(t *testing.T, kind chatsim.Kind, switches *chatsim.Switches) *observed {
	t.Helper()
	ns := namespace(t)
	o := &observed{t: t, token: "token-" + ns}
	createSecret(t, ns, "platform", map[string]string{"secret": "secret-" + ns, "verifyToken": "verify-" + ns, "accessToken": o.token})
	ref := func(key v1alpha1.DataKey) *v1alpha1.SecretKeyReference {
		return &v1alpha1.SecretKeyReference{Name: "platform", Key: key}
	}
	o.link = newLink(t, ns, "hr", func(l *v1alpha1.ChannelLink) {
		l.Spec.BotBonnie = nil
		l.Spec.Webhook = &v1alpha1.Webhook{Registration: v1alpha1.WebhookRegistrationObserve}
		if kind == chatsim.LINE {
			l.Spec.LINE = &v1alpha1.LINE{
				ChannelSecretRef: ref("secret"), ChannelAccessTokenSecretRef: ref("accessToken"),
				Endpoints: &v1alpha1.LINEEndpoints{API: v1alpha1.URL(simulator())},
			}
			return
		}
		l.Spec.Platform = v1alpha1.PlatformFacebook
		l.Spec.Messenger = &v1alpha1.Messenger{
			AppSecretRef: ref("secret"), VerifyTokenSecretRef: ref("verifyToken"), PageAccessTokenSecretRef: ref("accessToken"),
			GraphEndpoint: v1alpha1.URL(simulator() + "/v25.0"),
		}
	})
	control(t, http.MethodPut, "channels/"+ns, chatsim.Channel{
		Name: ns, Kind: kind, PageID: o.link.Spec.PageID, BotUserID: "U8e742f61d673b39c7fff3cecb7536ef0",
		Secret: "secret-" + ns, VerifyToken: "verify-" + ns, AccessToken: o.token, Server: string(o.link.Spec.PublicURL),
	}, nil)
	if switches != nil {
		o.link.Namespace = ns
		o.control("switches", *switches)
	}
	create(t, o.link)
	return o
}

func (o *observed) webhook() string { return string(o.link.Spec.PublicURL) + "/webhook" }

// control changes something of the channel at the platform.
func (o *observed) control(what string, in any) {
	o.t.Helper()
	control(o.t, http.MethodPut, "channels/"+o.link.Namespace+"/"+what, in, nil)
}

// observedTime bounds what the server needs to see a change, a minute and a fifth at the most, and the operator to hear of it.
const observedTime = 2 * time.Minute

// await waits for the condition, which says something.
func (o *observed) await(status metav1.ConditionStatus, reason, says string) {
	o.t.Helper()
	NewWithT(o.t).Eventually(func(g Gomega) {
		got, err := condition(o.t.Context(), o.link, v1alpha1.ConditionRegistered)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(string(got.Status)+" "+got.Reason).To(Equal(string(status)+" "+reason), got.Message)
		g.Expect(got.Message).To(ContainSubstring(says))
	}).WithTimeout(observedTime).WithPolling(poll).Should(Succeed())
}

// setEndpoint sets the webhook URL by LINE's own API, as any program with the token can.
func (o *observed) setEndpoint(url string) {
	o.t.Helper()
	status, said, err := send(o.t, http.MethodPut, simulator()+"/v2/bot/channel/webhook/endpoint", "application/json", o.token,
		[]byte(`{"endpoint":"`+url+`"}`))
	if err != nil || status != http.StatusOK {
		o.t.Fatalf("%d %s %v", status, said, err)
	}
}

// revoke has the platform take another token from now on.
func (o *observed) revoke(renewed string) {
	o.t.Helper()
	o.control("credentials", chatsim.Credentials{AccessToken: renewed})
	o.token = renewed
}

// storeToken puts the good token into the Secret.
func (o *observed) storeToken() {
	o.t.Helper()
	out, err := kubectl(o.t.Context(), "-n", o.link.Namespace, "patch", "secret", "platform", "-p", `{"stringData":{"accessToken":"`+o.token+`"}}`)
	if err != nil {
		o.t.Fatalf("%v: %s", err, strings.TrimSpace(out))
	}
}
