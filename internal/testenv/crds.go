package testenv

import (
	"context"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// crdTimeout bounds the wait for the API server to begin or to cease to serve a kind. It takes about 1 s; but a removal
// that meets the API server busy is tried again with growing pauses, and then takes a minute and more.
const crdTimeout = 3 * time.Minute

// InstallCRDs installs the CustomResourceDefinitions of these files or folders, waits until their kinds are served, and
// returns a function that removes them again and waits until they are gone. The test's end calls it in any case; more
// than one call is harmless.
func (e *Environment) InstallCRDs(tb testing.TB, paths ...string) (remove func()) {
	tb.Helper()
	crds, err := envtest.InstallCRDs(e.Config, envtest.CRDInstallOptions{
		Scheme: e.Scheme, Paths: paths, ErrorIfPathMissing: true, MaxTime: crdTimeout,
	})
	if err != nil {
		tb.Fatalf("install the definitions of %v: %v", paths, err)
	}
	remove = func() {
		tb.Helper()
		for _, crd := range crds {
			if err := e.removeCRD(crd); err != nil {
				tb.Errorf("remove the definition %s: %v", crd.Name, err)
			}
		}
	}
	tb.Cleanup(remove)
	return remove
}

// removeCRD deletes the definition and waits until it is gone: its finalizer removes its objects first.
func (e *Environment) removeCRD(crd *apiextensionsv1.CustomResourceDefinition) error {
	ctx := context.Background() // it also runs when the test's own is done
	if err := e.Client.Delete(ctx, crd); err != nil {
		return client.IgnoreNotFound(err)
	}
	return wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, crdTimeout, true, func(ctx context.Context) (bool, error) {
		err := e.Client.Get(ctx, client.ObjectKeyFromObject(crd), &apiextensionsv1.CustomResourceDefinition{
			ObjectMeta: metav1.ObjectMeta{Name: crd.Name},
		})
		return apierrors.IsNotFound(err), client.IgnoreNotFound(err)
	})
}

// GatewayAPICRDs is the folder with the definitions of the Gateway API's standard channel, in the version of go.mod.
func GatewayAPICRDs(tb testing.TB) string {
	tb.Helper()
	return filepath.Join(moduleFolder(tb, ".", "sigs.k8s.io/gateway-api"), "config", "crd", "standard")
}

// PrometheusOperatorCRDs is the folder with the definitions of the Prometheus Operator, in the version that
// hack/prometheus-operator pins.
func PrometheusOperatorCRDs(tb testing.TB) string {
	tb.Helper()
	root, err := repositoryRoot()
	if err != nil {
		tb.Fatal(err)
	}
	pin := filepath.Join(root, "hack", "prometheus-operator")
	return filepath.Join(moduleFolder(tb, pin, "github.com/prometheus-operator/prometheus-operator"), "example", "prometheus-operator-crd")
}

// moduleFolder is where the go command keeps a module, in the version that the go.mod of this folder asks for.
func moduleFolder(tb testing.TB, folder, module string) string {
	tb.Helper()
	cmd := exec.CommandContext(tb.Context(), "go", "mod", "download", "-json", module) //nolint:gosec // one of the two above
	cmd.Dir = folder
	out, err := cmd.Output()
	if err != nil {
		tb.Fatalf("find the module %s: %v", module, err)
	}
	var found struct{ Dir string }
	if err := json.Unmarshal(out, &found); err != nil {
		tb.Fatalf("find the module %s: %v", module, err)
	}
	return found.Dir
}
