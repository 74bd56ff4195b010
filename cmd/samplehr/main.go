// Command samplehr is a company's leave service for demos and tests: it tells how many days are left to whom a ChannelLink
// server names in an identity assertion, or whom the company's bot names by the code of a linking. It is configured by a file
// such as
//
//	{
//	  "audience": "hr",
//	  "issuers": {"http://hr.localhost:8080": "vision-hr"},
//	  "botKey": "key-of-the-bot",
//	  "channels": {"vision-messenger": {"url": "http://vision-messenger.vision.svc/introspect", "token": "introspection-token"}},
//	  "days": {"j.dupont@vision.example": 12}
//	}
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"channellink.dev/operator/internal/chatsim/wire"
	"channellink.dev/operator/internal/samplehr"
)

// Limits of the listener.
const (
	headerTime   = 5 * time.Second
	shutdownTime = 5 * time.Second
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	err := run(ctx, os.Args[1:], os.Stdout)
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "samplehr:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("samplehr", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:8092", "listen address")
	file := flags.String("config", "", "JSON file, as samplehr.Config has it")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *file == "" || flags.NArg() > 0 {
		return errors.New("want --config FILE and no argument")
	}
	config, err := readConfig(*file)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewJSONHandler(out, nil))
	reporter := wire.New("samplehr", config.Simulator)
	go reporter.Run(ctx)
	service := samplehr.New(config, samplehr.Options{Now: time.Now, Log: log, Wire: reporter})
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", *listen)
	if err != nil {
		return err
	}
	log.Info("serving", "address", listener.Addr().String())
	return serve(ctx, listener, service.Handler())
}

func readConfig(path string) (samplehr.Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return samplehr.Config{}, err
	}
	defer func() { _ = f.Close() }()
	return samplehr.ReadConfig(f)
}

func serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: headerTime}
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
