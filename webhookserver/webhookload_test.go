package webhookserver_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"channellink.dev/operator/webhookserver/config"
)

// C47, C77: with no operator anywhere the platform's secret is changed ten times under load, by the documented steps: no
// event that the platform signed is refused. It signs with the new secret as soon as that is accepted here, and the former
// one is taken off after that.
func TestSecretRotationUnderLoad(t *testing.T) {
	w := newWorld(t, quiet)
	w.untilReady(t)
	var signed atomic.Pointer[[]byte]
	sign := func(secret string) {
		request := postOf(t, benchEvent, signedByLINE(secret, benchEvent))
		signed.Store(&request)
	}
	sign(lineSecret)
	events := &stream{dial: w.dialer(), rate: 300, senders: 8, next: func(int) []byte { return *signed.Load() }}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		events.run(ctx)
	}()
	until := func(secret string, want int) {
		t.Helper()
		eventually(t, func() error {
			if a := w.post(t, "/hr/webhook", benchEvent, signedByLINE(secret, benchEvent)); a.Code != want {
				return fmt.Errorf("%d, want %d", a.Code, want)
			}
			return nil
		})
	}
	old := lineSecret
	for round := range 10 {
		fresh := fmt.Sprintf("%s-fresh-%d", canary, round)
		w.mount(t, map[string]string{fieldChannelSecret: fresh + "\n" + old + "\n"})
		until(fresh, http.StatusOK)
		sign(fresh)
		under := events.answered()
		eventually(t, func() error { // what was signed with the former one has arrived
			if n := events.answered() - under; n <= events.senders {
				return fmt.Errorf("%d answered since", n)
			}
			return nil
		})
		w.mount(t, map[string]string{fieldChannelSecret: fresh + "\n"})
		until(old, http.StatusUnauthorized)
		old = fresh
	}
	stop()
	<-ended
	events.want(t, http.StatusOK, 100)
}

// C48: a thousand forgeries a second, from many addresses and in the name of ever new clients, are all refused; valid calls
// are answered as soon as before, and nothing is kept of who sent them.
func TestForgeriesBesideValidCalls(t *testing.T) {
	w := newWorld(t, quiet, func(_ *world, s *config.Settings) { s.Channels[0].TrustedProxyHops = 1 })
	w.untilReady(t)
	const grown = 10 << 20
	forged := string(postOf(t, benchEvent, byLINE(benchEvent+" ")))
	var clients, sources atomic.Int64
	_, port, err := net.SplitHostPort(strings.TrimPrefix(w.Public, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	flood := func() *stream {
		return &stream{
			rate: 1000 / slowdown, senders: 16,
			dial: func(ctx context.Context) (net.Conn, error) {
				source := &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(1+sources.Add(1)%250))}
				return (&net.Dialer{LocalAddr: source}).DialContext(ctx, "tcp", "127.0.0.1:"+port)
			},
			next: func(int) []byte {
				n := clients.Add(1)
				client := fmt.Sprintf("X-Forwarded-For: 10.%d.%d.%d\r\nContent-Length:", n>>16&255, n>>8&255, n&255)
				return []byte(strings.Replace(forged, "Content-Length:", client, 1))
			},
		}
	}
	before := heap()
	undisturbed(t, w, func(valid *stream) {
		bad := flood()
		during(t, 3*time.Second, valid, bad)
		bad.want(t, http.StatusUnauthorized, 2500/slowdown)
	})
	if after := heap(); after > before+grown {
		t.Errorf("%d forgeries left %d KiB behind", clients.Load(), (after-before)>>10)
	}
}

// C41: a thousand sockets that send half a header or half a body keep nobody waiting.
func TestSlowSocketsBesideValidCalls(t *testing.T) {
	w := newWorld(t, quiet)
	w.untilReady(t)
	undisturbed(t, w, func(valid *stream) {
		slow := make([]net.Conn, 0, 1000)
		for i := range cap(slow) {
			conn, err := w.dialer()(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			slow = append(slow, conn)
			said := "POST /hr/webhook HTTP/1.1\r\nHost: " + visionHost + "\r\nX-Line-Signature: "
			if i%2 == 0 {
				said += "x\r\nContent-Length: 1000\r\n\r\n{"
			}
			if _, err := conn.Write([]byte(said)); err != nil {
				t.Fatal(err)
			}
		}
		during(t, 3*time.Second, valid)
		for _, conn := range slow {
			_ = conn.Close()
		}
	})
}

// C40: two hundred bodies of nearly a megabyte each, none of which ends, take a bounded part of the memory; those for which
// there is no room are sent away, and calls as platforms send them are served beside them.
func TestManyLargeBodies(t *testing.T) {
	w := newWorld(t, quiet)
	w.untilReady(t)
	const (
		bodies = 200
		// most is the 16 MiB that large bodies may take together, twice while they grow, and what the collector has not
		// looked at yet.
		most = 48 << 20
	)
	head := []byte("POST /hr/webhook HTTP/1.1\r\nHost: " + visionHost + "\r\nX-Line-Signature: x\r\nContent-Length: 1000000\r\n\r\n")
	part := []byte(strings.Repeat("x", 900_000))
	before := heap()
	var turnedAway atomic.Int32
	var sent, over sync.WaitGroup
	done := make(chan struct{})
	for range bodies {
		sent.Add(1)
		over.Go(func() {
			conn, err := w.dialer()(t.Context())
			if err != nil {
				t.Error(err)
				sent.Done()
				return
			}
			defer func() { _ = conn.Close() }()
			_, _ = conn.Write(head)
			if _, err := conn.Write(part); err != nil {
				turnedAway.Add(1)
			}
			sent.Done()
			<-done
		})
	}
	sent.Wait()
	eventually(t, func() error { // the last of them have been read
		if turnedAway.Load() == 0 && !strings.Contains(do(t, http.MethodGet, w.Ops+"/metrics", nil).Body, "\nchannellink_bodies_without_room_total 1") {
			return fmt.Errorf("nobody was turned away")
		}
		return nil
	})
	if after := heap(); after > before+most {
		t.Errorf("%d MiB of heap for unverified bodies, want at most %d", (after-before)>>20, most>>20)
	}
	if a := w.post(t, "/hr/webhook", benchEvent, byLINE(benchEvent)); a.Code != http.StatusOK {
		t.Errorf("a valid call beside them: %d", a.Code)
	}
	close(done)
	over.Wait()
}

// heap is what is in use after a collection, in bytes.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
