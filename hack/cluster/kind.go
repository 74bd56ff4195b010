package main

import (
	"context"
	_ "embed"
	"errors"
	"strings"
)

//go:embed templates/kind.yaml
var kindConfig string

// kindSteps bring up the same names in a kind cluster: its own control plane,
// DNS server and volumes, and this program's ingress. It has no audit log.
func (c *cluster) kindSteps() []step {
	return []step{
		{"binaries", func(ctx context.Context) error {
			return c.ensureBuilt(ctx, targetsNamed("kubectl", "image", "dex", "traefik"))
		}},
		{"kind", c.createKind},
		{"images", func(ctx context.Context) error { return c.loadKind(ctx, []string{c.imageFile("traefik")}) }},
		{"workloads", c.applyWorkloads},
		{"readiness", c.awaitWorkloads},
	}
}

func (c *cluster) createKind(ctx context.Context) error {
	kind, err := lookup("kind")
	if err != nil {
		return errors.New("CLUSTER=kind needs kind and a container engine on this machine; there is no kind")
	}
	there, err := c.command(ctx, nil, kind, "get", "clusters")
	if err != nil {
		return err
	}
	if !strings.Contains("\n"+there, "\n"+nodeName+"\n") {
		c.say("creating the kind cluster %s", nodeName)
		config := strings.NewReader(c.fill(kindConfig))
		if _, err := c.command(ctx, config, kind, "create", "cluster", "--name", nodeName, "--config", "-", "--kubeconfig", c.path("kubeconfig")); err != nil {
			return err
		}
	}
	_, err = c.command(ctx, nil, kind, "export", "kubeconfig", "--name", nodeName, "--kubeconfig", c.path("kubeconfig"))
	return err
}

func (c *cluster) loadKind(ctx context.Context, files []string) error {
	kind, err := lookup("kind")
	if err != nil {
		return err
	}
	for _, file := range files {
		c.say("loading %s", file)
		if _, err := c.command(ctx, nil, kind, "load", "image-archive", file, "--name", nodeName); err != nil {
			return err
		}
	}
	return nil
}

func (c *cluster) downKind(ctx context.Context) error {
	kind, err := lookup("kind")
	if err != nil {
		return err
	}
	_, err = c.command(ctx, nil, kind, "delete", "cluster", "--name", nodeName, "--kubeconfig", c.path("kubeconfig"))
	return err
}
