package apply_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	appsac "k8s.io/client-go/applyconfigurations/apps/v1"
	coreac "k8s.io/client-go/applyconfigurations/core/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"channellink.dev/operator/internal/apply"
)

const hashAnnotation = "example.com/hash"

// cluster is an API server with a cache before it that shows something else: what it showed a moment ago, or only the
// objects of a selector.
type cluster struct {
	cache, server client.Client
	// reads past the cache, writes that were not refused, and deletions, counted.
	reads, writes, deletions int
	// fail is the answer to every write.
	fail error
}

// newCluster shows the cached objects in the cache and the stored ones past it. What is written is seen past the cache.
func newCluster(t *testing.T, cached, stored []client.Object) *cluster {
	t.Helper()
	build := func(objects []client.Object) client.Client {
		copies := make([]client.Object, len(objects))
		for i, object := range objects {
			copies[i] = object.DeepCopyObject().(client.Object)
			copies[i].SetResourceVersion("")
		}
		return fake.NewClientBuilder().WithScheme(clientgoscheme.Scheme).WithObjects(copies...).Build()
	}
	return &cluster{cache: build(cached), server: build(stored)}
}

// same has the cache show what is stored.
func same(t *testing.T, objects ...client.Object) *cluster {
	t.Helper()
	return newCluster(t, objects, objects)
}

func (c *cluster) applier() *apply.Applier {
	writing := interceptor.NewClient(c.server.(client.WithWatch), interceptor.Funcs{
		Get: func(ctx context.Context, _ client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
			return c.cache.Get(ctx, key, object, options...)
		},
		Apply: func(ctx context.Context, server client.WithWatch, object runtime.ApplyConfiguration, options ...client.ApplyOption) error {
			if c.fail != nil {
				return c.fail
			}
			err := server.Apply(ctx, object, options...)
			if err == nil {
				c.writes++
			}
			return err
		},
		Delete: func(ctx context.Context, server client.WithWatch, object client.Object, options ...client.DeleteOption) error {
			c.deletions++
			if c.fail != nil {
				return c.fail
			}
			return server.Delete(ctx, object, options...)
		},
	})
	live := interceptor.NewClient(c.server.(client.WithWatch), interceptor.Funcs{
		Get: func(ctx context.Context, server client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
			c.reads++
			return server.Get(ctx, key, object, options...)
		},
	})
	return &apply.Applier{Client: writing, Live: live, FieldOwner: "operator", HashAnnotation: hashAnnotation}
}

// ours is owned by whoever labels it so.
func ours(object metav1.Object) bool { return object.GetLabels()["owner"] == "us" }

// wanted is a ConfigMap that should exist.
func wanted(value string) *coreac.ConfigMapApplyConfiguration {
	return coreac.ConfigMap("settings", "vision").WithLabels(map[string]string{"owner": "us"}).WithData(map[string]string{"a": value})
}

// applied is the ConfigMap as the API server has it after it was applied.
func applied(t *testing.T, value string, changes ...func(*corev1.ConfigMap)) *corev1.ConfigMap {
	t.Helper()
	c := same(t)
	if _, err := c.applier().Apply(t.Context(), wanted(value), ours); err != nil {
		t.Fatal(err)
	}
	object := &corev1.ConfigMap{}
	if err := c.server.Get(t.Context(), client.ObjectKey{Namespace: "vision", Name: "settings"}, object); err != nil {
		t.Fatal(err)
	}
	object.ManagedFields = nil
	for _, change := range changes {
		change(object)
	}
	return object
}

