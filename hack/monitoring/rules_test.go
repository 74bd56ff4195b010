package monitoring

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/storage"
	"sigs.k8s.io/yaml"
)

// rule is an alert of the PrometheusRule.
type rule struct {
	Alert       string            `json:"alert"`
	Expr        string            `json:"expr"`
	For         string            `json:"for"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

// wait is how long the expression has to hold before the alert fires.
func (r rule) wait(t *testing.T) time.Duration {
	t.Helper()
	if r.For == "" {
		return 0
	}
	d, err := model.ParseDuration(r.For)
	if err != nil {
		t.Fatalf("%s: for: %v", r.Alert, err)
	}
	return time.Duration(d)
}

func readRules(t *testing.T) []rule {
	t.Helper()
	var resource struct {
		Spec struct {
			Groups []struct {
				Name  string `json:"name"`
				Rules []rule `json:"rules"`
			} `json:"groups"`
		} `json:"spec"`
	}
	readYAML(t, root+"config/monitoring/rules.yaml", &resource)
	var rules []rule
	for _, group := range resource.Spec.Groups {
		rules = append(rules, group.Rules...)
	}
	if len(rules) == 0 {
		t.Fatal("no rules")
	}
	return rules
}

func readYAML(t *testing.T, path string, value any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(data, value); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// Every alert asks for what there is, says how bad it is, and has a page that says what to do.
func TestRules(t *testing.T) {
	known := metrics(t)
	index, err := os.ReadFile(root + "docs/runbooks/README.md")
	if err != nil {
		t.Fatal(err)
	}
	pages := map[string]bool{"README.md": true}
	for _, r := range readRules(t) {
		checkQuery(t, known, r.Alert, r.Expr)
		if severity := r.Labels["severity"]; severity != "critical" && severity != "warning" {
			t.Errorf("%s: severity %q", r.Alert, severity)
		}
		for _, name := range []string{"summary", "description"} {
			if r.Annotations[name] == "" {
				t.Errorf("%s: no %s", r.Alert, name)
			}
		}
		file := r.Alert + ".md"
		pages[file] = true
		if want := "https://channellink.dev/docs/runbooks/" + r.Alert; r.Annotations["runbook_url"] != want {
			t.Errorf("%s: runbook_url is %q, want %q", r.Alert, r.Annotations["runbook_url"], want)
		}
		page, err := os.ReadFile(root + "docs/runbooks/" + file)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, words := range []string{
			"# " + r.Alert, r.Expr, "Severity `" + r.Labels["severity"] + "`", r.Annotations["summary"], "## What it means", "## What to do",
		} {
			if !strings.Contains(inOneLine(string(page)), inOneLine(words)) {
				t.Errorf("%s: the runbook does not say %q", r.Alert, words)
			}
		}
		if !strings.Contains(string(index), "("+file+") | "+r.Labels["severity"]+" |") {
			t.Errorf("%s is not in the runbooks' index, or with another severity", r.Alert)
		}
	}
	files, err := os.ReadDir(root + "docs/runbooks")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !pages[file.Name()] {
			t.Errorf("docs/runbooks/%s is about no alert", file.Name())
		}
	}
}

// situation is a history of series in which a rule has something to say, or nothing.
type situation struct {
	Alert  string `json:"alert"`
	Reason string `json:"reason"`
	// Series by what Prometheus would have scraped, a value each minute, in the notation of promtool.
	Series map[string]string `json:"series"`
	// At is when somebody looks.
	At string `json:"at"`
	// Fires are the labels of the alerts that fire then, without the severity.
	Fires []map[string]string `json:"fires"`
}

// Every alert fires when it should, and is quiet otherwise.
func TestSituations(t *testing.T) {
	rules := map[string]rule{}
	for _, r := range readRules(t) {
		rules[r.Alert] = r
	}
	var situations []situation
	readYAML(t, "testdata/situations.yaml", &situations)
	fired, quiet := map[string]bool{}, map[string]bool{}
	for _, s := range situations {
		t.Run(s.Alert+": "+s.Reason, func(t *testing.T) {
			r, ok := rules[s.Alert]
			if !ok {
				t.Fatal("there is no such alert")
			}
			var want []string
			for _, alert := range s.Fires {
				want = append(want, labels.FromMap(alert).String())
			}
			if got := firing(t, r, s); !slices.Equal(got, slices.Sorted(slices.Values(want))) {
				t.Errorf("fires for %v, want %v", got, want)
			}
		})
		fired[s.Alert], quiet[s.Alert] = fired[s.Alert] || len(s.Fires) > 0, quiet[s.Alert] || len(s.Fires) == 0
	}
	for name := range rules {
		if !fired[name] || !quiet[name] {
			t.Errorf("%s: there has to be a situation in which it fires (%t) and one in which it does not (%t)", name, fired[name], quiet[name])
		}
	}
}

// firing are the labels of the alerts that fire: those of which the expression has held at each minute of the wait.
func firing(t *testing.T, r rule, s situation) []string {
	t.Helper()
	var load strings.Builder
	load.WriteString("load 1m\n")
	for series, values := range s.Series {
		fmt.Fprintf(&load, "  %s %s\n", series, values)
	}
	store := promqltest.LoadedStorage(t, load.String())
	defer func() { _ = store.Close() }()
	engine := promqltest.NewTestEngine(t, false, 0, 100_000)
	at, err := model.ParseDuration(s.At)
	if err != nil {
		t.Fatal(err)
	}
	end := time.Unix(0, 0).Add(time.Duration(at))
	held := map[string]int{}
	minutes := int(r.wait(t)/time.Minute) + 1
	for i := range minutes {
		for _, sample := range evaluate(t, engine, store, r.Expr, end.Add(-time.Duration(i)*time.Minute)) {
			held[labels.NewBuilder(sample.Metric).Del(model.MetricNameLabel).Labels().String()]++
		}
	}
	var names []string
	for name, n := range held {
		if n == minutes {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func evaluate(t *testing.T, engine *promql.Engine, store storage.Queryable, expr string, at time.Time) promql.Vector {
	t.Helper()
	query, err := engine.NewInstantQuery(context.Background(), store, nil, expr, at)
	if err != nil {
		t.Fatal(err)
	}
	defer query.Close()
	result := query.Exec(context.Background())
	vector, err := result.Vector()
	if err != nil {
		t.Fatal(err)
	}
	return slices.Clone(vector)
}
