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
	"flag"
	"io"
	"log/slog"
	"net"
	"os"
	"time"

	"channellink.dev/operator/internal/chatsim"
	"channellink.dev/operator/internal/program"
)

// serviceAccount is where the kubelet mounts a pod's token.
const serviceAccount = "/var/run/secrets/kubernetes.io/serviceaccount"

func main() { program.Main("chatsim", run) }

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("chatsim", flag.ContinueOnError)
	inCluster := flags.Bool("kubernetes", false, "show the ChannelLinks of the cluster that this runs in, with the pod's service account")
	address, file, err := program.Arguments(flags, args, "127.0.0.1:8090")
	if err != nil {
		return err
	}
	config, err := program.ReadFile(file, chatsim.ReadConfig)
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
	log := slog.New(slog.NewJSONHandler(out, nil))
	return program.Serve(ctx, address, simulator, func(at net.Addr) { log.Info("serving", "address", at.String(), "url", config.URL) })
}
