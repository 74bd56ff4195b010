//go:build apiserver

package controllers_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/names"
	"channellink.dev/operator/internal/testenv"
	"channellink.dev/operator/webhookserver/adminapi"
	"channellink.dev/operator/webhookserver/logtest"
)

// notSeen are verbs that are granted and that no request of this test shows, each with its reason.
var notSeen = map[string]string{
	"update channellinks/finalizers": "the admission plugin OwnerReferencesPermissionEnforcement asks for it, where it is on",
	"patch events":                   "an Event that repeats within minutes is counted up",
	"create leases":                  "TestTheSecondTakesOver elects a leader",
	"get leases":                     "TestTheSecondTakesOver elects a leader",
	"update leases":                  "TestTheSecondTakesOver elects a leader",
}

// Every verb that config/rbac grants is used, and what is not granted is not asked for; nothing is granted with a wildcard,
// and in the whole cluster nothing at all on Secrets. C63
func TestTheRolesAreWhatIsUsed(t *testing.T) {
	everywhere, own := rulesOfTheOperator(t)
	granted := map[string]bool{}
	for _, rule := range slices.Concat(everywhere, own) {
		for _, verb := range rule.Verbs {
			for _, resource := range rule.Resources {
				granted[verb+" "+resource] = true
				if verb == rbacv1.VerbAll || resource == rbacv1.ResourceAll || slices.Contains(rule.APIGroups, rbacv1.APIGroupAll) {
					t.Errorf("a wildcard: %+v", rule)
				}
			}
		}
	}
	for _, rule := range everywhere {
		if slices.Contains(rule.Resources, "secrets") {
			t.Errorf("Secrets of the whole cluster: %+v", rule)
		}
	}

	installHTTPRoutes(t)
	o := newOperator(t)
	oldKey(t, o.namespace)
	recording := env.Record(t)
	o.start()
	namespace := env.Namespace(t)
	full := create(t, "full", namespace)
	giveAddress(t, full)
	o.ready(t, full)
	routed := create(t, "gateway", namespace)
	answerRoute(t, routed, metav1.ConditionTrue, metav1.ConditionTrue)
	o.ready(t, routed)
	// Everything optional goes, and with it every delete.
	edit(t, routed, func(spec *v1alpha1.ChannelLinkSpec) { spec.Exposure = nil })
	edit(t, full, func(spec *v1alpha1.ChannelLinkSpec) {
		spec.Exposure, spec.Server.Autoscaling = nil, nil
		spec.Server.NetworkPolicy = &v1alpha1.NetworkPolicy{Enabled: new(false)}
	})
	o.ready(t, routed)
	o.ready(t, full)
	retireUnlink(t, full)
	// With UnlinkAll the operator itself deletes what a ChannelLink is made of.
	whole := create(t, "line", env.Namespace(t), unlinkAll, ofVision("whole"))
	o.ready(t, whole)
	remove(t, whole)
	goes(t, whole)
	// A second operator without a key makes one.
	second := newOperator(t)
	second.start()
	NewWithT(t).Eventually(func() error { return env.Client.Get(t.Context(), keySecret(second.namespace), &corev1.Secret{}) }).Should(Succeed())

	used := map[string]bool{}
	for _, event := range testenv.ByUser(recording.Events(t), operatorUser) {
		if event.ObjectRef == nil || event.ObjectRef.Resource == "" {
			continue // discovery, which everybody may
		}
		resource := event.ObjectRef.Resource
		if event.ObjectRef.Subresource != "" {
			resource += "/" + event.ObjectRef.Subresource
		}
		// To the authorizer an apply that makes an object is a patch and a create.
		used[event.Verb+" "+resource] = true
		if event.Verb == "patch" && event.ResponseStatus != nil && event.ResponseStatus.Code == 201 {
			used["create "+resource] = true
		}
		if event.ResponseStatus != nil && event.ResponseStatus.Code == 403 {
			t.Errorf("refused: %s %s", event.Verb, event.RequestURI)
		}
	}
	for request := range granted {
		_, excused := notSeen[request]
		verb, kind, _ := strings.Cut(request, " ")
		switch {
		case verb == "list" && used["watch "+kind]:
			// Lists come as the beginning of a watch; an API server that has to break a watch off is listed the old way.
			excused = true
		case verb == "get" && used["patch "+kind]:
			// The applier looks past the cache when its configuration changed, or when somebody's object is in the way.
			excused = true
		}
		used[request] = used[request] || excused
	}
	if diff := cmp.Diff(granted, used); diff != "" {
		t.Errorf("requests (-granted +used):\n%s", diff)
	}
}

