package main

import (
	"context"
	_ "embed"
)

//go:embed templates/kube-proxy.yaml
var kubeProxyConfig string

// kubeProxy returns what makes Services: nftables rules in tables of its own.
func (c *cluster) kubeProxy() (process, error) {
	config, err := c.write(kubeProxyConfig, 0o644, "run", "kube-proxy.yaml")
	if err != nil {
		return process{}, err
	}
	kubeconfig := c.path("run", "kube-proxy.kubeconfig")
	return process{
		name:  "kube-proxy",
		path:  c.bin("kube-proxy"),
		args:  []string{"--config=" + config},
		files: []string{config, kubeconfig},
		ready: func(ctx context.Context) error { return c.healthy(ctx, "admin", "http://127.0.0.1:10256/livez") },
	}, nil
}
