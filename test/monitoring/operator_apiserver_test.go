//go:build apiserver

package monitoring_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "write hack/monitoring/scrapes.yaml anew")

// Every field of monitors and rules is one that the Prometheus Operator knows, and rules are PromQL to it.
func TestDefinitions(t *testing.T) {
	install(t)
	for _, c := range []struct {
		reason string
		args   []string
		stdin  string
		good   bool
	}{
		{"what config has", []string{"-k", filepath.Join(root, "config", "monitoring")}, "", true},
		{"a field that there is not", nil, "spec: {selector: {}, podMetricsEndpoints: [{prt: ops}]}", false},
		{"a time that is none", nil, "spec: {selector: {}, podMetricsEndpoints: [{port: ops, interval: often}]}", false},
	} {
		args := append([]string{"--dry-run=server"}, c.args...)
		if c.stdin != "" {
			file := filepath.Join(t.TempDir(), "monitor.yaml")
			monitor := "apiVersion: monitoring.coreos.com/v1\nkind: PodMonitor\nmetadata: {name: wrong, namespace: " + namespace + "}\n" + c.stdin
			if err := os.WriteFile(file, []byte(monitor), 0o600); err != nil {
				t.Fatal(err)
			}
			args = append(args, "-f", file)
		}
		if out, err := kubectl(t, args...); (err == nil) != c.good {
			t.Errorf("%s: %v\n%s", c.reason, err, out)
		}
	}
}

// The Prometheus Operator makes of the monitors what hack/monitoring/scrapes.yaml has, by which `make prometheus` scrapes a real
// cluster, and of the rules a file with all of them.
func TestPrometheusOperator(t *testing.T) {
	g := NewWithT(t)
	install(t)
	if out, err := kubectl(t, "-k", filepath.Join(root, "config", "monitoring")); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	everything := map[string]any{}
	if err := env.Client.Create(t.Context(), &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "monitoring.coreos.com/v1", "kind": "Prometheus",
		"metadata": map[string]any{"name": "all", "namespace": namespace},
		"spec":     map[string]any{"podMonitorSelector": everything, "serviceMonitorSelector": everything, "ruleSelector": everything},
	}}); err != nil {
		t.Fatal(err)
	}
	startOperator(t)

	path := filepath.Join(root, "hack", "monitoring", "scrapes.yaml")
	if *update {
		var got string
		g.Eventually(func() (err error) { got, err = scrapes(t); return err }).WithTimeout(time.Minute).Should(Succeed())
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// It writes its configuration anew as it comes to know of one monitor after the other.
	g.Eventually(func() string {
		got, err := scrapes(t)
		if err != nil {
			return err.Error()
		}
		return cmp.Diff(string(want), got)
	}).WithTimeout(time.Minute).Should(BeEmpty(), "-scrapes.yaml +the operator's; write it anew with -args -update")
	g.Eventually(func() (int, error) { return rules(t) }).WithTimeout(time.Minute).Should(Equal(len(rulesOfConfig(t))))
}

// scrapes are the scrape configurations that the operator has written for Prometheus. Where a Prometheus outside the cluster
// finds it is added.
func scrapes(t *testing.T) (string, error) {
	t.Helper()
	var secret corev1.Secret
	if err := env.Client.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "prometheus-all"}, &secret); err != nil {
		return "", err
	}
	zipped, err := gzip.NewReader(bytes.NewReader(secret.Data["prometheus.yaml.gz"]))
	if err != nil {
		return "", err
	}
	data, err := io.ReadAll(zipped)
	if err != nil {
		return "", err
	}
	var config struct {
		Scrapes []map[string]any `json:"scrape_configs"`
	}
	if err := yaml.Unmarshal(data, &config); err != nil {
		return "", err
	}
	if len(config.Scrapes) < 2 {
		return "", errors.New("it does not know of both monitors yet")
	}
	for _, scrape := range config.Scrapes {
		for _, discovery := range scrape["kubernetes_sd_configs"].([]any) {
			discovery.(map[string]any)["kubeconfig_file"] = "${KUBECONFIG}"
		}
	}
	out, err := yaml.Marshal(map[string]any{"scrape_configs": config.Scrapes})
	return "# What the Prometheus Operator makes of config/monitoring (test/monitoring), for a Prometheus outside the cluster.\n" + string(out), err
}

// ruleFile is what Prometheus reads rules from.
type ruleFile struct {
	Groups []struct {
		Rules []any `json:"rules"`
	} `json:"groups"`
}

func (f ruleFile) rules() []any {
	var all []any
	for _, group := range f.Groups {
		all = append(all, group.Rules...)
	}
	return all
}

// rules counts those that the operator has written for Prometheus.
func rules(t *testing.T) (int, error) {
	t.Helper()
	var written corev1.ConfigMap
	if err := env.Client.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "prometheus-all-rulefiles-0"}, &written); err != nil {
		return 0, err
	}
	n := 0
	for name, data := range written.Data {
		var file ruleFile
		if err := yaml.Unmarshal([]byte(data), &file); err != nil || !strings.HasPrefix(name, namespace+"-channellink-") {
			return 0, err
		}
		n += len(file.rules())
	}
	return n, nil
}

func rulesOfConfig(t *testing.T) []any {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, "config", "monitoring", "rules.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var resource struct {
		Spec ruleFile `json:"spec"`
	}
	if err := yaml.Unmarshal(data, &resource); err != nil {
		t.Fatal(err)
	}
	return resource.Spec.rules()
}