// retireUnlink has an AccountUnlink carried out and removed when its time to live is over.
func retireUnlink(t *testing.T, link *v1alpha1.ChannelLink) {
	t.Helper()
	mortal := ask(t, "mortal", link.Namespace, link.Name, func(u *v1alpha1.AccountUnlink) {
		u.Spec.TTLSecondsAfterFinished, u.Spec.LinkedBefore = new(int32(3600)), new(metav1.NewTime(time.Now()))
	})
	becomes(t, mortal, v1alpha1.ReasonUnlinked)
	mortal.Status.CompletionTime = new(metav1.NewTime(time.Now().Add(-time.Hour / 2)))
	if err := env.Client.Status().Update(t.Context(), mortal); err != nil {
		t.Fatal(err)
	}
	amend(t, mortal, func(u *v1alpha1.AccountUnlink) { u.Spec.TTLSecondsAfterFinished = new(int32(60)) })
	NewWithT(t).Eventually(func() bool { return exists(t, mortal) }).Should(BeFalse())
}

// oldKey puts a signing key into the namespace that is due to be replaced.
func oldKey(t *testing.T, namespace string) {
	t.Helper()
	key, err := adminapi.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := adminapi.EncodePrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	at := keySecret(namespace)
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: at.Namespace, Name: at.Name, Labels: map[string]string{names.LabelManagedBy: names.ManagedBy}},
		Data:       map[string][]byte{keyFile(time.Now().Add(-100 * 24 * time.Hour)): encoded},
	}
	if err := env.Client.Create(context.Background(), secret); err != nil {
		t.Fatal(err)
	}
}

// The key with which the operator signs is made once, however many replicas start at once, and kept after a restart; a key
// that came of age is replaced, and the former one goes on beside it. No Secret is listed or watched. C64
func TestTheSigningKeyIsMadeOnce(t *testing.T) {
	const replicas = 4
	first := newOperator(t)
	recording := env.Record(t)
	operators := []*operator{first}
	for range replicas - 1 {
		other := *first
		other.log = &logtest.Buffer{}
		operators = append(operators, &other)
	}
	for _, o := range operators {
		o.start()
		t.Cleanup(o.stop)
	}
	link := create(t, "line", env.Namespace(t))
	first.ready(t, link)
	secret := &corev1.Secret{}
	if err := env.Client.Get(t.Context(), keySecret(first.namespace), secret); err != nil {
		t.Fatal(err)
	}
	if len(secret.Data) != 1 {
		t.Errorf("%d keys, want one", len(secret.Data))
	}
	made := 0
	for _, event := range testenv.ByUser(recording.Events(t), operatorUser) {
		if event.ObjectRef == nil || event.ObjectRef.Resource != "secrets" {
			continue
		}
		switch {
		case event.Verb == "create" && event.ResponseStatus.Code == 201:
			made++
		case event.Verb == "create" && event.ResponseStatus.Code == 409, event.Verb == "get":
		default:
			t.Errorf("%s %s: %d", event.Verb, event.RequestURI, event.ResponseStatus.Code)
		}
	}
	if made != 1 {
		t.Errorf("the key was made %d times", made)
	}
	for _, o := range operators {
		o.stop()
	}

	configMap := &corev1.ConfigMap{}
	if err := env.Client.Get(t.Context(), childOf(link), configMap); err != nil {
		t.Fatal(err)
	}
	published := configMap.Data["operator-keys.json"]
	first.start()
	first.ready(t, link)
	if err := env.Client.Get(t.Context(), childOf(link), configMap); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(published, configMap.Data["operator-keys.json"]); diff != "" {
		t.Errorf("a restart changed the keys:\n%s", diff)
	}
}

// Garbage in the key's Secret keeps ChannelLinks from being carried out; the status says whose fault it is, and the log
// which key of the Secret.
func TestGarbageInTheKeySecret(t *testing.T) {
	o := newOperator(t)
	at := keySecret(o.namespace)
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: at.Namespace, Name: at.Name}, Data: map[string][]byte{"tls.key": []byte("canary-9f2b")}}
	if err := env.Client.Create(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	o.start()
	link := create(t, "line", env.Namespace(t))
	got := eventually(t, link, condition{v1alpha1.ConditionAvailable, metav1.ConditionFalse, v1alpha1.ReasonApplyFailed})
	NewWithT(t).Expect(got.Message).To(ContainSubstring("signing keys"))
	NewWithT(t).Expect(o.log.String()).To(ContainSubstring(`tls.key`))
	if strings.Contains(o.log.String(), "canary-9f2b") {
		t.Error("the log holds the Secret's value")
	}
	if err := env.Client.Delete(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	o.ready(t, link)
}
