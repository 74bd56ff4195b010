package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"
)

//go:embed templates/masquerade.nft
var masquerade string

const (
	natTable   = "channellink-cluster"
	proxyTable = "kube-proxy"
)

// ensureNetwork gives the node its address, lets the kernel forward between
// pods, and lets pods reach what this machine reaches.
func (c *cluster) ensureNetwork(ctx context.Context) error {
	if err := c.takeHost(ctx); err != nil {
		return err
	}
	if err := os.WriteFile(sysctlFile("net/ipv4/ip_forward"), []byte("1"), 0o644); err != nil {
		return fmt.Errorf("allow forwarding: %w", err)
	}
	if !hasAddress(nodeIP) {
		if err := c.ip(ctx, "address", "add", nodeIP+"/32", "dev", "lo"); err != nil {
			return err
		}
	}
	// A machine with no default route would refuse a Service's address before
	// kube-proxy's rules see it.
	if err := c.ip(ctx, "route", "replace", serviceCIDR, "dev", "lo", "src", nodeIP); err != nil {
		return err
	}
	nft, err := lookup("nft")
	if err != nil {
		return err
	}
	_, err = c.command(ctx, strings.NewReader(c.fill(masquerade)), nft, "-f", "-")
	return err
}

// removeNetwork takes back what ensureNetwork, kube-proxy and the CNI plugins
// did.
func (c *cluster) removeNetwork(ctx context.Context) error {
	var failed []error
	for _, table := range [][2]string{{"ip", natTable}, {"ip", proxyTable}, {"ip6", proxyTable}} {
		failed = append(failed, c.removeTable(ctx, table[0], table[1]))
	}
	if hasAddress(nodeIP) {
		failed = append(failed,
			c.ip(ctx, "route", "flush", serviceCIDR),
			c.ip(ctx, "address", "del", nodeIP+"/32", "dev", "lo"))
	}
	failed = append(failed, c.removeLinks(ctx))
	return errors.Join(failed...)
}

func (c *cluster) removeTable(ctx context.Context, family, table string) error {
	nft, err := lookup("nft")
	if err != nil {
		return nil // no nft, no table
	}
	if _, err := c.command(ctx, nil, nft, "list", "table", family, table); err != nil {
		return nil // it is not there
	}
	_, err = c.command(ctx, nil, nft, "delete", "table", family, table)
	return err
}

// removeLinks deletes the pods' veth pairs that outlive their network
// namespaces. The kernel removes a pair with its namespace, a little later.
func (c *cluster) removeLinks(ctx context.Context) error {
	const grace = 2 * time.Second
	until(grace, func() bool { return len(linksWith(podGateway)) == 0 })
	var failed []error
	for _, link := range linksWith(podGateway) {
		if err := c.ip(ctx, "link", "delete", link); err != nil && len(linksWith(podGateway)) > 0 {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

func (c *cluster) ip(ctx context.Context, args ...string) error {
	binary, err := lookup("ip")
	if err != nil {
		return err
	}
	_, err = c.command(ctx, nil, binary, args...)
	return err
}

func hasAddress(ip string) bool { return len(linksWith(ip)) > 0 }

// linksWith returns the interfaces that have the address.
func linksWith(ip string) []string {
	links, err := net.Interfaces()
	if err != nil {
		return nil
	}
	var found []string
	for _, link := range links {
		addrs, err := link.Addrs()
		if err != nil {
			continue // it has just gone
		}
		for _, addr := range addrs {
			if prefix, ok := addr.(*net.IPNet); ok && prefix.IP.String() == ip {
				found = append(found, link.Name)
			}
		}
	}
	return found
}
