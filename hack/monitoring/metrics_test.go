package monitoring

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
)

const root = "../../"

// targetLabels are those that Prometheus adds to what it scrapes by the monitors.
var targetLabels = []string{"namespace", "pod", "job", "instance", "container", "endpoint"}

var (
	metricRow = regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| (counter|gauge|histogram|summary) \\| ([^|]*) \\|")
	quoted    = regexp.MustCompile("`([a-z_]+)`")
)

// metrics are the label names by the names of series, from the tables of docs/metrics.md.
func metrics(t *testing.T) map[string][]string {
	t.Helper()
	page, err := os.ReadFile(root + "docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string][]string{
		"process_resident_memory_bytes": targetLabels, "process_cpu_seconds_total": targetLabels, // of every Go program
		"up":     targetLabels, // Prometheus' own
		"ALERTS": append([]string{"alertname", "alertstate", "severity", "channel"}, targetLabels...),
	}
	for _, row := range metricRow.FindAllStringSubmatch(string(page), -1) {
		names := slices.Clone(targetLabels)
		for _, label := range quoted.FindAllStringSubmatch(row[3], -1) {
			names = append(names, label[1])
		}
		if row[2] == "histogram" {
			known[row[1]+"_bucket"] = append(slices.Clone(names), "le")
			known[row[1]+"_count"], known[row[1]+"_sum"] = names, names
			continue
		}
		known[row[1]] = names
	}
	if len(known) < 30 {
		t.Fatalf("docs/metrics.md has %d series", len(known))
	}
	return known
}

// problems are what is wrong with a query: it is not PromQL, or asks for a series or a label that no scrape has.
func problems(known map[string][]string, query string) []string {
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(query)
	if err != nil {
		return []string{err.Error()}
	}
	var found []string
	var inside []string // every label of the series that are asked for
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		selector, ok := node.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		names, ok := known[selector.Name]
		if !ok {
			found = append(found, "no scrape has "+selector.Name)
		}
		inside = append(inside, names...)
		for _, matcher := range selector.LabelMatchers {
			if matcher.Name != model.MetricNameLabel && !slices.Contains(names, matcher.Name) {
				found = append(found, selector.Name+" has no label "+matcher.Name)
			}
		}
		return nil
	})
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		var by []string
		switch n := node.(type) {
		case *parser.AggregateExpr:
			by = n.Grouping
		case *parser.BinaryExpr:
			if n.VectorMatching != nil {
				by = n.VectorMatching.MatchingLabels
			}
		}
		for _, label := range by {
			if !slices.Contains(inside, label) {
				found = append(found, "nothing has the label "+label)
			}
		}
		return nil
	})
	return found
}

// checkQuery fails the test for what is wrong with a query.
func checkQuery(t *testing.T, known map[string][]string, where, query string) {
	t.Helper()
	for _, problem := range problems(known, query) {
		t.Errorf("%s: %s", where, problem)
	}
}

// The check finds what it is for.
func TestProblems(t *testing.T) {
	known := metrics(t)
	for _, c := range []struct {
		reason, query string
		good          bool
	}{
		{"a counter by its labels", `sum by (channel) (rate(channellink_link_events_total{kind="linked"}[5m]))`, true},
		{"buckets", `rate(channellink_http_request_duration_seconds_bucket{le="1"}[5m])`, true},
		{"two sides", `channellink_ready == 0 and on (namespace, pod) channellink_store_up == 1`, true},
		{"no such metric", `channellink_links_total`, false},
		{"no such label", `channellink_links{user="x"}`, false},
		{"summed by what is not there", `sum by (user) (channellink_links)`, false},
		{"joined by what is not there", `channellink_ready and on (channel) channellink_store_up`, false},
		{"a histogram itself", `channellink_http_request_duration_seconds`, false},
		{"not PromQL", `sum by (channel) (`, false},
	} {
		if got := problems(known, c.query); (len(got) == 0) != c.good {
			t.Errorf("%s: %v", c.reason, got)
		}
	}
}

// inOneLine is a text without its line breaks and runs of blanks.
func inOneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
