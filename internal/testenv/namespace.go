package testenv

import (
	"context"
	"regexp"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"channellink.dev/operator/api/v1alpha1"
)

// maxNamespacePrefix leaves room for the hyphen and the five characters that the API server appends; a namespace has at
// most 63.
const maxNamespacePrefix = 57

var notInNames = regexp.MustCompile(`[^a-z0-9]+`)

// Namespace makes a namespace for one test, named after it, and returns its name. When the test ends, the ChannelLinks
// and AccountUnlinks in it go, whatever finalizer they carry, and so does their claim on a page or a public URL. The
// namespace itself is deleted and stays in Terminating, because no controller manager runs.
func (e *Environment) Namespace(tb testing.TB) string {
	tb.Helper()
	prefix := strings.Trim(notInNames.ReplaceAllString(strings.ToLower(tb.Name()), "-"), "-")
	if len(prefix) > maxNamespacePrefix {
		prefix = strings.TrimRight(prefix[:maxNamespacePrefix], "-")
	}
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: prefix + "-"}}
	if err := e.Client.Create(tb.Context(), ns); err != nil {
		tb.Fatalf("create a namespace: %v", err)
	}
	tb.Cleanup(func() {
		ctx := context.WithoutCancel(tb.Context()) // the test's own is done by now
		for _, list := range []client.ObjectList{&v1alpha1.ChannelLinkList{}, &v1alpha1.AccountUnlinkList{}} {
			if err := e.removeAll(ctx, ns.Name, list); err != nil {
				tb.Errorf("clean up namespace %s: %v", ns.Name, err)
			}
		}
		if err := client.IgnoreNotFound(e.Client.Delete(ctx, ns)); err != nil {
			tb.Errorf("delete namespace %s: %v", ns.Name, err)
		}
	})
	return ns.Name
}

// removeAll deletes every object of the list's kind in the namespace and takes the finalizers off.
func (e *Environment) removeAll(ctx context.Context, namespace string, list client.ObjectList) error {
	if err := e.Client.List(ctx, list, client.InNamespace(namespace)); err != nil {
		return err
	}
	return meta.EachListItem(list, func(item runtime.Object) error {
		obj := item.(client.Object)
		if err := e.Client.Delete(ctx, obj); err != nil {
			return client.IgnoreNotFound(err)
		}
		if len(obj.GetFinalizers()) == 0 {
			return nil
		}
		return retry.RetryOnConflict(retry.DefaultRetry, func() error {
			if err := e.Client.Get(ctx, client.ObjectKeyFromObject(obj), obj); err != nil {
				return client.IgnoreNotFound(err)
			}
			obj.SetFinalizers(nil)
			return client.IgnoreNotFound(e.Client.Update(ctx, obj))
		})
	})
}