func TestApply(t *testing.T) {
	drifted := func(o *corev1.ConfigMap) { o.Data["a"] = "drifted" }
	foreign := func(o *corev1.ConfigMap) { o.Labels["owner"] = "them" }
	for _, tc := range []struct {
		name   string
		reason string
		// cached and stored is what the cache and the API server have; nil: nothing.
		cached, stored *corev1.ConfigMap
		want           apply.Outcome
		wantErr        error
		reads, writes  int
	}{
		{
			name: "nothing there", reason: "it is made without a look for a stranger's object, on the condition that there is none",
			want: apply.Created, writes: 1,
		},
		{
			name: "nothing changed", reason: "at rest neither a read nor a write",
			cached: applied(t, "1"), stored: applied(t, "1"), want: apply.Unchanged,
		},
		{
			name: "another configuration", reason: "the hash tells",
			cached: applied(t, "0"), stored: applied(t, "0"), want: apply.Updated, reads: 1, writes: 1,
		},
		{
			name: "drift", reason: "the value tells",
			cached: applied(t, "1", drifted), stored: applied(t, "1", drifted), want: apply.Updated, writes: 1,
		},
		{
			name: "more than we want", reason: "what others add is theirs",
			cached: applied(t, "1", func(o *corev1.ConfigMap) { o.Data["b"] = "theirs" }), stored: applied(t, "1"), want: apply.Unchanged,
		},
		{
			name: "made a moment ago", reason: "the cache does not show our own object yet, and it is not made twice",
			stored: applied(t, "1"), want: apply.Unchanged, reads: 1,
		},
		{
			name: "changed a moment ago", reason: "the cache shows our former object, and the change is not written twice",
			cached: applied(t, "0"), stored: applied(t, "1"), want: apply.Unchanged, reads: 1,
		},
		{
			name: "lost its label", reason: "the cache selects by it, so without it the object would be out of sight for ever",
			stored: applied(t, "1", func(o *corev1.ConfigMap) { delete(o.Labels, "owner"); o.Annotations["owner"] = "us" }),
			want:   apply.Updated, reads: 1, writes: 1,
		},
		{
			name: "a stranger's, in the cache", reason: "it is left alone",
			cached: applied(t, "1", foreign), stored: applied(t, "1", foreign), want: apply.Unchanged, wantErr: apply.ErrForeignObject,
		},
		{
			name: "a stranger's, past the cache", reason: "the cache holds our own objects only",
			stored: applied(t, "1", foreign), want: apply.Unchanged, wantErr: apply.ErrForeignObject, reads: 1,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := newCluster(t, listOf(tc.cached), listOf(tc.stored))
			owned := func(o metav1.Object) bool { return ours(o) || o.GetAnnotations()["owner"] == "us" }
			got, err := c.applier().Apply(t.Context(), wanted("1"), owned)
			if !errors.Is(err, tc.wantErr) {
				t.Fatalf("error %v, want %v: %s", err, tc.wantErr, tc.reason)
			}
			if got != tc.want || c.reads != tc.reads || c.writes != tc.writes {
				t.Errorf("%s with %d reads and %d writes, want %s with %d and %d: %s", got, c.reads, c.writes, tc.want, tc.reads, tc.writes, tc.reason)
			}
			if tc.wantErr != nil {
				return
			}
			object := &corev1.ConfigMap{}
			if err := c.server.Get(t.Context(), client.ObjectKey{Namespace: "vision", Name: "settings"}, object); err != nil {
				t.Fatal(err)
			}
			if object.Data["a"] != "1" || !ours(object) {
				t.Errorf("it is %v with labels %v in the end: %s", object.Data, object.Labels, tc.reason)
			}
		})
	}
}

// A second pass before the cache shows what the first one made looks past it, and sends no write that would be refused.
func TestApplyBehindTheCache(t *testing.T) {
	c := newCluster(t, nil, nil)
	attempts := 0
	applier := c.applier()
	applier.Client = interceptor.NewClient(applier.Client.(client.WithWatch), interceptor.Funcs{
		Apply: func(ctx context.Context, next client.WithWatch, object runtime.ApplyConfiguration, options ...client.ApplyOption) error {
			attempts++
			return next.Apply(ctx, object, options...)
		},
	})
	for i, want := range []apply.Outcome{apply.Created, apply.Unchanged} {
		got, err := applier.Apply(t.Context(), wanted("1"), ours)
		if err != nil || got != want || attempts != 1 || c.reads != i {
			t.Errorf("pass %d: %s, %v, after %d writes and %d reads; want %s after 1 and %d", i+1, got, err, attempts, c.reads, want, i)
		}
	}
}

