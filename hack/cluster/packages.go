package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// packages tells which Debian package brings which program that the node needs.
var packages = []struct {
	program string
	dirs    []string // where it is looked for; PATH when empty
	name    string
}{
	{program: "containerd", name: "containerd"},
	{program: "ctr", name: "containerd"},
	{program: "runc", name: "runc"},
	{program: "ptp", dirs: cniDirs, name: "containernetworking-plugins"},
	{program: "nft", name: "nftables"},
	{program: "ip", name: "iproute2"},
	{program: "mount", name: "mount"},
}

// missingPackages returns the packages whose programs are not there.
func missingPackages() []string {
	var missing []string
	for _, p := range packages {
		var err error
		if len(p.dirs) == 0 {
			_, err = lookup(p.program)
		} else {
			_, err = firstWith(p.program, p.dirs)
		}
		if err != nil {
			missing = append(missing, p.name)
		}
	}
	slices.Sort(missing)
	return slices.Compact(missing)
}

// ensurePackages installs what is missing, or says what is missing to somebody
// who may not install.
func (c *cluster) ensurePackages(ctx context.Context) error {
	missing := missingPackages()
	if os.Geteuid() != 0 {
		advice := "the own cluster needs root; run as root, or use CLUSTER=kind or CLUSTER=current"
		if len(missing) > 0 {
			advice += "; these Debian packages are missing: " + strings.Join(missing, " ")
		}
		return errors.New(advice)
	}
	if len(missing) == 0 {
		return nil
	}
	if _, err := lookup("apt-get"); err != nil {
		return fmt.Errorf("these packages are missing, and there is no apt-get: %s", strings.Join(missing, " "))
	}
	c.say("installing Debian packages: %s", strings.Join(missing, " "))
	install := append([]string{"install", "--yes", "--no-install-recommends"}, missing...)
	if err := c.aptGet(ctx, install...); err == nil {
		return nil
	}
	// A fresh machine or container has no package lists yet.
	if err := c.aptGet(ctx, "update"); err != nil {
		return err
	}
	return c.aptGet(ctx, install...)
}

func (c *cluster) aptGet(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, "apt-get", append([]string{"-qq"}, args...)...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("apt-get %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}
