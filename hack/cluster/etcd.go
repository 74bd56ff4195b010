package main

import (
	"context"
	"fmt"
	"net/http"
)

const (
	etcdURL     = "https://127.0.0.1:2379"
	etcdPeerURL = "https://127.0.0.1:2380"
)

// etcd returns the API server's store. It asks for a client certificate, because
// whoever can write to it owns the cluster, and the node with it.
func (c *cluster) etcd() process {
	return process{
		name: "etcd",
		path: c.bin("etcd"),
		args: []string{
			"--name=channellink",
			"--data-dir=" + c.path("etcd"),
			"--listen-client-urls=" + etcdURL,
			"--advertise-client-urls=" + etcdURL,
			"--listen-peer-urls=" + etcdPeerURL,
			"--initial-advertise-peer-urls=" + etcdPeerURL,
			"--initial-cluster=channellink=" + etcdPeerURL,
			"--client-cert-auth", "--trusted-ca-file=" + c.cert("ca"),
			"--cert-file=" + c.cert("etcd"), "--key-file=" + c.key("etcd"),
			"--peer-client-cert-auth", "--peer-trusted-ca-file=" + c.cert("ca"),
			"--peer-cert-file=" + c.cert("etcd"), "--peer-key-file=" + c.key("etcd"),
			"--auto-compaction-mode=periodic", "--auto-compaction-retention=1h",
			"--log-level=warn",
		},
		files: []string{c.cert("etcd")},
		ready: func(ctx context.Context) error { return c.healthy(ctx, "etcd", etcdURL+"/health") },
	}
}

// healthy asks a URL as the given identity and wants 200.
func (c *cluster) healthy(ctx context.Context, name, url string) error {
	client, err := c.client(name)
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, response.Status)
	}
	return nil
}
