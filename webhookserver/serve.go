package webhookserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// Listeners are the three ports. They are given open, so that a test can take any that is free.
type Listeners struct {
	Public, Ops, Admin net.Listener
}

// Serve answers on the three ports until ctx is done, and then stops without dropping a request: it says that it is not
// ready, goes on for readyDrain until the cluster has heard of it, takes no new connection, and ends the requests in flight.
// Serve may be called once. The error is nil after an orderly stop.
func (s *Server) Serve(ctx context.Context, l Listeners, readyDrain time.Duration) error {
	// The requests in flight need store and files to the end, so these stop last.
	work, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	var background sync.WaitGroup
	background.Go(func() { s.background(work) })
	defer background.Wait()
	defer stopWork()

	outer := s.httpServer(port{"public", s.servePublic, writeProblemPage}, maxPublicConns)
	admin := s.httpServer(port{"admin", muxed(mount(s.adminRoutes(), writeJSONProblem)), writeJSONProblem}, maxInnerConns)
	ops := s.httpServer(port{opsPort, muxed(mount(s.opsRoutes(), writeJSONProblem)), writeJSONProblem}, maxInnerConns)

	failed := make(chan error, 3)
	for server, listener := range map[*http.Server]net.Listener{outer: l.Public, admin: l.Admin, ops: l.Ops} {
		background.Go(func() {
			if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
				failed <- fmt.Errorf("serving %s: %w", listener.Addr(), err)
			}
		})
	}
	s.log.InfoContext(ctx, "serving", "version", s.version, "settings", s.settingsHash, "channels", len(s.channels),
		"public", l.Public.Addr().String(), "ops", l.Ops.Addr().String(), "admin", l.Admin.Addr().String(), "waitingFor", s.waitingFor())

	var failure error
	select {
	case failure = <-failed:
	case <-ctx.Done():
		s.draining.Store(true)
		s.log.Info("stopping", "readyDrain", readyDrain.String())
		select {
		case failure = <-failed:
		case <-time.After(readyDrain):
		}
	}
	return errors.Join(failure, stop(outer, admin), stop(ops))
}

// stop ends servers side by side, within shutdownTimeout.
func stop(servers ...*http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	errs := make([]error, len(servers))
	var all sync.WaitGroup
	for i, server := range servers {
		all.Go(func() {
			if err := server.Shutdown(ctx); err != nil {
				errs[i] = errors.Join(fmt.Errorf("requests cut off: %w", err), server.Close())
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

func (s *Server) httpServer(p port, maxConns int) *http.Server {
	limit := newConnLimit(maxConns, s.metrics.evicted.WithLabelValues(p.name).Inc)
	return &http.Server{
		Handler:           s.handler(p),
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout, // of the body, too; when that has ended a handler may take longer
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ConnState:         limit.hook,
		// OPTIONS * would be answered without our headers.
		DisableGeneralOptionsHandler: true,
		// What a client does wrong is of interest only to who looks for it.
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
}
