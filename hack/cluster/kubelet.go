package main

import (
	"context"
	_ "embed"
)

//go:embed templates/kubelet.yaml
var kubeletConfig string

// kubelet returns the node agent.
func (c *cluster) kubelet() (process, error) {
	config, err := c.write(kubeletConfig, 0o644, "run", "kubelet.yaml")
	if err != nil {
		return process{}, err
	}
	kubeconfig := c.path("run", "kubelet.kubeconfig")
	return process{
		name: "kubelet",
		path: c.bin("kubelet"),
		args: []string{
			"--config=" + config,
			"--kubeconfig=" + kubeconfig,
			"--root-dir=" + c.path("kubelet"),
			"--hostname-override=" + nodeName,
			"--node-ip=" + nodeIP,
		},
		files: []string{config, kubeconfig},
		ready: func(ctx context.Context) error { return c.healthy(ctx, "admin", "http://127.0.0.1:10248/healthz") },
	}, nil
}
