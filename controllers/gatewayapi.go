package controllers

import (
	"context"
	"fmt"
	"sync/atomic"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/log"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// httpRouteCRD is the name of HTTPRoute's definition, the only one that the operator looks at.
const httpRouteCRD = "httproutes.gateway.networking.k8s.io"

// GatewayAPI follows whether the cluster has HTTPRoutes. The Gateway API is a set of CRDs that may be absent, come and go
// while the operator runs.
type GatewayAPI struct {
	Client client.Reader
	Cache  cache.Cache
	// Watch starts the watch of HTTPRoutes for the ChannelLink controller.
	Watch func() error
	// Changed is called when HTTPRoutes have come or gone.
	Changed func()

	available atomic.Bool
}

// Available tells whether HTTPRoutes can be read and written.
func (g *GatewayAPI) Available() bool { return g.available.Load() }

// Reconcile follows the definition.
func (g *GatewayAPI) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	crd := &apiextensionsv1.CustomResourceDefinition{}
	err := g.Client.Get(ctx, req.NamespacedName, crd)
	if client.IgnoreNotFound(err) != nil {
		return ctrl.Result{}, err
	}
	served := err == nil && crd.DeletionTimestamp == nil && serves(crd)
	if served == g.available.Load() {
		return ctrl.Result{}, nil
	}

	if served {
		err = g.begin(ctx)
	} else {
		err = g.end(ctx)
	}
	if err != nil {
		return ctrl.Result{}, err
	}
	log.FromContext(ctx).Info("The Gateway API has come or gone", "available", served)
	g.Changed()
	return ctrl.Result{}, nil
}

// begin fills the cache before anybody may read from it.
func (g *GatewayAPI) begin(ctx context.Context) error {
	if _, err := g.Cache.GetInformer(ctx, &gatewayv1.HTTPRoute{}); err != nil {
		return fmt.Errorf("listing HTTPRoutes: %w", err)
	}
	if err := g.Watch(); err != nil {
		return fmt.Errorf("watching HTTPRoutes: %w", err)
	}
	g.available.Store(true)
	return nil
}

func (g *GatewayAPI) end(ctx context.Context) error {
	g.available.Store(false)
	if err := g.Cache.RemoveInformer(ctx, &gatewayv1.HTTPRoute{}); err != nil {
		return fmt.Errorf("ending the watch of HTTPRoutes: %w", err)
	}
	return nil
}

// serves tells whether the definition is established and serves the version that is written here.
func serves(crd *apiextensionsv1.CustomResourceDefinition) bool {
	established := false
	for _, c := range crd.Status.Conditions {
		if c.Type == apiextensionsv1.Established {
			established = c.Status == apiextensionsv1.ConditionTrue
		}
	}
	for _, version := range crd.Spec.Versions {
		if version.Name == gatewayv1.GroupVersion.Version && version.Served {
			return established
		}
	}
	return false
}

// setup adds the small controller that follows the definition.
func (g *GatewayAPI) setup(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		Named("gatewayapi").
		For(&apiextensionsv1.CustomResourceDefinition{}).
		WithOptions(controller.Options{ReconciliationTimeout: passTimeout}).
		Complete(g)
}
