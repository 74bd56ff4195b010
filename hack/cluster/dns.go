package main

import (
	"bufio"
	"net/netip"
	"os"
	"strings"
)

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
