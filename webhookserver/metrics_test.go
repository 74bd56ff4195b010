package webhookserver_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"channellink.dev/operator/webhookserver/adminapi"
)

// C87: however many users, codes, hosts, paths, methods and headers are made up, by strangers, by chat users or by those
// whose signature is good, the number of series stays the same.
func TestSeriesDoNotGrow(t *testing.T) {
	w, _, _ := servedWorld(t, nil, relayed, withBotAPI)
	w.untilStatus(t, "counted links", func(s adminapi.Status) bool { return s.Links != nil })
	series := func() (names []string) {
		a := do(t, http.MethodGet, w.Ops+"/metrics", nil)
		for line := range strings.Lines(a.Body) {
			if strings.HasPrefix(line, "channellink_") {
				names = append(names, line[:strings.LastIndexByte(line, ' ')])
			}
		}
		return names
	}
	w.strangers(t, 0)
	w.manyUsers(t, 0)
	series() // the scrape is a request, too
	before := series()
	for round := range 50 {
		w.strangers(t, round+1)
		w.manyUsers(t, round+1)
	}
	if diff := cmp.Diff(before, series()); diff != "" {
		t.Errorf("the series have changed (-before +after):\n%s", diff)
	}
}

// strangers send what nobody has asked for, on every port.
func (w *world) strangers(t *testing.T, round int) {
	t.Helper()
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

// manyUsers are calls in which all is as it should be, but for users, codes, names and ids that nobody knows.
func (w *world) manyUsers(t *testing.T, round int) {
	t.Helper()
	user, code := lineUserN(round), fmt.Sprintf("code-of-round-%d", round)
	call := moduleCall(user, "")
	expect := func(a answer, code int, what string) {
		t.Helper()
		if a.Code != code {
			t.Errorf("%s: %d, want %d", what, a.Code, code)
		}
	}
	expect(w.post(t, "/hr/services/leave-balance?k=urlkey", call, byBotBonnie(call)), http.StatusOK, "service")
	expect(w.post(t, fmt.Sprintf("/hr/services/s%d?k=urlkey", round), call, byBotBonnie(call)), http.StatusNotFound, "no such service")
	expect(w.post(t, "/hr/botbonnie/linked?k=urlkey", call, byBotBonnie(call)), http.StatusOK, "module linked")
	expect(w.post(t, "/hr/botbonnie/unlinked?k=urlkey", call, byBotBonnie(call)), http.StatusOK, "module unlinked")
	for _, event := range []string{
		fmt.Sprintf(`{"type":"accountLink","source":{"type":"user","userId":%q},"link":{"result":"ok","nonce":%q}}`, user, code),
		fmt.Sprintf(`{"type":"accountLink","link":{"result":"failed","nonce":%q}}`, code),
		fmt.Sprintf(`{"type":"accountLink","link":{"result":"r%d","nonce":%q}}`, round, code),
		fmt.Sprintf(`{"type":"t%d","source":{"type":"user","userId":%q}}`, round, user),
	} {
		body := fmt.Sprintf(`{"destination":"d%d","events":[%s]}`, round, event)
		expect(w.post(t, "/hr/webhook", body, byLINE(body)), http.StatusOK, body)
	}
	expect(w.asBot(t, http.MethodGet, "/hr/api/v1/users/"+user, ""), http.StatusOK, "look-up")
	expect(w.asBot(t, http.MethodDelete, "/hr/api/v1/users/"+user+"/link", ""), http.StatusNoContent, "unlinking")
	expect(w.introspect(t, "token="+code+"&user_id="+user), http.StatusOK, "introspection")
	expect(w.get(t, "/hr/authorize?userId="+user+"&pageId=507oftxz&carry=c&linkToken="+code), http.StatusFound, "login")
	expect(w.get(t, "/hr/callback?state="+code+"&code="+code), http.StatusBadRequest, "callback")
	expect(w.get(t, "/hr/consent/"+code), http.StatusGone, "consent")
	w.unlink(t, fmt.Sprintf("%08d-0000-4000-8000-000000000000", round), adminapi.Unlink{UserID: user})
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
