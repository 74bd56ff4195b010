package controllers

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/apply"
	"channellink.dev/operator/internal/desired"
	"channellink.dev/operator/internal/names"
	"channellink.dev/operator/webhookserver/adminapi"
)

const (
	// Workers is the number of ChannelLinks reconciled at once.
	Workers = 10
	// passTimeout bounds one pass. It makes some twenty requests at most, each a matter of milliseconds.
	passTimeout = 2 * time.Minute
	// firstRetry and lastRetry are the shortest and the longest pause before a pass that failed is tried again. The
	// longest is what somebody waits at most who has just raised a quota.
	firstRetry, lastRetry = 10 * time.Millisecond, 2 * time.Minute
)

// Options are what the operator's flags say.
type Options struct {
	// Operator is passed on to internal/desired.
	Operator desired.Operator
	// SharedHosts lets ChannelLinks of several namespaces share one host.
	SharedHosts bool
	// MayAsk tells whether this process still leads. Nil: always.
	MayAsk func() bool
	// Asker asks servers; nil: over the network.
	Asker Asker
	// Unlinker asks servers for unlinkings; nil: over the network.
	Unlinker Unlinker
	// Couriers is how many servers are asked for an unlinking at once; zero: the default.
	Couriers int
	// Metrics takes the operator's own metrics, which name this Version; nil: there are none.
	Metrics prometheus.Registerer
	Version string
	// ReadyInterval and PendingInterval of the poller; zero: the defaults.
	ReadyInterval, PendingInterval time.Duration
}

// Scheme holds every kind that the operator reads or writes.
func Scheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		clientgoscheme.AddToScheme, apiextensionsv1.AddToScheme, gatewayv1.Install, v1alpha1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			return nil, fmt.Errorf("registering kinds: %w", err)
		}
	}
	return scheme, nil
}

// children are the kinds that a ChannelLink is made of, beside the HTTPRoute, which may not exist.
func children() []client.Object {
	return []client.Object{
		&corev1.ServiceAccount{}, &corev1.ConfigMap{}, &corev1.Service{}, &corev1.PersistentVolumeClaim{},
		&appsv1.Deployment{}, &networkingv1.NetworkPolicy{}, &networkingv1.Ingress{},
		&policyv1.PodDisruptionBudget{}, &autoscalingv2.HorizontalPodAutoscaler{},
	}
}

// CacheOptions keep the cache small: of the children's kinds only the operator's own objects, of definitions only
// HTTPRoute's, nothing's managedFields, and only the given namespaces, if any.
func CacheOptions(namespaces []string) cache.Options {
	options := cache.Options{
		// Every kind that is read is watched. Otherwise a read would start a watch of its own accord, and one of a kind
		// that has just gone would wait for it without end.
		ReaderFailOnMissingInformer: true,
		DefaultTransform:            cache.TransformStripManagedFields(),
		// The default, and not a setting for each kind, because a kind that is named here has to exist at the start.
		DefaultLabelSelector: labels.SelectorFromSet(labels.Set{names.LabelManagedBy: names.ManagedBy}),
		ByObject: map[client.Object]cache.ByObject{
			&v1alpha1.ChannelLink{}:   {Label: labels.Everything()},
			&v1alpha1.AccountUnlink{}: {Label: labels.Everything()},
			&apiextensionsv1.CustomResourceDefinition{}: {
				Label:     labels.Everything(),
				Field:     fields.OneTermEqualSelector("metadata.name", httpRouteCRD),
				Transform: dropSchema,
			},
		},
	}
	if len(namespaces) > 0 {
		options.DefaultNamespaces = map[string]cache.Config{}
		for _, namespace := range namespaces {
			options.DefaultNamespaces[namespace] = cache.Config{}
		}
	}
	return options
}

// dropSchema removes the large part of a definition, which nobody here reads.
func dropSchema(object any) (any, error) {
	if crd, ok := object.(*apiextensionsv1.CustomResourceDefinition); ok {
		crd.ManagedFields = nil
		for i := range crd.Spec.Versions {
			crd.Spec.Versions[i].Schema = nil
		}
	}
	return object, nil
}

