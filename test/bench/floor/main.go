// Command floor is the least that an operator of ChannelLinks can do: for each new one it applies the children server-side
// and writes the status once. It looks at nothing, corrects nothing and keeps no child in its cache. What it costs is what
// the API server and controller-runtime cost; test/bench measures the real operator beside it.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"sync"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/controllers"
	"channellink.dev/operator/internal/desired"
	"channellink.dev/operator/internal/names"
)

func main() {
	metrics := flag.String("metrics-bind-address", "", "address of /metrics")
	flag.Parse()
	if err := run(*metrics); err != nil {
		fmt.Fprintln(os.Stderr, "floor:", err)
		os.Exit(1)
	}
}

func run(metrics string) error {
	ctrl.SetLogger(logr.FromSlogHandler(slog.NewJSONHandler(os.Stderr, nil)))
	config, err := ctrl.GetConfig()
	if err != nil {
		return err
	}
	scheme, err := controllers.Scheme()
	if err != nil {
		return err
	}
	mgr, err := ctrl.NewManager(config, manager.Options{
		Scheme:  scheme,
		Metrics: server.Options{BindAddress: metrics},
		Cache:   cache.Options{DefaultTransform: cache.TransformStripManagedFields()},
	})
	if err != nil {
		return err
	}
	err = ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.ChannelLink{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WithOptions(controller.Options{MaxConcurrentReconciles: controllers.Workers}).
		Complete(&floor{Client: mgr.GetClient()})
	if err != nil {
		return err
	}
	return mgr.Start(ctrl.SetupSignalHandler())
}

// floor renders the children of the first ChannelLink that it meets, and gives every other one the same bytes with its own
// name and UID in them. The benchmark's ChannelLinks differ in nothing else.
type floor struct {
	client.Client
	once     sync.Once
	model    *v1alpha1.ChannelLink
	children [][]byte
	err      error
}

// Reconcile applies the children and writes the status.
func (f *floor) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	link := &v1alpha1.ChannelLink{}
	if err := f.Get(ctx, req.NamespacedName, link); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if f.once.Do(func() { f.model, f.err = link, f.render(link) }); f.err != nil {
		return ctrl.Result{}, f.err
	}
	force := []client.PatchOption{client.FieldOwner(names.FieldOwner), client.ForceOwnership}
	for _, child := range f.children {
		child = bytes.ReplaceAll(child, []byte(f.model.Name), []byte(link.Name))
		child = bytes.ReplaceAll(child, []byte(f.model.UID), []byte(link.UID))
		object := &unstructured.Unstructured{}
		if err := object.UnmarshalJSON(child); err != nil {
			return ctrl.Result{}, err
		}
		if err := f.Patch(ctx, object, client.RawPatch(types.ApplyPatchType, child), force...); err != nil {
			return ctrl.Result{}, err
		}
	}
	status := fmt.Appendf(nil, `{"apiVersion":%q,"kind":"ChannelLink","status":{"observedGeneration":%d}}`,
		v1alpha1.SchemeGroupVersion, link.Generation)
	return ctrl.Result{}, f.Status().Patch(ctx, link, client.RawPatch(types.ApplyPatchType, status),
		client.FieldOwner(names.FieldOwner), client.ForceOwnership)
}

func (f *floor) render(link *v1alpha1.ChannelLink) error {
	objects, err := desired.Build(desired.Input{
		Link: link,
		Operator: desired.Operator{
			ServerImage: "channellink/webhookserver:dev", Namespace: "channellink-system",
			PodLabels: map[string]string{"app.kubernetes.io/name": "channellink-operator"},
		},
		// As long as a set of one Ed25519 key.
		OperatorKeys: bytes.Repeat([]byte(" "), 174),
	})
	if err != nil {
		return err
	}
	for _, config := range objects.InOrder() {
		child, err := json.Marshal(config)
		if err != nil {
			return err
		}
		f.children = append(f.children, child)
	}
	return nil
}
