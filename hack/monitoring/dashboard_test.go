package monitoring

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
)

// variables stand in the queries of a dashboard for what Grafana puts there.
var variables = strings.NewReplacer("$__rate_interval", "5m", "$__range", "6h", "$namespace", ".*", "$channel", ".*")

var labelValues = regexp.MustCompile(`^label_values\((.*), ([a-z]+)\)$`)

// scrapeInterval is that of the monitors. Grafana takes a data source's own for $__rate_interval where a query has none, and a
// rate over a minute of half-minute scrapes has holes.
const scrapeInterval = "30s"

// dashboard is what the tests look at; that Grafana takes all of it, its schema says (`make dashboard`).
type dashboard struct {
	UID        string  `json:"uid"`
	Panels     []panel `json:"panels"`
	Templating struct {
		List []struct {
			Name  string `json:"name"`
			Type  string `json:"type"`
			Query any    `json:"query"`
		} `json:"list"`
	} `json:"templating"`
}

type panel struct {
	ID          int    `json:"id"`
	Type        string `json:"type"`
	Title       string `json:"title"`
	Description string `json:"description"`
	GridPos     struct {
		X, Y, W, H int
	} `json:"gridPos"`
	FieldConfig struct {
		Defaults struct {
			Unit    string `json:"unit"`
			NoValue string `json:"noValue"`
		} `json:"defaults"`
	} `json:"fieldConfig"`
	Targets []struct {
		Expr         string `json:"expr"`
		Interval     string `json:"interval"`
		LegendFormat string `json:"legendFormat"`
	} `json:"targets"`
}

func readDashboard(t *testing.T) dashboard {
	t.Helper()
	data, err := os.ReadFile(root + "config/monitoring/channellink.json")
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.Unmarshal(data, &d); err != nil {
		t.Fatal(err)
	}
	if d.UID != "channellink" || len(d.Panels) == 0 {
		t.Fatalf("uid %q with %d panels", d.UID, len(d.Panels))
	}
	return d
}

// Every query of the dashboard asks for what a scrape has.
func TestDashboard(t *testing.T) {
	d, known := readDashboard(t), metrics(t)
	for _, panel := range d.Panels {
		for _, target := range panel.Targets {
			checkQuery(t, known, panel.Title, variables.Replace(target.Expr))
			if target.Interval != scrapeInterval {
				t.Errorf("%s: interval %q, want %s", panel.Title, target.Interval, scrapeInterval)
			}
			for _, label := range regexp.MustCompile(`{{([a-z]+)}}`).FindAllStringSubmatch(target.LegendFormat, -1) {
				if !strings.Contains(target.Expr, label[1]) {
					t.Errorf("%s: the legend has %s, and %s does not", panel.Title, label[1], target.Expr)
				}
			}
		}
	}
	for _, variable := range d.Templating.List {
		if variable.Type != "query" {
			continue
		}
		query, _ := variable.Query.(map[string]any)
		text, _ := query["query"].(string)
		parts := labelValues.FindStringSubmatch(text)
		if parts == nil {
			t.Errorf("%s: %s", variable.Name, text)
			continue
		}
		checkQuery(t, known, variable.Name, variables.Replace("sum by ("+parts[2]+") ("+parts[1]+")"))
	}
}

// Every panel has its place, says what it shows and in what unit, and asks somebody.
func TestPanels(t *testing.T) {
	ids := map[int]bool{}
	taken := map[[2]int]string{} // what is at x and y of Grafana's grid
	for _, p := range readDashboard(t).Panels {
		if ids[p.ID] {
			t.Errorf("two panels have the id %d", p.ID)
		}
		ids[p.ID] = true
		if p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("%s does not fit the grid: %+v", p.Title, p.GridPos)
		}
		for x := range p.GridPos.W {
			for y := range p.GridPos.H {
				at := [2]int{p.GridPos.X + x, p.GridPos.Y + y}
				if other := taken[at]; other != "" {
					t.Fatalf("%s lies on %s", p.Title, other)
				}
				taken[at] = p.Title
			}
		}
		if p.Type == "row" {
			continue
		}
		if p.Description == "" {
			t.Errorf("%s: no description", p.Title)
		}
		if len(p.Targets) == 0 {
			t.Errorf("%s: no query", p.Title)
		}
		if p.Type != "table" && p.FieldConfig.Defaults.Unit == "" {
			t.Errorf("%s: no unit", p.Title)
		}
		for _, target := range p.Targets {
			if strings.HasSuffix(target.Expr, " > 0") && p.FieldConfig.Defaults.NoValue == "" {
				t.Errorf("%s: shows only what is not 0, and does not say what it means that there is nothing", p.Title)
			}
		}
	}
}
