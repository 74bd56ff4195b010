package pgtest

import (
	"context"
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"
)

// Weather is what a [Proxy] does to what a store sends.
type Weather struct {
	// Hang swallows it: the database accepts, and then says nothing.
	Hang bool
	// Latency is how long each piece takes to the database.
	Latency time.Duration
	// Reset breaks every connection off, old and new ones, as a router does that has forgotten them.
	Reset bool
}

// Proxy stands between a store and its server, on TCP, and plays the network in bad weather. It starts in a good one.
type Proxy struct {
	address string
	socket  string

	mu      sync.Mutex
	weather Weather
	conns   map[*net.TCPConn]bool
	changed chan struct{} // closed when the weather changes
}

// NewProxy starts a proxy of the server. It ends with the test.
func (s *Server) NewProxy(tb testing.TB) *Proxy {
	tb.Helper()
	listener, err := new(net.ListenConfig).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	p := &Proxy{
		address: listener.Addr().String(), socket: s.Socket(),
		conns: map[*net.TCPConn]bool{}, changed: make(chan struct{}),
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			running.Go(func() { p.serve(client.(*net.TCPConn)) })
		}
	})
	tb.Cleanup(func() {
		_ = listener.Close()
		p.Set(Weather{Reset: true})
		running.Wait()
	})
	return p
}

// DSN returns the connection string of a database behind the proxy.
func (p *Proxy) DSN(database string) string {
	return (&url.URL{
		Scheme: "postgres", User: url.User("postgres"), Host: p.address, Path: "/" + database, RawQuery: "sslmode=disable",
	}).String()
}

// Set changes the weather, for connections that are open too.
func (p *Proxy) Set(w Weather) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.weather = w
	close(p.changed)
	p.changed = make(chan struct{})
	if w.Reset {
		for conn := range p.conns {
			reset(conn)
		}
	}
}

// reset closes a connection with RST instead of FIN.
func reset(conn *net.TCPConn) {
	_ = conn.SetLinger(0)
	_ = conn.Close()
}

// enter notes a connection, unless it is to be broken off.
func (p *Proxy) enter(client *net.TCPConn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.weather.Reset {
		reset(client)
		return false
	}
	p.conns[client] = true
	return true
}

func (p *Proxy) leave(client *net.TCPConn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, client)
	_ = client.Close()
}

func (p *Proxy) serve(client *net.TCPConn) {
	if !p.enter(client) {
		return
	}
	defer p.leave(client)
	server, err := new(net.Dialer).DialContext(context.Background(), "unix", p.socket)
	if err != nil {
		return
	}
	var answers sync.WaitGroup
	answers.Go(func() {
		_, _ = io.Copy(client, server)
		_ = client.Close()
	})
	defer answers.Wait()
	defer func() { _ = server.Close() }()
	buffer := make([]byte, 32<<10)
	for {
		n, err := client.Read(buffer)
		if err != nil {
			return
		}
		if !p.passes() {
			continue
		}
		if _, err := server.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// passes waits as the weather has it and reports whether a piece arrives. A change of the weather ends the wait.
func (p *Proxy) passes() bool {
	p.mu.Lock()
	weather, changed := p.weather, p.changed
	p.mu.Unlock()
	if weather.Latency > 0 {
		select {
		case <-time.After(weather.Latency):
		case <-changed:
		}
	}
	return !weather.Hang
}
