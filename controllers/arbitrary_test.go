package controllers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	"pgregory.net/rapid"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/apply"
	"channellink.dev/operator/internal/desired"
	"channellink.dev/operator/internal/names"
)

// draw draws the words and numbers of a ChannelLink.
type draw struct {
	*rapid.T
	// sane: only words that make sense where they stand.
	sane bool
}

func (d draw) yes(label string) bool { return rapid.Bool().Draw(d.T, label) }

// text draws one of the sensible words, or anything.
func (d draw) text(label string, sensible ...string) string {
	if d.sane {
		return rapid.SampledFrom(sensible).Draw(d.T, label)
	}
	return rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{
		"", "a", "https://link.vision.example/hr", "http://a.localhost", "https://[::1", "%", "../x", "claims.email ==", "{{ .days", "kube-system",
	})).Draw(d.T, label)
}

func (d draw) amount(label string) int32 {
	if d.sane {
		return rapid.Int32Range(1, 100).Draw(d.T, label)
	}
	return rapid.Int32().Draw(d.T, label)
}

func (d draw) number(label string) *int32 {
	if !d.yes(label) {
		return nil
	}
	return new(d.amount(label + " number"))
}

func (d draw) secret(label string) *v1alpha1.SecretKeyReference {
	if !d.yes(label) {
		return nil
	}
	return &v1alpha1.SecretKeyReference{
		Name: v1alpha1.ObjectName(d.text(label+" name", "vision-line", "vision-sso")), Key: v1alpha1.DataKey(d.text(label+" key", "secret", "token")),
	}
}

// drawLink draws a ChannelLink of any content, much of which the schema would refuse: the reconciler does not rely on it.
// Every other one is sane, or nothing would ever be written.
func drawLink(t *rapid.T) *v1alpha1.ChannelLink {
	d := draw{T: t, sane: rapid.Bool().Draw(t, "sane")}
	link := &v1alpha1.ChannelLink{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "vision", UID: "6f9619ff-8b86-4d01-b42d-00cf4fc964ff", Generation: 1,
			Name: rapid.StringMatching(`[a-z0-9]([-a-z0-9.]{0,60}[a-z0-9])?`).Draw(t, "name"),
		},
		Spec: v1alpha1.ChannelLinkSpec{
			Platform: v1alpha1.Platform(d.text("platform", "LINE", "Facebook")),
			PageID:   d.text("page", "507oftxz"), DisplayName: d.text("displayName", "", "Vision HR"),
			PublicURL: v1alpha1.URL(d.text("publicURL", "https://link.vision.example", "https://link.vision.example/hr")),
			OIDC: v1alpha1.OIDC{
				IssuerURL: v1alpha1.URL(d.text("issuer", "https://sso.vision.example")), ClientID: d.text("client", "chatbot"),
				ClientSecretRef: d.secret("clientSecret"), RequiredClaims: d.text("requiredClaims", "", "claims.email_verified"),
			},
			DeletionPolicy: v1alpha1.DeletionPolicy(rapid.SampledFrom([]string{"", "Retain", "UnlinkAll"}).Draw(t, "deletionPolicy")),
			Suspend:        rapid.SampledFrom([]*bool{nil, new(false), new(true)}).Draw(t, "suspend"),
		},
	}
	d.platforms(&link.Spec)
	d.surroundings(&link.Spec)
	return link
}

// platforms draws how the platform is reached, and the services.
func (d draw) platforms(spec *v1alpha1.ChannelLinkSpec) {
	if d.yes("line") {
		spec.LINE = &v1alpha1.LINE{ChannelSecretRef: d.secret("channelSecret")}
	}
	if d.yes("messenger") {
		spec.Messenger = &v1alpha1.Messenger{AppSecretRef: d.secret("appSecret"), GraphEndpoint: v1alpha1.URL(d.text("graph", ""))}
	}
	if d.yes("botBonnie") {
		spec.BotBonnie = &v1alpha1.BotBonnie{
			BotID: d.text("bot", "bot-M-BOieOXZ"), APISecretRef: d.secret("apiSecret"), MaxCallsPerSecond: d.number("calls"),
		}
	}
	if d.yes("services") {
		spec.Services = []v1alpha1.Service{{
			Name: d.text("service", "leave"), URL: v1alpha1.BackendURL(d.text("backend", "http://hr.vision.svc/leave")),
			Template: d.text("template", "", "{{ .days }}"),
		}}
	}
}

