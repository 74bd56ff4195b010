// Command chatsim plays LINE, Messenger and BotBonnie on one machine, for demos and tests. At / is a page where a person plays
// the chat users; below /sim is the API that tests drive it with. It is configured by a file such as
//
//	{
//	  "url": "http://chat.localhost:8090",
//	  "channels": [{
//	    "name": "hr", "kind": "line", "pageID": "507oftxz", "botUserID": "Ub000000000000000000000000000000f",
//	    "secret": "channel-secret", "accessToken": "channel-access-token",
//	    "botBonnie": {"botID": "bot-M-BOieOXZ", "apiToken": "api-token", "apiSecret": "api-secret"},
//	    "server": "http://hr.localhost:8080", "users": [{"name": "Bonnie Chen"}]
//	  }]
//	}
//
// The ChannelLink's endpoints are then: line.endpoints.api and botBonnie.endpoints.api the url itself,
// line.endpoints.accountLink below it /dialog/bot/accountLink, botBonnie.endpoints.redirect /account/link, and
// messenger.graphEndpoint /v25.0 with the url's host among messenger.redirectHosts.
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

	"channellink.dev/operator/internal/chatsim"
)

// serviceAccount is where the kubelet mounts a pod's token.
const serviceAccount = "/var/run/secrets/kubernetes.io/serviceaccount"

// Limits of the listener. A webhook is delivered while the page of a linking waits, which takes up to 20 s.
const (
	headerTime   = 5 * time.Second
	writeTime    = 60 * time.Second
	shutdownTime = 5 * time.Second
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	err := run(ctx, os.Args[1:], os.Stdout)
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "chatsim:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("chatsim", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:8090", "listen address")
	file := flags.String("config", "", "JSON file: url and channels, as chatsim.Config has them")
	inCluster := flags.Bool("kubernetes", false, "show the ChannelLinks of the cluster that this runs in, with the pod's service account")
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
	options := chatsim.Options{Now: time.Now}
	if *inCluster {
		if options.Resources, err = chatsim.InCluster(os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT"), serviceAccount); err != nil {
			return err
		}
	}
	simulator, err := chatsim.New(config, options)
	if err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", *listen)
	if err != nil {
		return err
	}
	slog.New(slog.NewJSONHandler(out, nil)).Info("serving", "address", listener.Addr().String(), "url", config.URL)
	return serve(ctx, listener, simulator)
}

func readConfig(path string) (chatsim.Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return chatsim.Config{}, err
	}
	defer func() { _ = f.Close() }()
	return chatsim.ReadConfig(f)
}

func serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
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
