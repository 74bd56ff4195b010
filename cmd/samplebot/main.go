// Command samplebot is the bot that a company had before, for demos and tests: on Messenger and LINE, behind webhook.forwardTo
// of its ChannelLinks. The webhook of each channel is served at /NAME. It is configured by a file such as
//
//	{
//	  "channels": [{
//	    "name": "vision-messenger", "platform": "messenger", "secret": "app-secret", "accessToken": "page-access-token",
//	    "api": "https://graph.facebook.com/v25.0",
//	    "server": "http://vision-messenger.vision.svc", "serverToken": "token-of-the-bot-api"
//	  }],
//	  "leave": {"url": "http://samplehr.vision.svc/bot/leave", "key": "key-of-the-bot"}
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
	"channellink.dev/operator/internal/samplebot"
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
		fmt.Fprintln(os.Stderr, "samplebot:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("samplebot", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:8091", "listen address")
	file := flags.String("config", "", "JSON file, as samplebot.Config has it")
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
	reporter := wire.New("samplebot", config.Simulator)
	bot, err := samplebot.New(config, samplebot.Options{Log: log, Wire: reporter})
	if err != nil {
		return err
	}
	go reporter.Run(ctx)
	go bot.Run(ctx)
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", *listen)
	if err != nil {
		return err
	}
	log.Info("serving", "address", listener.Addr().String())
	return serve(ctx, listener, bot.Handler())
}

func readConfig(path string) (samplebot.Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return samplebot.Config{}, err
	}
	defer func() { _ = f.Close() }()
	return samplebot.ReadConfig(f)
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