// surroundings draws store, exposure and server.
func (d draw) surroundings(spec *v1alpha1.ChannelLinkSpec) {
	if d.yes("store") {
		spec.Store = &v1alpha1.Store{EncryptionKeySecretRef: d.secret("encryptionKey")}
		if dsn := d.secret("dsn"); dsn != nil {
			spec.Store.Postgres = &v1alpha1.PostgresStore{DSNSecretRef: *dsn, MaxConns: d.number("conns")}
		}
	}
	if d.yes("exposure") {
		spec.Exposure = &v1alpha1.Exposure{}
		if d.yes("ingress") {
			spec.Exposure.Ingress = &v1alpha1.IngressExposure{TLSSecretName: v1alpha1.ObjectName(d.text("tls", "", "vision-tls"))}
		}
		if d.yes("gateway") {
			spec.Exposure.Gateway = &v1alpha1.GatewayExposure{ParentRefs: []v1alpha1.GatewayReference{{
				Name: v1alpha1.ObjectName(d.text("gateway name", "public")), Namespace: v1alpha1.NamespaceName(d.text("gateway namespace", "", "gateways")),
			}}}
		}
	}
	if d.yes("server") {
		spec.Server = &v1alpha1.Server{Replicas: d.number("replicas"), Image: d.text("image", "", "server:1")}
		if d.yes("autoscaling") {
			spec.Server.Autoscaling = &v1alpha1.Autoscaling{MinReplicas: d.number("min"), MaxReplicas: d.amount("max")}
		}
	}
}

// arbitrary is a reconciler over a fake API server that remembers where was written.
type arbitrary struct {
	*ChannelLinkReconciler
	written  []string // namespaces of children
	statuses int
}

func newArbitrary(scheme *runtime.Scheme, answer error, objects ...client.Object) *arbitrary {
	a := &arbitrary{}
	builder := fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).
		WithIndex(&corev1.Service{}, indexHost, indexServedHost).
		WithInterceptorFuncs(interceptor.Funcs{
			Apply: func(_ context.Context, _ client.WithWatch, config runtime.ApplyConfiguration, _ ...client.ApplyOption) error {
				data, err := json.Marshal(config)
				if err != nil {
					return err
				}
				var object metav1.PartialObjectMetadata
				if err := json.Unmarshal(data, &object); err != nil {
					return err
				}
				a.written = append(a.written, object.Namespace)
				return answer
			},
			SubResourceApply: func(context.Context, client.Client, string, runtime.ApplyConfiguration, ...client.SubResourceApplyOption) error {
				a.statuses++
				return nil
			},
			Delete: func(_ context.Context, _ client.WithWatch, object client.Object, _ ...client.DeleteOption) error {
				a.written = append(a.written, object.GetNamespace())
				return answer
			},
		})
	for index, indexer := range linkIndexes {
		builder = builder.WithIndex(&v1alpha1.ChannelLink{}, index, indexer)
	}
	api := builder.Build()
	keys := &Keyring{Live: api, Client: api, Namespace: "operator", Now: time.Now, Changed: func() {}}
	a.ChannelLinkReconciler = &ChannelLinkReconciler{
		Client:  api,
		Applier: &apply.Applier{Client: api, Live: api, FieldOwner: names.FieldOwner, HashAnnotation: names.AnnotationAppliedHash},
		Keys:    keys, Poller: NewPoller(nil, keys, func() bool { return true }, func(types.NamespacedName) {}),
		Statuses: &StatusWriter{Client: api, Recorder: events.NewFakeRecorder(100)},
		Gateway:  &GatewayAPI{}, Clock: clock.RealClock{},
		Operator: desired.Operator{ServerImage: "server", Namespace: "operator"},
	}
	return a
}

func schemeOrFail(t *testing.T) *runtime.Scheme {
	t.Helper()
	scheme, err := Scheme()
	if err != nil {
		t.Fatal(err)
	}
	return scheme
}

