package monitoring

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
)

// variables stand in the queries of a dashboard for what Grafana puts there.
var variables = strings.NewReplacer("$__rate_interval", "5m", "$namespace", ".*", "$channel", ".*")

var labelValues = regexp.MustCompile(`^label_values\((.*), ([a-z]+)\)$`)

// Every query of the dashboard asks for what a scrape has.
func TestDashboard(t *testing.T) {
	data, err := os.ReadFile(root + "config/monitoring/channellink.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		UID    string `json:"uid"`
		Panels []struct {
			ID      int    `json:"id"`
			Type    string `json:"type"`
			Title   string `json:"title"`
			Targets []struct {
				Expr string `json:"expr"`
			} `json:"targets"`
		} `json:"panels"`
		Templating struct {
			List []struct {
				Name       string `json:"name"`
				Type       string `json:"type"`
				Definition string `json:"definition"`
			} `json:"list"`
		} `json:"templating"`
	}
	if err := json.Unmarshal(data, &dashboard); err != nil {
		t.Fatal(err)
	}
	known := metrics(t)
	ids, queries := map[int]bool{}, 0
	for _, panel := range dashboard.Panels {
		if ids[panel.ID] {
			t.Errorf("two panels have the id %d", panel.ID)
		}
		ids[panel.ID] = true
		if panel.Type != "row" && len(panel.Targets) == 0 {
			t.Errorf("%s: no query", panel.Title)
		}
		for _, target := range panel.Targets {
			queries++
			checkQuery(t, known, panel.Title, variables.Replace(target.Expr))
		}
	}
	if dashboard.UID != "channellink" || queries == 0 {
		t.Errorf("uid %q with %d queries", dashboard.UID, queries)
	}
	for _, variable := range dashboard.Templating.List {
		if variable.Type != "query" {
			continue
		}
		parts := labelValues.FindStringSubmatch(variable.Definition)
		if parts == nil {
			t.Errorf("%s: %s", variable.Name, variable.Definition)
			continue
		}
		checkQuery(t, known, variable.Name, variables.Replace("sum by ("+parts[2]+") ("+parts[1]+")"))
	}
}