func listOf(object *corev1.ConfigMap) []client.Object {
	if object == nil {
		return nil
	}
	return []client.Object{object}
}

// A field that another controller sets is written with the rest, and no reason to write.
func TestApplyTolerates(t *testing.T) {
	want := func(replicas int32, image string) *appsac.DeploymentApplyConfiguration {
		return appsac.Deployment("server", "vision").WithLabels(map[string]string{"owner": "us"}).WithSpec(appsac.DeploymentSpec().
			WithReplicas(replicas).
			WithTemplate(coreac.PodTemplateSpec().WithSpec(coreac.PodSpec().WithContainers(coreac.Container().WithName("server").WithImage(image)))))
	}
	replicas := apply.Path{"spec", "replicas"}
	c := same(t)
	if _, err := c.applier().Apply(t.Context(), want(2, "a"), ours, replicas); err != nil {
		t.Fatal(err)
	}
	deployment := &appsv1.Deployment{}
	if err := c.server.Get(t.Context(), client.ObjectKey{Namespace: "vision", Name: "server"}, deployment); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name   string
		reason string
		config *appsac.DeploymentApplyConfiguration
		want   apply.Outcome
	}{
		{"same", "nothing changed", want(2, "a"), apply.Unchanged},
		{"another number", "the number is not ours to judge", want(5, "a"), apply.Unchanged},
		{"another image", "all else is", want(5, "b"), apply.Updated},
	} {
		got, err := same(t, deployment).applier().Apply(t.Context(), tc.config, ours, replicas)
		if err != nil || got != tc.want {
			t.Errorf("%s: %s, %v, want %s: %s", tc.name, got, err, tc.want, tc.reason)
		}
	}
	got, err := same(t, deployment).applier().Apply(t.Context(), want(5, "a"), ours)
	if err != nil || got != apply.Updated {
		t.Errorf("not tolerated, another number is a difference: %s, %v", got, err)
	}
}

// An error says which object it is about, and leaves the API server's answer to be found in it.
func TestApplyErrors(t *testing.T) {
	c := same(t)
	c.fail = apierrors.NewForbidden(schema.GroupResource{Resource: "configmaps"}, "settings", errors.New("quota"))
	_, err := c.applier().Apply(t.Context(), wanted("1"), ours)
	if !apierrors.IsForbidden(err) {
		t.Errorf("got %v", err)
	}
	if diff := cmp.Diff(`applying ConfigMap "settings": configmaps "settings" is forbidden: quota`, err.Error()); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}

	foreign, ok := errors.AsType[*apply.ForeignObjectError](mustFail(t))
	if !ok || foreign.Kind.Kind != "ConfigMap" || foreign.Name != "settings" || foreign.Metadata.GetLabels()["owner"] != "them" {
		t.Errorf("got %+v", foreign)
	}
}

// mustFail applies over a stranger's object.
func mustFail(t *testing.T) error {
	t.Helper()
	_, err := same(t, applied(t, "1", func(o *corev1.ConfigMap) { o.Labels["owner"] = "them" })).applier().Apply(t.Context(), wanted("1"), ours)
	return err
}