// Whatever a ChannelLink holds: no panic; every write lies in its own namespace, also what is pruned; its state is told,
// unless it would be told the same; an error goes back to the queue, which slows down, and nothing is asked to run again
// at once. C61, C84
func TestAnySpec(t *testing.T) {
	scheme := schemeOrFail(t)
	runs, carriedOut := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		link := drawLink(rt)
		var objects []client.Object
		if rapid.Bool().Draw(rt, "switched off before") {
			// What may have to go, of this ChannelLink and under its name in another namespace.
			for _, namespace := range []string{"vision", "kube-system"} {
				meta := metav1.ObjectMeta{Namespace: namespace, Name: names.Base(link), Labels: names.Labels(link)}
				objects = append(objects, &networkingv1.Ingress{ObjectMeta: meta}, &networkingv1.NetworkPolicy{ObjectMeta: meta},
					&policyv1.PodDisruptionBudget{ObjectMeta: meta}, &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: meta},
					&appsv1.Deployment{ObjectMeta: meta}, &corev1.Service{ObjectMeta: meta})
			}
		}
		answer := rapid.SampledFrom([]error{nil, errors.New("no")}).Draw(rt, "answer")
		a := newArbitrary(scheme, answer, append(objects, link)...)

		result, _ := a.Reconcile(rt.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(link)})
		for _, namespace := range a.written {
			if namespace != link.Namespace {
				rt.Errorf("written in namespace %q", namespace)
			}
		}
		runs++
		if len(a.written) > 0 {
			carriedOut++
		}
		if a.statuses != 1 {
			rt.Errorf("the status was written %d times", a.statuses)
		}
		if result.RequeueAfter != 0 && result.RequeueAfter < predecessorRetry {
			rt.Errorf("runs again after %s", result.RequeueAfter)
		}
	})
	if carriedOut*20 < runs {
		t.Errorf("of %d ChannelLinks %d came to a write: this test sees too little", runs, carriedOut)
	}
}

// One ChannelLink after another with a claim that may collide: those that are accepted never want colliding claims,
// whatever the order and though the fake API server shows no Service.
func TestAnyOrderOfClaims(t *testing.T) {
	scheme := schemeOrFail(t)
	rapid.Check(t, func(rt *rapid.T) {
		links := make([]client.Object, rapid.IntRange(2, 5).Draw(rt, "number"))
		for i := range links {
			links[i] = &v1alpha1.ChannelLink{
				ObjectMeta: metav1.ObjectMeta{
					Namespace: rapid.SampledFrom([]string{"a", "b"}).Draw(rt, "namespace"), Name: fmt.Sprint("link-", i), UID: types.UID(fmt.Sprint(i)),
					CreationTimestamp: metav1.NewTime(time.Unix(int64(rapid.IntRange(1, 2).Draw(rt, "age")), 0)),
				},
				Spec: v1alpha1.ChannelLinkSpec{
					Platform:  v1alpha1.PlatformLINE,
					PageID:    fmt.Sprint(rapid.IntRange(0, 2).Draw(rt, "page")),
					PublicURL: v1alpha1.URL("https://" + rapid.SampledFrom([]string{"one", "two"}).Draw(rt, "host") + ".example" + rapid.SampledFrom([]string{"", "/x", "/x/y"}).Draw(rt, "path")),
				},
			}
		}
		a := newArbitrary(scheme, nil, links...)
		var accepted []*v1alpha1.ChannelLink
		for _, i := range rapid.Permutation(indexes(len(links))).Draw(rt, "order") {
			link := links[i].(*v1alpha1.ChannelLink)
			if a.claim(rt.Context(), link) == nil {
				accepted = append(accepted, link)
			}
		}
		if len(accepted) == 0 {
			rt.Error("nobody was accepted")
		}
		for i, x := range accepted {
			for _, y := range accepted[:i] {
				if how := wanted(x).collision(wanted(y), x.Namespace == y.Namespace, false); how != "" {
					rt.Errorf("%s and %s were both accepted with %s", x.Name, y.Name, how)
				}
			}
		}
	})
}

func indexes(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}
