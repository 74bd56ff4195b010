package webhookserver_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"channellink.dev/operator/webhookserver/config"
)

// withNeighbour is a world with two services, and the backend of each: leave-balance, which is in trouble, and payroll.
func withNeighbour(t *testing.T, trouble http.HandlerFunc) (w *world, ill, well *backend) {
	t.Helper()
	well = newBackend(t)
	payroll := config.Service{Name: "payroll", URL: well.at("/pay"), Audience: "pay", Timeout: config.Duration(5 * time.Second)}
	w, ill, kept := servedWorld(t, func(s *config.Service) {
		s.FallbackText, s.Timeout = "請稍後再試", config.Duration(5*time.Second)
	}, func(_ *world, s *config.Settings) { s.Channels[0].Services = append(s.Channels[0].Services, payroll) })
	kept.linkedSince(t, lineUser, time.Now().Add(-time.Hour))
	ill.set(trouble)
	return w, ill, well
}

// A backend that is down is left alone after a while; one that says no is not, since it says it to one user. The service
// beside it is served as ever.
func TestServiceBreaker(t *testing.T) {
	for _, c := range []struct {
		reason  string
		trouble http.HandlerFunc
		calls   int
	}{
		{"down", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }, 5},
		{"hangs up", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 5},
		{"knows nothing of this user", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }, 10},
		{"answers something else", answering(`{"days":14}`), 10},
	} {
		w, ill, _ := withNeighbour(t, c.trouble)
		for range 10 {
			if m := message(t, w.ask(t, "leave-balance", moduleCall(lineUser, ""))); m.Text != "請稍後再試" {
				t.Errorf("%s: %+v", c.reason, m)
			}
		}
		if n := len(ill.seen()); n != c.calls {
			t.Errorf("%s: the backend was called %d times, want %d", c.reason, n, c.calls)
		}
		if m := message(t, w.ask(t, "payroll", moduleCall(lineUser, ""))); m.Text != "還剩 14 天" {
			t.Errorf("%s: its neighbour: %+v", c.reason, m)
		}
	}
}

// A backend that hangs holds a bounded number of calls and none of its neighbour's; when it goes on, so do they.
func TestServiceHangs(t *testing.T) {
	const most, callers = 64, 100 // connections that one service has
	var hanging atomic.Int32
	release := make(chan struct{})
	w, _, _ := withNeighbour(t, func(w http.ResponseWriter, r *http.Request) {
		hanging.Add(1)
		<-release
		answering(`{"type":"text","text":"at last"}`)(w, r)
	})
	body := moduleCall(lineUser, "")
	request := requestBytes(t, "/hr/services/leave-balance?k=urlkey", body, byBotBonnie(body))
	var waiting []*caller
	for range callers {
		c := newCaller(t, w.Public, request)
		if _, err := c.conn.Write(request); err != nil {
			t.Fatal(err)
		}
		waiting = append(waiting, c)
	}
	eventually(t, func() error {
		if n := hanging.Load(); n != most {
			return fmt.Errorf("%d calls hang, want %d", n, most)
		}
		return nil
	})
	for range 5 {
		if m := message(t, w.ask(t, "payroll", body)); m.Text != "還剩 14 天" {
			t.Errorf("its neighbour: %+v", m)
		}
	}
	if n := hanging.Load(); n != most {
		t.Errorf("%d calls hang, want %d", n, most)
	}
	close(release)
	for _, c := range waiting {
		n, err := c.conn.Read(c.answer)
		if err != nil || !strings.Contains(string(c.answer[:n]), "at last") {
			t.Errorf("%q, %v", c.answer[:n], err)
		}
	}
}