func TestDelete(t *testing.T) {
	mine := applied(t, "1")
	mine.UID = "mine"
	theirs := applied(t, "1", func(o *corev1.ConfigMap) { o.Labels["owner"] = "them" })
	going := applied(t, "1", func(o *corev1.ConfigMap) {
		o.DeletionTimestamp, o.Finalizers = new(metav1.Now()), []string{"example.com/held"}
	})
	for _, tc := range []struct {
		name           string
		reason         string
		cached, stored *corev1.ConfigMap
		want           bool
		deletions      int
	}{
		{name: "nothing there", reason: "there is nothing to do"},
		{name: "ours", reason: "it is switched off", cached: mine, stored: mine, want: true, deletions: 1},
		{name: "a stranger's", reason: "it only bears the name", cached: theirs, stored: theirs},
		{name: "going already", reason: "a second request changes nothing", cached: going, stored: going},
		{name: "gone a moment ago", reason: "the cache lags behind", cached: mine, want: true, deletions: 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := newCluster(t, listOf(tc.cached), listOf(tc.stored))
			object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "vision", Name: "settings"}}
			got, err := c.applier().Delete(t.Context(), object, ours)
			if err != nil || got != tc.want || c.deletions != tc.deletions {
				t.Errorf("%v, %v with %d deletions: %s", got, err, c.deletions, tc.reason)
			}
		})
	}
	t.Run("of that very object", func(t *testing.T) {
		var precondition *metav1.Preconditions
		recording := interceptor.NewClient(same(t, mine).server.(client.WithWatch), interceptor.Funcs{
			Delete: func(_ context.Context, _ client.WithWatch, _ client.Object, options ...client.DeleteOption) error {
				precondition = new(client.DeleteOptions).ApplyOptions(options).Preconditions
				return nil
			},
		})
		applier := &apply.Applier{Client: recording, Live: recording}
		if _, err := applier.Delete(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "vision", Name: "settings"}}, ours); err != nil {
			t.Fatal(err)
		}
		if precondition == nil || precondition.UID == nil || *precondition.UID != "mine" {
			t.Errorf("an object made anew under the name would go instead: precondition %+v", precondition)
		}
	})
}

// What was made a moment ago goes although the cache does not show it yet, and nobody looks past the cache for it again.
func TestDeleteBehindTheCache(t *testing.T) {
	c := newCluster(t, nil, nil)
	applier := c.applier()
	if _, err := applier.Apply(t.Context(), wanted("1"), ours); err != nil {
		t.Fatal(err)
	}
	object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "vision", Name: "settings"}}
	c.fail = errors.New("not now")
	if _, err := applier.Delete(t.Context(), object, ours); err == nil {
		t.Error("no error")
	}
	c.fail = nil
	for i, want := range []bool{true, false} {
		got, err := applier.Delete(t.Context(), object, ours)
		if err != nil || got != want || c.reads != 2 {
			t.Errorf("time %d: %t, %v, %d reads; want %t after 2", i+1, got, err, c.reads, want)
		}
	}
	if err := c.server.Get(t.Context(), client.ObjectKeyFromObject(object), object); !apierrors.IsNotFound(err) {
		t.Errorf("it is there still: %v", err)
	}
}

// Past the cache, what is owned is seen and goes; others stay.
func TestPastTheCache(t *testing.T) {
	theirs := applied(t, "1", func(o *corev1.ConfigMap) { o.Labels["owner"] = "them" })
	for _, tc := range []struct {
		name           string
		cached, stored *corev1.ConfigMap
		exists         bool
	}{
		{name: "nothing there"},
		{name: "ours, and the cache does not show it yet", stored: applied(t, "1"), exists: true},
		{name: "gone, and the cache shows it still", cached: applied(t, "1")},
		{name: "a stranger's", stored: theirs},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := newCluster(t, listOf(tc.cached), listOf(tc.stored))
			applier := c.applier()
			object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "vision", Name: "settings"}}
			if got, err := applier.Exists(t.Context(), object, ours); err != nil || got != tc.exists {
				t.Errorf("exists: %t, %v", got, err)
			}
			if got, err := applier.DeleteLive(t.Context(), object, ours); err != nil || got != tc.exists {
				t.Errorf("deleted: %t, %v", got, err)
			}
			err := c.server.Get(t.Context(), client.ObjectKeyFromObject(object), object)
			if stays := tc.stored != nil && !tc.exists; stays != (err == nil) {
				t.Errorf("in the end: %v", err)
			}
		})
	}
}

// A configuration that cannot be written as JSON is an error, not a panic.
func TestApplyUnrenderable(t *testing.T) {
	if _, err := same(t).applier().Apply(t.Context(), unrenderable{}, ours); err == nil {
		t.Error("no error")
	}
}

type unrenderable struct{}

func (unrenderable) IsApplyConfiguration()        {}
func (unrenderable) MarshalJSON() ([]byte, error) { return nil, errors.New("no") }

var _ json.Marshaler = unrenderable{}
