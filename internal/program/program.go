// Package program is what the programs for demos and tests have in common: they read one configuration file, listen on one
// address, and serve until they are told to end. The operator and its servers, which owe their callers more, do not use it.
package program

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// Limits of a listener. A simulated platform delivers a webhook while the page of a linking waits, which takes up to 20 s.
const (
	headerTime   = 5 * time.Second
	writeTime    = 60 * time.Second
	shutdownTime = 5 * time.Second
)

// Run is a program without its process: it returns once ctx has ended and what it served is done. It logs to out.
type Run func(ctx context.Context, args []string, out io.Writer) error

// Main runs the program of this process until SIGTERM or SIGINT; a second signal ends it at once. When run fails, it says so
// on standard error and exits with 1.
func Main(name string, run Run) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	context.AfterFunc(ctx, stop)
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
}

// Arguments parses args with flags, to which it adds --listen and --config, and returns their values. The file must be given,
// and nothing but flags.
func Arguments(flags *flag.FlagSet, args []string, listen string) (address, file string, err error) {
	flags.StringVar(&address, "listen", listen, "listen address")
	flags.StringVar(&file, "config", "", "configuration, a JSON file")
	if err := flags.Parse(args); err != nil {
		return "", "", err
	}
	if file == "" || flags.NArg() > 0 {
		return "", "", errors.New("want --config FILE and no argument")
	}
	return address, file, nil
}

// ReadFile reads a configuration from a file.
func ReadFile[T any](path string, read func(io.Reader) (T, error)) (T, error) {
	f, err := os.Open(path)
	if err != nil {
		return *new(T), err
	}
	defer func() { _ = f.Close() }()
	return read(f)
}

// Serve listens on the address, says so, and answers until ctx ends; calls that are under way then have 5 s to end.
func Serve(ctx context.Context, address string, handler http.Handler, listening func(net.Addr)) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	listening(listener.Addr())
	server := &http.Server{Handler: handler, ReadHeaderTimeout: headerTime, WriteTimeout: writeTime}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
	defer cancel()
	return server.Shutdown(closing)
}