// Setup adds everything that reconciles ChannelLinks and AccountUnlinks to the manager.
func Setup(ctx context.Context, mgr manager.Manager, options Options) error {
	for field, indexer := range linkIndexes {
		if err := mgr.GetFieldIndexer().IndexField(ctx, &v1alpha1.ChannelLink{}, field, indexer); err != nil {
			return fmt.Errorf("indexing ChannelLinks by %s: %w", field, err)
		}
	}
	if err := mgr.GetFieldIndexer().IndexField(ctx, &corev1.Service{}, indexHost, indexServedHost); err != nil {
		return fmt.Errorf("indexing Services: %w", err)
	}

	if options.Metrics != nil {
		own, err := newMetrics(options.Metrics, mgr.GetClient(), options.Version)
		if err != nil {
			return fmt.Errorf("registering metrics: %w", err)
		}
		options.Asker = countedAsker{orDefault(options.Asker), own.questions}
		options.Unlinker = countedUnlinker{options.unlinker(), own.attempts}
	}
	wake := &wakeUp{}
	everyone := func() {
		wake.with(func(q requestQueue) { neighbours{mgr.GetClient()}.enqueue(ctx, q) })
	}
	keys := &Keyring{
		Live: mgr.GetAPIReader(), Client: mgr.GetClient(), Namespace: options.Operator.Namespace,
		Now: time.Now, Changed: everyone,
	}
	poller := NewPoller(orDefault(options.Asker), keys, orAlways(options.MayAsk), wake.one)
	if options.ReadyInterval != 0 {
		poller.ReadyInterval = options.ReadyInterval
	}
	if options.PendingInterval != 0 {
		poller.PendingInterval = options.PendingInterval
	}
	courier := NewCourier(options.unlinker(), poller.Signer, orAlways(options.MayAsk))
	if options.Couriers != 0 {
		courier.Couriers = options.Couriers
	}
	gateway := &GatewayAPI{Client: mgr.GetClient(), Cache: mgr.GetCache(), Changed: everyone}
	reconciler := &ChannelLinkReconciler{
		Client: mgr.GetClient(),
		Applier: &apply.Applier{
			Client: mgr.GetClient(), Live: mgr.GetAPIReader(),
			FieldOwner: names.FieldOwner, HashAnnotation: names.AnnotationAppliedHash,
		},
		Keys: keys, Poller: poller, Courier: courier, Gateway: gateway,
		Statuses: &StatusWriter{Client: mgr.GetClient(), Recorder: mgr.GetEventRecorder(names.FieldOwner)},
		Clock:    clock.RealClock{}, Operator: options.Operator, SharedHosts: options.SharedHosts,
	}

	ctrlr, err := reconciler.watching(mgr, wake)
	if err != nil {
		return err
	}
	gateway.Watch = func() error {
		return ctrlr.Watch(source.Kind[client.Object](mgr.GetCache(), &gatewayv1.HTTPRoute{}, toParent{mgr.GetClient()}))
	}
	if err := gateway.setup(mgr); err != nil {
		return fmt.Errorf("setting up the Gateway API's controller: %w", err)
	}
	for _, runnable := range []manager.Runnable{keys, poller, courier} {
		if err := mgr.Add(runnable); err != nil {
			return err
		}
	}
	return setupUnlinks(ctx, mgr, courier)
}

// watching adds the ChannelLink controller with all that wakes it.
func (r *ChannelLinkReconciler) watching(mgr manager.Manager, wake *wakeUp) (controller.Controller, error) {
	toNeighbours := neighbours{mgr.GetClient()}
	b := ctrl.NewControllerManagedBy(mgr).
		Named("channellink").
		For(&v1alpha1.ChannelLink{}, builder.WithPredicates(predicate.Or(predicate.GenerationChangedPredicate{}, lostFinalizer))).
		Watches(&v1alpha1.ChannelLink{}, toNeighbours).
		Watches(&corev1.Service{}, servedNeighbours{toNeighbours}).
		WatchesRawSource(wake).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: Workers,
			ReconciliationTimeout:   passTimeout,
			RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](firstRetry, lastRetry),
		})
	for _, child := range children() {
		b = b.Watches(child, toParent{mgr.GetClient()})
	}
	built, err := b.Build(r)
	if err != nil {
		return nil, fmt.Errorf("setting up the ChannelLink controller: %w", err)
	}
	return built, nil
}

func orDefault(asker Asker) Asker {
	if asker != nil {
		return asker
	}
	return adminapi.NewClient(time.Now)
}

func (o Options) unlinker() Unlinker {
	if o.Unlinker != nil {
		return o.Unlinker
	}
	return adminapi.NewClient(time.Now)
}

func orAlways(mayAsk func() bool) func() bool {
	if mayAsk != nil {
		return mayAsk
	}
	return func() bool { return true }
}
