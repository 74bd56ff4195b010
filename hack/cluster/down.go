package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
)

// down stops the cluster and removes what it left on the machine; the binaries
// and images stay.
func (c *cluster) down(ctx context.Context) error {
	switch c.kind {
	case kindest:
		return c.downKind(ctx)
	case current:
		c.say("CLUSTER=current: nothing to stop; the cluster is not this program's")
		return nil
	case own:
	}
	if !c.hasHost() {
		c.say("there is no cluster to stop")
		return c.removeState()
	}
	if os.Geteuid() != 0 {
		return errors.New("the own cluster was started by root: stop it as root")
	}
	steps := []step{
		// Whoever would bring a container back goes first, and nobody's server
		// goes before its clients.
		{"stop the node", func(context.Context) error { return c.stopAll("agent", "kubelet", "kube-proxy") }},
		{"remove the containers", c.removeContainers},
		{"stop the controllers", func(context.Context) error {
			return c.stopAll("containerd", "kube-controller-manager", "kube-scheduler")
		}},
		{"stop the API server", func(context.Context) error { return c.stopAll("kube-apiserver") }},
		{"stop the rest", func(context.Context) error { return c.stopAll(c.names()...) }},
		{"kill what containerd left", func(context.Context) error { return c.killShims() }},
		{"unmount", func(context.Context) error { return c.unmount() }},
		{"take back the network", c.removeNetwork},
		{"restore the kernel's settings", func(context.Context) error { return c.restoreSysctls() }},
		{"remove cgroups", func(context.Context) error { return removeCgroups() }},
		{"remove stray files", func(context.Context) error { return c.removeStrayFiles() }},
	}
	var failed []error
	for _, s := range steps {
		if err := s.run(ctx); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", s.name, err))
		}
	}
	if err := errors.Join(failed...); err != nil {
		return err // with the state, so that a second down can go on
	}
	if err := c.removeState(); err != nil {
		return err
	}
	c.say("down")
	return nil
}

// stopAll stops these processes side by side.
func (c *cluster) stopAll(names ...string) error {
	failed := make([]error, len(names))
	var stopping sync.WaitGroup
	for i, name := range names {
		stopping.Go(func() { failed[i] = c.stop(name) })
	}
	stopping.Wait()
	return errors.Join(failed...)
}

// removeState deletes everything below the state folder but what was built. It
// refuses while something is mounted there, which may be anybody's data.
func (c *cluster) removeState() error {
	points, err := c.mounts()
	if err != nil {
		return err
	}
	if len(points) > 0 {
		return fmt.Errorf("still mounted: %s", strings.Join(points, " "))
	}
	for _, name := range []string{"etcd", "pki", "kubelet", "containerd", "run", "log", "volumes", "kubeconfig"} {
		if err := os.RemoveAll(c.path(name)); err != nil {
			return err
		}
	}
	return nil
}
