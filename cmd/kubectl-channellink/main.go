// Command kubectl-channellink is `kubectl channellink`, a plugin of kubectl that looks after ChannelLinks: put it on the path.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/pflag"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"channellink.dev/operator/internal/plugin"
)

// version is set by the linker.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	if len(os.Args) == 2 && os.Args[1] == "version" {
		fmt.Println(version)
		return
	}
	log.SetLogger(logr.Discard()) // its client would complain after half a minute that nobody has
	err := plugin.Run(ctx, os.Args[1:], plugin.Env{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Now: time.Now})
	switch {
	case err == nil, errors.Is(err, pflag.ErrHelp):
		return
	case !errors.Is(err, plugin.ErrUnwell):
		fmt.Fprintln(os.Stderr, "kubectl channellink:", err)
	}
	os.Exit(1)
}
