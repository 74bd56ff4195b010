package main

import (
	"context"
	_ "embed"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
)

var (
	//go:embed templates/containerd.toml
	containerdConfig string
	//go:embed templates/cni.json
	cniConfig string
)

// cniDirs are the places of the CNI plugins: Debian's, and everybody else's.
var cniDirs = []string{"/usr/lib/cni", "/opt/cni/bin"}

// maxSocketPath is what the kernel allows (unix(7)), less the final zero.
const maxSocketPath = 107

// containerd returns a container runtime of the cluster's own: its root, state
// and socket are below .cluster, so that another one on the machine is untouched.
func (c *cluster) containerd() (process, error) {
	if len(c.containerdSocket()) > maxSocketPath {
		return process{}, fmt.Errorf("%s is longer than the %d characters that a socket may have: move the repository nearer to the root",
			c.containerdSocket(), maxSocketPath)
	}
	binary, err := lookup("containerd")
	if err != nil {
		return process{}, err
	}
	plugins, err := firstWith("ptp", cniDirs)
	if err != nil {
		return process{}, err
	}
	config, err := c.write(strings.ReplaceAll(containerdConfig, "${CNI_BIN}", plugins), 0o644, "run", "containerd.toml")
	if err != nil {
		return process{}, err
	}
	if _, err := c.write(cniConfig, 0o644, "run", "cni", "10-channellink.conflist"); err != nil {
		return process{}, err
	}
	return process{
		name:  "containerd",
		path:  binary,
		args:  []string{"--config", config},
		files: []string{config},
		ready: func(ctx context.Context) error {
			_, err := c.ctr(ctx, "version")
			return err
		},
	}, nil
}

func (c *cluster) containerdSocket() string { return c.path("run", "containerd.sock") }

// ctr runs containerd's client in the namespace that the kubelet uses.
func (c *cluster) ctr(ctx context.Context, args ...string) (string, error) {
	binary, err := lookup("ctr")
	if err != nil {
		return "", err
	}
	return c.command(ctx, nil, binary, append([]string{"--address", c.containerdSocket(), "--namespace", "k8s.io"}, args...)...)
}

// lookup finds a system program, also where an ordinary user's PATH does not
// look.
func lookup(name string) (string, error) {
	dirs := append(filepath.SplitList(os.Getenv("PATH")), "/usr/local/sbin", "/usr/sbin", "/sbin")
	dir, err := firstWith(name, dirs)
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, name), nil
}

// firstWith returns the first folder that holds an executable of that name.
func firstWith(name string, dirs []string) (string, error) {
	for _, dir := range dirs {
		info, err := os.Stat(filepath.Join(dir, name))
		if err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return dir, nil
		}
	}
	return "", fmt.Errorf("no program %s in %s", name, strings.Join(dirs, ":"))
}

// listening reports whether something accepts connections there.
func listening(ctx context.Context, address string) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return conn.Close()
}
