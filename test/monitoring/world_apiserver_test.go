//go:build apiserver

// Package monitoring_test gives the monitors and rules of config/monitoring to the Prometheus Operator: to its definitions, and
// to the program itself.
package monitoring_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"

	"channellink.dev/operator/internal/testenv"
)

// namespace is that of config/monitoring.
const namespace = "channellink-system"

var root, _ = filepath.Abs(filepath.Join("..", ".."))

var env *testenv.Environment

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard())
	os.Exit(testenv.Run(m, &env))
}

// install brings the definitions of the Prometheus Operator and the operator's namespace.
func install(t *testing.T) {
	t.Helper()
	env.InstallCRDs(t, testenv.PrometheusOperatorCRDs(t))
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
	if err := env.Client.Create(t.Context(), ns); err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
}

// kubectl applies server-side, and refuses what a kind does not know.
func kubectl(t *testing.T, args ...string) (string, error) {
	t.Helper()
	args = append([]string{"--kubeconfig", env.Kubeconfig(t, env.Config), "apply", "--server-side", "--validate=strict"}, args...)
	out, err := exec.CommandContext(t.Context(), env.Kubectl(), args...).CombinedOutput()
	return string(out), err
}

// startOperator starts the Prometheus Operator. It ends with the test.
func startOperator(t *testing.T) {
	t.Helper()
	program := filepath.Join(root, "bin", "prometheus-operator")
	if _, err := os.Stat(program); err != nil {
		t.Fatal("no program bin/prometheus-operator: run `make tools`")
	}
	dir := t.TempDir()
	file := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	var log strings.Builder
	cmd := exec.Command(program, "-apiserver", env.Config.Host, "-ca-file", file("ca", env.Config.CAData),
		"-cert-file", file("certificate", env.Config.CertData), "-key-file", file("key", env.Config.KeyData),
		"-kubelet-endpoints=false", "-web.listen-address", "127.0.0.1:0", "-log-level", "warn")
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(log.String())
		}
	})
}
