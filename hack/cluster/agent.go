package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strconv"
	"sync"
)

// upAgent starts this program's own long-running part.
func (c *cluster) upAgent(ctx context.Context) error {
	// The ports are in the agent's environment; a file of them makes it restart
	// when they change.
	ports, err := c.write("${CLUSTER_PORT} ${CLUSTER_TLS_PORT}\n", 0o644, "run", "agent.ports")
	if err != nil {
		return err
	}
	return c.ensure(ctx, process{
		name:  "agent",
		path:  c.bin("cluster"),
		args:  []string{"agent"},
		files: []string{ports, c.cert("agent")},
		ready: func(ctx context.Context) error { return listening(ctx, loopback(c.port)) },
	})
}

// agent does what needs a process on the node: it answers on the ingress's ports
// and makes and wipes volumes.
func (c *cluster) agent(ctx context.Context) error {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	client, err := c.client("agent")
	if err != nil {
		return err
	}
	provisioner := &provisioner{
		api:  &api{base: apiURL, client: client},
		dir:  c.path("volumes"),
		node: nodeName,
		log:  log,
	}
	var listeners []net.Listener
	for _, port := range []int{c.port, c.tlsPort} {
		listener, err := net.Listen("tcp", loopback(port))
		if err != nil {
			return fmt.Errorf("the ingress's port is taken: %w", err)
		}
		listeners = append(listeners, listener)
		// A browser may try ::1 first; not every machine has it.
		if listener, err := net.Listen("tcp", net.JoinHostPort("::1", strconv.Itoa(port))); err == nil {
			listeners = append(listeners, listener)
		}
	}
	var running sync.WaitGroup
	for _, listener := range listeners {
		_, port, _ := net.SplitHostPort(listener.Addr().String()) // a listener's address has a port
		context.AfterFunc(ctx, func() { _ = listener.Close() })
		running.Go(func() { forward(listener, net.JoinHostPort(ingressIP, port), log) })
	}
	running.Go(func() { provisioner.watchClaims(ctx) })
	running.Go(func() { provisioner.watchVolumes(ctx) })
	running.Wait()
	return nil
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// forward joins each accepted connection with one to the target, until the
// listener is closed.
func forward(listener net.Listener, target string, log *slog.Logger) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer func() { _ = conn.Close() }()
			upstream, err := net.Dial("tcp", target)
			if err != nil {
				log.Warn("ingress does not answer", "err", err)
				return
			}
			defer func() { _ = upstream.Close() }()
			join(conn, upstream)
		}()
	}
}

// join copies both ways and hands on each side's end of data, so that a client
// that has finished sending still gets its answer.
func join(a, b net.Conn) {
	var both sync.WaitGroup
	for _, pair := range [][2]net.Conn{{a, b}, {b, a}} {
		both.Go(func() {
			_, _ = io.Copy(pair[0], pair[1]) // either side may hang up at any time
			if half, ok := pair[0].(interface{ CloseWrite() error }); ok {
				_ = half.CloseWrite()
			}
		})
	}
	both.Wait()
}
