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
	"flag"
	"io"
	"log/slog"
	"net"

	"channellink.dev/operator/internal/chatsim/wire"
	"channellink.dev/operator/internal/program"
	"channellink.dev/operator/internal/samplebot"
)

func main() { program.Main("samplebot", run) }

func run(ctx context.Context, args []string, out io.Writer) error {
	address, file, err := program.Arguments(flag.NewFlagSet("samplebot", flag.ContinueOnError), args, "127.0.0.1:8091")
	if err != nil {
		return err
	}
	config, err := program.ReadFile(file, samplebot.ReadConfig)
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
	return program.Serve(ctx, address, bot.Handler(), func(at net.Addr) { log.Info("serving", "address", at.String()) })
}
