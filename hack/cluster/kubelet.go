package main

import (
	"bufio"
	"context"
	_ "embed"
	"net/netip"
	"os"
	"strings"
)

var (
	//go:embed templates/kubelet.yaml
	kubeletConfig string
	//go:embed templates/kube-proxy.yaml
	kubeProxyConfig string
)

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

// ensureResolvConf writes the name servers that CoreDNS forwards to: those of
// this machine that a pod can reach. It reports whether there is any.
func (c *cluster) ensureResolvConf(hostFile string) (bool, error) {
	raw, err := os.ReadFile(hostFile)
	if err != nil && !os.IsNotExist(err) {
		return false, err
	}
	servers := nameServers(string(raw))
	var text strings.Builder
	for _, server := range servers {
		text.WriteString("nameserver " + server + "\n")
	}
	_, err = c.write(text.String(), 0o644, "run", "resolv.conf")
	return len(servers) > 0, err
}

// nameServers returns the servers of a resolv.conf without those on loopback
// addresses, which in a pod would be the pod itself.
func nameServers(resolvConf string) []string {
	var servers []string
	lines := bufio.NewScanner(strings.NewReader(resolvConf))
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 2 || fields[0] != "nameserver" {
			continue
		}
		if addr, err := netip.ParseAddr(fields[1]); err == nil && !addr.IsLoopback() {
			servers = append(servers, addr.String())
		}
	}
	return servers
}
