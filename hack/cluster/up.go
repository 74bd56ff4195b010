package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"
)

// step is one line of what up does.
type step struct {
	name string
	run  func(context.Context) error
}

// up starts the cluster, or whatever part of it does not run. Every step looks
// at what is there before it acts.
func (c *cluster) up(ctx context.Context) error {
	began := time.Now()
	var steps []step
	switch c.kind {
	case own:
		steps = c.ownSteps()
	case kindest:
		steps = c.kindSteps()
	case current:
		return c.upCurrent(ctx)
	}
	for _, s := range steps {
		if err := s.run(ctx); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	c.say("up in %s; KUBECONFIG=%s; http://ANYTHING.localhost:%d reaches its Ingresses and HTTPRoutes",
		time.Since(began).Round(time.Second/10), c.path("kubeconfig"), c.port)
	return nil
}

func (c *cluster) ownSteps() []step {
	return []step{
		{"packages", c.ensurePackages},
		{"binaries", func(ctx context.Context) error { return c.ensureBuilt(ctx, targets) }},
		{"certificates", func(context.Context) error { return c.ensurePKI(time.Now()) }},
		{"kubeconfigs", func(context.Context) error { return c.ensureKubeconfigs() }},
		{"network", c.ensureNetwork},
		{"control plane", c.upControlPlane},
		{"node", c.upNode},
		{"images", c.loadOwnImages},
		{"workloads", c.applyWorkloads},
		{"agent", c.upAgent},
		{"readiness", c.awaitWorkloads},
	}
}

func (c *cluster) upControlPlane(ctx context.Context) error {
	if err := c.ensure(ctx, c.etcd()); err != nil {
		return err
	}
	api, err := c.apiServer()
	if err != nil {
		return err
	}
	for _, p := range []process{api, c.controllerManager(), c.scheduler()} {
		if err := c.ensure(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

func (c *cluster) upNode(ctx context.Context) error {
	if _, err := c.ensureResolvConf("/etc/resolv.conf"); err != nil {
		return err
	}
	for _, prepare := range []func() (process, error){c.containerd, c.kubelet, c.kubeProxy} {
		p, err := prepare()
		if err != nil {
			return err
		}
		if err := c.ensure(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

func (c *cluster) loadOwnImages(ctx context.Context) error {
	var files []string
	for _, t := range targets {
		if t.image {
			files = append(files, c.imageFile(t.name))
		}
	}
	return c.load(ctx, files)
}

// awaitWorkloads returns when pods can be scheduled, find each other by name, and
// are reached from outside.
func (c *cluster) awaitWorkloads(ctx context.Context) error {
	if c.kind == own {
		if _, err := c.kubectl(ctx, nil, "wait", "--for=condition=Ready", "node/"+nodeName, "--timeout=60s"); err != nil {
			return err
		}
	}
	for _, where := range []string{"kube-system/coredns", "traefik/traefik"} {
		namespace, name, _ := strings.Cut(where, "/")
		if _, err := c.kubectl(ctx, nil, "-n", namespace, "rollout", "status", "deployment/"+name, "--timeout=120s"); err != nil {
			return err
		}
	}
	_, err := c.kubectl(ctx, nil, "-n", "traefik", "wait", "--for=condition=Programmed", "gateway/channellink", "--timeout=60s")
	return err
}

// upCurrent checks that the cluster that is there answers, and puts its
// kubeconfig where everything else looks for it.
func (c *cluster) upCurrent(ctx context.Context) error {
	if err := c.ensureBuilt(ctx, targetsNamed("kubectl")); err != nil {
		return err
	}
	config, err := c.command(ctx, nil, c.bin("kubectl"), "config", "view", "--raw", "--minify", "--flatten")
	if err != nil {
		return fmt.Errorf("CLUSTER=current: %w", err)
	}
	if err := os.WriteFile(c.path("kubeconfig"), []byte(config), 0o600); err != nil {
		return err
	}
	if _, err := c.kubectl(ctx, nil, "get", "--raw", "/readyz"); err != nil {
		return fmt.Errorf("CLUSTER=current: the cluster of your kubeconfig does not answer: %w", err)
	}
	c.say("CLUSTER=current: using it as it is. Not provided: images, an ingress on port %d, *.localhost names in pods, an audit log", c.port)
	return nil
}
