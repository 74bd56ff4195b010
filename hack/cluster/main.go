// Command cluster runs a real, single-node Kubernetes on this machine for the
// tests and the demo: no container engine, no image registry, no download but
// Go modules and Debian packages.
//
//	go run . build [--only=assets]   compile whatever binary is missing or whose pin changed
//	go run . up                      start it, or whatever part of it does not run
//	go run . load TAR...             give it container images
//	go run . apply FILE...           kubectl apply, after ${CLUSTER_PORT} and the like are filled in
//	go run . status                  what runs, and where
//	go run . down                    stop it and remove every trace but the binaries
//
// Environment:
//
//	CLUSTER           own (default), kind, or current (the kubeconfig that is there)
//	CLUSTER_PORT      loopback port of the ingress, inside and outside (default 8080)
//	CLUSTER_TLS_PORT  the same for TLS with a self-signed certificate (default 8443)
//
// State lives in .cluster of the repository; .cluster/kubeconfig is the
// administrator's, whichever kind of cluster it is.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

const usage = `usage: cluster build [--only=assets] | up | load TAR... | apply FILE... | status | down`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errors.New(usage)
	}
	verb, rest := args[0], args[1:]
	c, err := newCluster(os.Getenv)
	if err != nil {
		return err
	}
	if verb == "agent" { // started by up, never by hand
		return c.agent(ctx)
	}
	if verb != "status" {
		unlock, err := c.lock()
		if err != nil {
			return err
		}
		defer unlock()
	}
	switch verb {
	case "build":
		return c.build(ctx, rest)
	case "up":
		return c.up(ctx)
	case "load":
		return c.load(ctx, rest)
	case "apply":
		return c.applyFiles(ctx, rest)
	case "status":
		return c.status(ctx)
	case "down":
		return c.down(ctx)
	}
	return fmt.Errorf("unknown verb %q; %s", verb, usage)
}
