//go:build cluster

package cluster

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/url"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"channellink.dev/operator/api/v1alpha1"
)

// TestTheRunHasToldNothing goes last, in a run of its own. It has somebody log in and out on each way, once at a server that
// logs all it can, and has logins fail. Then it searches what operator and servers have told since they began: no value of a
// Secret, no code or token, no chat user's whole id (C27, C65). What an earlier test leaves in a namespace of its own is
// searched when that test ends.
func TestTheRunHasToldNothing(t *testing.T) {
	talkative := ownBot(t, "shop", func(l *v1alpha1.ChannelLink) { l.Spec.Server = &v1alpha1.Server{LogLevel: "debug"} })
	c := enter(t, talkative.Namespace)
	c.logInWith(c.button(c.says("log in")))
	c.failsToLogIn(string(talkative.Spec.PublicURL), talkative.Spec.PageID)
	endsWell(t, c.unlinkAt(client.ObjectKeyFromObject(talkative)))
	for channel := range hosts {
		c := enter(t, channel)
		login := c.button(c.says("leave balance"))
		if strings.HasPrefix(channel, "vision-hr") {
			c.linkThroughBotBonnie(login)
		} else {
			c.logInWith(login)
		}
		if !c.introspect(c.state().Code, c.user.ID) || !c.lookUp() {
			t.Errorf("%s: the user should be linked", channel)
		}
		c.failsToLogIn(publicURL(channel), "100200300400500")
		endsWell(t, c.unlink())
	}

	links := &v1alpha1.ChannelLinkList{}
	if err := cluster.List(t.Context(), links); err != nil {
		t.Fatal(err)
	}
	namespaces := map[string]bool{operatorNamespace: true}
	for _, link := range links.Items {
		if link.DeletionTimestamp == nil {
			namespaces[link.Namespace] = true
		}
	}
	var texts []told
	secrets := unspeakable{}
	secrets.addWire()
	overheard := len(secrets)
	if err := secrets.addUsers(t, talkative.Namespace); err != nil {
		t.Fatal(err)
	}
	users := len(secrets)
	for namespace := range namespaces {
		if err := secrets.addSecrets(t.Context(), namespace); err != nil {
			t.Fatal(err)
		}
		said, err := toldIn(t.Context(), namespace)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, said...)
	}
	for _, leak := range secrets.leaks(texts) {
		t.Error(leak)
	}

	// Who looks for little, or at little, finds nothing.
	wantEach(t, texts, "Event ", "ChannelLink ", "AccountUnlink ", "ConfigMap ", "Pod ", "Deployment ", "ReplicaSet ",
		"the log of pod "+operatorNamespace, "the log of pod "+companyNamespace, "the log of pod "+talkative.Namespace,
		"metrics of pod "+operatorNamespace, "metrics of pod "+companyNamespace, "readyz of pod "+companyNamespace)
	const logins, eachOverheard, secretValues = 5, 5, 12
	if overheard < logins*eachOverheard || users-overheard < logins || len(secrets)-users < secretValues {
		t.Errorf("looked for %d things from the wire, %d of users and %d of Secrets", overheard, users-overheard, len(secrets)-users)
	}
	t.Logf("looked for %d things from the wire, %d of users and %d of Secrets in %d texts",
		overheard, users-overheard, len(secrets)-users, len(texts))
}

// failsToLogIn goes wrong in every way that a browser can: a callback that nobody awaits, a login twice, one with half its
// parameters, and a call of a platform's that nobody signed.
func (c *chat) failsToLogIn(server, pageID string) {
	c.t.Helper()
	carried := url.Values{"userId": {c.user.ID}, "pageId": {pageID}, "carry": {rand.Text()}, "linkToken": {rand.Text()}}
	for _, address := range []string{
		server + "/callback?" + url.Values{"code": {rand.Text()}, "state": {rand.Text()}}.Encode(),
		server + "/callback?" + url.Values{"error": {"access_denied"}, "state": {rand.Text()}}.Encode(),
		server + "/authorize?" + url.Values{"userId": {c.user.ID}, "linkToken": {rand.Text()}, "nonce": {rand.Text()}}.Encode(),
		server + "/authorize?" + carried.Encode() + "&" + carried.Encode(),
		server + "/" + c.user.ID,
	} {
		if end := c.person.open(address, nil); end.status < http.StatusBadRequest {
			c.t.Errorf("%s was answered %d", end.url.Path, end.status)
		}
	}
	body := []byte(`{"destination":"x","events":[{"type":"accountLink","source":{"userId":"` + c.user.ID + `"}}]}`)
	if status, _, err := send(c.t, http.MethodPost, server+"/webhook", "application/json", rand.Text(), body); err != nil || status < 400 {
		c.t.Errorf("a call that nobody signed: %d %v", status, err)
	}
}

func endsWell(t *testing.T, u *v1alpha1.AccountUnlink) {
	t.Helper()
	if how := ends(t, u, unlinkTime); how != "Complete/Unlinked" {
		t.Errorf("the unlinking ended as %s", how)
	}
}

// wantEach fails the test if nothing was told at one of these places.
func wantEach(t *testing.T, texts []told, places ...string) {
	t.Helper()
	for _, place := range places {
		found := false
		for _, text := range texts {
			found = found || strings.HasPrefix(text.where, place) && len(text.text) > 1
		}
		if !found {
			t.Errorf("there is nothing to search: %s…", place)
		}
	}
}

// hasToldNothing searches what a test's namespace leaves behind, before that goes, and with what this process has overheard so
// far the demo's company and the operator. Pods may be on their way out: what cannot be read then is said, and no failure.
func hasToldNothing(t *testing.T, namespace *corev1.Namespace) {
	t.Helper()
	ctx := context.Background() // that of the test has ended
	secrets := unspeakable{}
	secrets.addWire()
	if err := secrets.addUsers(t, namespace.Name); err != nil {
		t.Logf("the simulator is not there: %v", err)
	}
	namespaces := []string{namespace.Name, companyNamespace, operatorNamespace}
	for _, name := range namespaces {
		if err := secrets.addSecrets(ctx, name); err != nil {
			t.Errorf("reading Secrets: %v", err)
		}
	}
	for _, name := range namespaces {
		texts, err := toldIn(ctx, name)
		if err != nil {
			t.Logf("searching namespace %s: %v", name, err)
		}
		for _, leak := range secrets.leaks(texts) {
			t.Error(leak)
		}
	}
}
