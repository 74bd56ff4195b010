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

	"github.com/spf13/pflag"

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
	err := plugin.Run(ctx, os.Args[1:], plugin.Env{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Now: time.Now})
	switch {
	case err == nil, errors.Is(err, pflag.ErrHelp):
		return
	case !errors.Is(err, plugin.ErrUnwell):
		fmt.Fprintln(os.Stderr, "kubectl channellink:", err)
	}
	os.Exit(1)
}
