package main

import (
	"context"
	"fmt"
	"os"
	"strings"
)

// status prints what runs and where, on standard output.
func (c *cluster) status(ctx context.Context) error {
	if c.kind == own {
		for _, name := range c.names() {
			state := "stopped; run up"
			if record, alive := c.running(name); alive {
				state = fmt.Sprintf("running, pid %d", record.PID)
			}
			fmt.Printf("%-24s %s\n", name, state)
		}
	}
	if _, err := os.Stat(c.path("kubeconfig")); err != nil {
		fmt.Println("no cluster; run up")
		return nil
	}
	for _, query := range [][]string{
		{"version"},
		{"get", "nodes", "-o", "wide"},
		{"get", "pods", "--all-namespaces"},
		{"get", "ingresses,httproutes", "--all-namespaces"},
	} {
		out, err := c.kubectl(ctx, nil, query...)
		if err != nil {
			return err
		}
		fmt.Printf("\n%s\n", strings.TrimSpace(out))
	}
	fmt.Printf("\ningress      http://ANYTHING.localhost:%d  https://ANYTHING.localhost:%d (self-signed)\n", c.port, c.tlsPort)
	fmt.Printf("kubeconfig   %s\naudit log    %s\n", c.path("kubeconfig"), c.auditLog())
	return nil
}
