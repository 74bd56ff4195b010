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
	"flag"
	"io"
	"log/slog"
	"net"
	"time"

	"channellink.dev/operator/internal/chatsim/wire"
	"channellink.dev/operator/internal/program"
	"channellink.dev/operator/internal/samplehr"
)

func main() { program.Main("samplehr", run) }

func run(ctx context.Context, args []string, out io.Writer) error {
	address, file, err := program.Arguments(flag.NewFlagSet("samplehr", flag.ContinueOnError), args, "127.0.0.1:8092")
	if err != nil {
		return err
	}
	config, err := program.ReadFile(file, samplehr.ReadConfig)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewJSONHandler(out, nil))
	reporter := wire.New("samplehr", config.Simulator)
	go reporter.Run(ctx)
	service := samplehr.New(config, samplehr.Options{Now: time.Now, Log: log, Wire: reporter})
	return program.Serve(ctx, address, service.Handler(), func(at net.Addr) { log.Info("serving", "address", at.String()) })
}
