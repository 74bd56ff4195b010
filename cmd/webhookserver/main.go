// Command webhookserver serves the channels of a settings directory, as the operator mounts it. `webhookserver links` works on
// the links of the server beside which it runs.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"channellink.dev/operator/webhookserver"
	"channellink.dev/operator/webhookserver/config"
	"channellink.dev/operator/webhookserver/linkscmd"
)

// version is set by the linker.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "webhookserver:", err)
		os.Exit(1)
	}
}

type options struct {
	settingsDir        string
	settingsHash       string
	public, ops, admin string
	readyDrain         time.Duration
	version            bool
}

func parse(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("webhookserver", flag.ContinueOnError)
	flags.StringVar(&o.settingsDir, "settings-dir", config.SettingsDir,
		"directory with "+config.SettingsFile+" and "+config.OperatorKeysFile)
	flags.StringVar(&o.settingsHash, "settings-hash", "",
		"SHA-256 of the settings to run with, in hex; the server waits until they are mounted")
	flags.StringVar(&o.public, "public-address", fmt.Sprintf(":%d", config.PublicPort), "listen address of the public port")
	flags.StringVar(&o.ops, "ops-address", fmt.Sprintf(":%d", config.OpsPort), "listen address of health, readiness and metrics")
	flags.StringVar(&o.admin, "admin-address", fmt.Sprintf(":%d", config.AdminPort), "listen address of the admin API")
	flags.DurationVar(&o.readyDrain, "ready-drain", webhookserver.DefaultReadyDrain,
		"how long to go on serving after SIGTERM, until the cluster sends nothing more")
	flags.BoolVar(&o.version, "version", false, "print the version and exit")
	if err := flags.Parse(args); err != nil {
		return options{}, err
	}
	if flags.NArg() > 0 {
		return options{}, fmt.Errorf("unknown argument %q", flags.Arg(0))
	}
	return o, nil
}

func run(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) error {
	if len(args) > 0 && args[0] == "links" {
		return linkscmd.Run(ctx, args[1:], linkscmd.Env{In: in, Out: out, Err: errOut, Now: time.Now})
	}
	o, err := parse(args)
	if err != nil {
		return err
	}
	if o.version {
		_, err := fmt.Fprintln(out, version)
		return err
	}
	early, err := logger(out, "")
	if err != nil {
		return err
	}
	data, hash, err := readSettings(ctx, filepath.Join(o.settingsDir, config.SettingsFile), o.settingsHash, early)
	if err != nil {
		return err
	}
	settings, err := config.Parse(data)
	if err != nil {
		return err
	}
	settings.Network.Deny = append(settings.Network.Deny, apiServer(os.Getenv)...)
	log, err := logger(out, settings.LogLevel)
	if err != nil {
		return err
	}
	traces, stopTraces, err := traces(os.Getenv, log)
	if err != nil {
		return err
	}
	defer stopTraces()
	server, err := webhookserver.New(webhookserver.Config{
		Settings:         settings,
		SettingsHash:     hash,
		OperatorKeysPath: filepath.Join(o.settingsDir, config.OperatorKeysFile),
		Version:          version,
		Now:              time.Now,
		Log:              log,
		Traces:           traces,
	})
	if err != nil {
		return err
	}
	listeners, err := listen(ctx, o)
	if err != nil {
		return err
	}
	return server.Serve(ctx, listeners, o.readyDrain)
}

func logger(out io.Writer, level string) (*slog.Logger, error) {
	var l slog.Level
	if level != "" {
		if err := l.UnmarshalText([]byte(level)); err != nil {
			return nil, fmt.Errorf("settings: logLevel: %w", err)
		}
	}
	return slog.New(slog.NewJSONHandler(out, &slog.HandlerOptions{Level: l})), nil
}

func listen(ctx context.Context, o options) (webhookserver.Listeners, error) {
	var l webhookserver.Listeners
	for _, port := range []struct {
		address  string
		listener *net.Listener
	}{{o.public, &l.Public}, {o.ops, &l.Ops}, {o.admin, &l.Admin}} {
		opened, err := new(net.ListenConfig).Listen(ctx, "tcp", port.address)
		if err != nil {
			return webhookserver.Listeners{}, err
		}
		*port.listener = opened
	}
	return l, nil
}
