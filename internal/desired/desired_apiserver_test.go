//go:build apiserver

package desired_test

import (
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"channellink.dev/operator/internal/desired"
	"channellink.dev/operator/internal/names"
	"channellink.dev/operator/internal/testenv"
)

var env *testenv.Environment

func TestMain(m *testing.M) { os.Exit(testenv.Run(m, &env)) }

// What is rendered stands in what the API server stores, its defaults and all: the operator finds no difference and writes
// nothing. In a namespace that asks for the profile restricted, the API server warns of nothing. C66
func TestTheAPIServerStoresWhatIsRendered(t *testing.T) {
	env.InstallCRDs(t, filepath.Join(testenv.GatewayAPICRDs(t), "gateway.networking.k8s.io_httproutes.yaml"))
	forEachCase(t, func(t *testing.T, _ string, in desired.Input) {
		in.Link.Namespace = env.Namespace(t)
		warnings := &warnings{}
		c := clientThatHears(t, warnings)
		label(t, c, in.Link.Namespace, "pod-security.kubernetes.io/warn", "restricted")

		objects := build(t, in)
		for _, object := range objects.InOrder() {
			rendered := generic(t, object)
			kind := rendered["kind"].(string)
			if err := c.Apply(t.Context(), object, client.FieldOwner(names.FieldOwner), client.ForceOwnership); err != nil {
				t.Errorf("%s: %v", kind, err)
				continue
			}
			for _, problem := range notIn(rendered, stored(t, c, rendered), kind) {
				t.Error(problem)
			}
		}
		for _, warning := range warnings.heard() {
			t.Errorf("the API server warns: %s", warning)
		}
	})
}

// Every change of mind can be applied to what is there: between stores, which change the Deployment's strategy, and
// between fixed and automatic scaling.
func TestCasesCanFollowEachOther(t *testing.T) {
	namespace := env.Namespace(t)
	for _, name := range []string{
		"line-direct", "postgres-replicas", "line-direct", "postgres-autoscaling", "postgres-replicas", "ephemeral",
		"botbonnie-line-full", "network-policy-off", "unlink-all", "line-direct",
	} {
		in := read(t, "testdata/"+name+"/in.yaml")
		in.Link.Namespace = namespace
		objects := build(t, in)
		// The cases have volumes of different classes, which the schema lets nobody change.
		objects.Volume = nil
		for _, object := range objects.InOrder() {
			rendered := generic(t, object)
			if err := env.Client.Apply(t.Context(), object, client.FieldOwner(names.FieldOwner), client.ForceOwnership); err != nil {
				t.Errorf("%s: %s: %v", name, rendered["kind"], err)
				continue
			}
			for _, problem := range notIn(rendered, stored(t, env.Client, rendered), rendered["kind"].(string)) {
				t.Errorf("%s: %s", name, problem)
			}
		}
	}
}

// stored reads the object back.
func stored(t *testing.T, c client.Client, rendered map[string]any) map[string]any {
	t.Helper()
	object := &unstructured.Unstructured{}
	object.SetAPIVersion(rendered["apiVersion"].(string))
	object.SetKind(rendered["kind"].(string))
	key := client.ObjectKey{
		Namespace: rendered["metadata"].(map[string]any)["namespace"].(string),
		Name:      rendered["metadata"].(map[string]any)["name"].(string),
	}
	if err := c.Get(t.Context(), key, object); err != nil {
		t.Fatal(err)
	}
	return generic(t, object)
}

func label(t *testing.T, c client.Client, namespace, key, value string) {
	t.Helper()
	object := &corev1.Namespace{}
	if err := c.Get(t.Context(), client.ObjectKey{Name: namespace}, object); err != nil {
		t.Fatal(err)
	}
	if object.Labels == nil {
		object.Labels = map[string]string{}
	}
	object.Labels[key] = value
	if err := c.Update(t.Context(), object); err != nil {
		t.Fatal(err)
	}
}

// warnings collects what the API server warns of.
type warnings struct {
	mu    sync.Mutex
	texts []string
}

// HandleWarningHeader implements rest.WarningHandler.
func (w *warnings) HandleWarningHeader(_ int, _ string, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.texts = append(w.texts, text)
}

func (w *warnings) heard() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.texts)
}

// clientThatHears is a client of the administrator's whose warnings go to the handler.
func clientThatHears(t *testing.T, handler *warnings) client.Client {
	t.Helper()
	config := rest.CopyConfig(env.Config)
	config.WarningHandler = handler
	c, err := client.New(config, client.Options{Scheme: env.Scheme})
	if err != nil {
		t.Fatal(err)
	}
	return c
}
