//go:build bench

package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/desired"
	"channellink.dev/operator/webhookserver/adminapi"
	"channellink.dev/operator/webhookserver/authorize/issuer/issuertest"
	"channellink.dev/operator/webhookserver/config"
	"channellink.dev/operator/webhookserver/secretfile/secretfiletest"
)

// rest is how long a server is watched that nobody calls.
const rest = 5 * time.Second

// serverRun is one start of the server, on an empty SQLite store.
type serverRun struct {
	ready          time.Duration // from the start of the process until /readyz says 200
	resident, peak int64         // at the end of rest, and the most until then
	anonymous      int64         // the part of resident that is not the program's file
	cpu            time.Duration // of the start and the rest
}

func TestServerAtRest(t *testing.T) {
	bin := compile(t, "channellink.dev/operator/cmd/webhookserver")
	var runs []serverRun
	for round := range *rounds {
		t.Run(fmt.Sprint("round ", round+1), func(t *testing.T) {
			runs = append(runs, measureServer(t, filepath.Join(bin, "webhookserver")))
		})
	}
	if len(runs) < *rounds {
		return // the failure is told
	}

	table := newTable(t, fmt.Sprintf("A server with one channel on SQLite that nobody calls; %d starts", *rounds))
	table.row("", "server", "gate")
	ready := collect(runs, func(r serverRun) time.Duration { return r.ready })
	table.row("ready after (median)", ready[len(ready)/2].Round(time.Millisecond),
		table.gate("ready", ready[len(ready)/2] <= maxServerReady, fmt.Sprint("≤ ", maxServerReady)))
	resident := collect(runs, func(r serverRun) int64 { return r.resident })
	most := resident[len(resident)-1]
	table.row("resident (most)", megabytes(most), table.gate("memory", most <= maxServerResident, "≤ "+megabytes(maxServerResident)))
	anonymous := collect(runs, func(r serverRun) int64 { return r.anonymous })
	most = anonymous[len(anonymous)-1]
	table.row("  without the pages of the program's file", megabytes(most),
		table.gate("memory of its own", most <= maxServerAnonymous, "≤ "+megabytes(maxServerAnonymous)))
	peak := collect(runs, func(r serverRun) int64 { return r.peak })
	table.row("resident, at its peak (most)", megabytes(peak[len(peak)-1]))
	cpu := collect(runs, func(r serverRun) time.Duration { return r.cpu })
	table.row(fmt.Sprintf("CPU of the start and %v (median)", rest), cpu[len(cpu)/2])
	table.print()
}

func measureServer(t *testing.T, program string) serverRun {
	t.Helper()
	issuer := issuertest.New(t)
	link := channelLink(0)
	link.UID = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"
	link.Spec.OIDC.IssuerURL = v1alpha1.URL(issuer.URL)
	settings, err := desired.Settings(desired.Input{
		Link: link, Operator: desired.Operator{Network: config.Network{AllowLocal: true}},
	})
	if err != nil {
		t.Fatal(err)
	}
	references := secretfiletest.NewVolume(t, map[string]string{"channel-secret": "5f4dcc3b5aa765d61d8327deb882cf99\n"})
	settings.Channels[0].LINE.ChannelSecret.Path = references.Path("channel-secret")
	settings.Store.SQLite.Dir = t.TempDir()
	file, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := adminapi.MarshalKeys(adminapi.KeySet{})
	if err != nil {
		t.Fatal(err)
	}
	mounted := secretfiletest.NewVolume(t, map[string]string{
		config.SettingsFile: string(file), config.OperatorKeysFile: string(keys),
	})

	ops := freeAddress(t)
	server := start(t, nil, program, "--settings-dir="+mounted.Dir, "--ready-drain=0s",
		"--public-address=127.0.0.1:0", "--admin-address=127.0.0.1:0", "--ops-address="+ops)
	var r serverRun
	if err := wait.PollUntilContextTimeout(t.Context(), time.Millisecond, patience, true, func(ctx context.Context) (bool, error) {
		return isReady(ctx, ops), nil
	}); err != nil {
		t.Fatalf("the server does not become ready: %v", err)
	}
	r.ready = time.Since(server.started)

	quiet, cancel := context.WithTimeout(t.Context(), rest)
	defer cancel()
	_ = wait.PollUntilContextCancel(quiet, rest/10, false, func(context.Context) (bool, error) {
		r.resident, r.peak = server.memory(t)
		r.anonymous = server.anonymous(t)
		return false, nil
	}) // it ends with the time
	r.cpu = server.cpu(t)
	if issuer.Hits()[issuertest.JWKSPath] == 0 {
		t.Error("the server has not asked the issuer, so it was not at its work")
	}
	return r
}

func isReady(ctx context.Context, ops string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+ops+"/readyz", nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	_ = resp.Body.Close() // nothing in it matters
	return resp.StatusCode == http.StatusOK
}
