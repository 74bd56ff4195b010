package webhookserver_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"channellink.dev/operator/webhookserver/adminapi"
)

// C87: however many hosts, paths, methods and headers are made up, the number of series stays the same.
func TestSeriesDoNotGrow(t *testing.T) {
	w := newWorld(t)
	w.untilReady(t)
	w.untilStatus(t, "counted links", func(s adminapi.Status) bool { return s.Links != nil })
	probe := func(round int) {
		for _, base := range []string{w.Public, w.Ops, w.Admin} {
			for _, host := range []string{visionHost, fmt.Sprintf("h%d.example", round)} {
				for _, method := range []string{"GET", "POST", fmt.Sprintf("M%d", round)} {
					do(t, method, fmt.Sprintf("%s/hr/U%d?code=%d", base, round, round), func(r *http.Request) {
						r.Host = host
						r.Header.Set("Authorization", fmt.Sprintf("Bearer %d", round))
						r.Header.Set("User-Agent", fmt.Sprint(round))
					})
				}
				do(t, "GET", base+adminapi.StatusPath, func(r *http.Request) { r.Header.Set("Authorization", fmt.Sprintf("Bearer %d", round)) })
			}
		}
	}
	series := func() []string {
		a := do(t, http.MethodGet, w.Ops+"/metrics", nil)
		var names []string
		for line := range strings.Lines(a.Body) {
			if strings.HasPrefix(line, "channellink_") {
				names = append(names, line[:strings.LastIndexByte(line, ' ')])
			}
		}
		return names
	}
	probe(0)
	series() // the scrape is a request, too
	before := series()
	for round := range 50 {
		probe(round + 1)
	}
	if after := series(); len(after) != len(before) {
		t.Errorf("%d series became %d:\n%s", len(before), len(after), strings.Join(after, "\n"))
	}
}

// C65: what the metrics say of a secret is whether it is there.
func TestMetricsTellTheState(t *testing.T) {
	w := newWorld(t, without(fieldChannelSecret))
	w.untilStatus(t, "an issuer and a store", func(s adminapi.Status) bool {
		return s.Issuer.State == adminapi.IssuerDiscovered && s.Store.State == adminapi.StoreOpen
	})
	text := do(t, http.MethodGet, w.Ops+"/metrics", nil).Body
	for _, line := range []string{
		`channellink_build_info{goversion="go`,
		`channellink_ready 0`,
		`channellink_store_up 1`,
		`channellink_reference_state{channel="vision-hr",field="line.channelSecretRef",state="Missing"} 1`,
		`channellink_reference_state{channel="vision-hr",field="line.channelSecretRef",state="Present"} 0`,
		`channellink_reference_state{channel="vision-hr",field="oidc.clientSecretRef",state="Present"} 1`,
		`channellink_issuer_state{channel="vision-hr",state="Discovered"} 1`,
		`channellink_issuer_metadata_age_seconds{channel="vision-hr"} `,
		`channellink_http_requests_total{code="200",method="GET",port="admin",route="GET /admin/v1/status"} `,
		`process_resident_memory_bytes `,
		`go_goroutines `,
	} {
		if !strings.Contains(text, "\n"+line) {
			t.Errorf("no line begins with %s", line)
		}
	}
	if strings.Contains(text, canary) {
		t.Error("a secret is in the metrics")
	}
}
