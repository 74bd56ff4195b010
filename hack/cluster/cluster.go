package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// The cluster's addresses. They are private to this machine: the node's lives on
// the loopback interface, pods hang on veth pairs, Services exist in nftables.
const (
	nodeName    = "channellink"
	nodeIP      = "10.200.0.1"
	podCIDR     = "10.244.0.0/24"
	podGateway  = "10.244.0.1"
	serviceCIDR = "10.96.0.0/16"
	apiIP       = "10.96.0.1" // the first of serviceCIDR, as the API server takes it
	dnsIP       = "10.96.0.10"
	ingressIP   = "10.96.0.80"
	apiURL      = "https://" + nodeIP + ":6443"
)

// kind says who provides the cluster.
type kind string

const (
	own     kind = "own"
	kindest kind = "kind"
	current kind = "current"
)

// cluster is the whole of the settings; every verb is a method of it.
type cluster struct {
	kind    kind
	root    string // of the repository
	dir     string // of the state, root/.cluster
	port    int    // of the ingress, HTTP
	tlsPort int    // of the ingress, HTTPS
	out     io.Writer
}

// newCluster reads the settings from the environment and finds the repository
// from the working directory or, for the agent, from the program's own place.
func newCluster(getenv func(string) string) (*cluster, error) {
	c := &cluster{kind: own, out: os.Stderr}
	if v := getenv("CLUSTER"); v != "" {
		c.kind = kind(v)
	}
	switch c.kind {
	case own, kindest, current:
	default:
		return nil, fmt.Errorf("CLUSTER=%s: want own, kind or current", c.kind)
	}
	var err error
	if c.port, err = port(getenv("CLUSTER_PORT"), 8080); err != nil {
		return nil, fmt.Errorf("CLUSTER_PORT: %w", err)
	}
	if c.tlsPort, err = port(getenv("CLUSTER_TLS_PORT"), 8443); err != nil {
		return nil, fmt.Errorf("CLUSTER_TLS_PORT: %w", err)
	}
	if c.port == c.tlsPort {
		return nil, fmt.Errorf("CLUSTER_PORT and CLUSTER_TLS_PORT are both %d", c.port)
	}
	if c.root, err = findRoot(); err != nil {
		return nil, err
	}
	c.dir = filepath.Join(c.root, ".cluster")
	return c, nil
}

func port(value string, otherwise int) (int, error) {
	if value == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 || n > 65535 {
		return 0, fmt.Errorf("%q is not a port", value)
	}
	return n, nil
}

// findRoot returns the nearest folder, from the working directory up, that holds
// this module at hack/cluster.
func findRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for at := dir; ; at = filepath.Dir(at) {
		if _, err := os.Stat(filepath.Join(at, "hack/cluster/go.mod")); err == nil {
			return at, nil
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("no hack/cluster/go.mod at or above %s: run this inside the repository", dir)
		}
	}
}

// path returns a path below the state folder.
func (c *cluster) path(elem ...string) string {
	return filepath.Join(append([]string{c.dir}, elem...)...)
}

// bin returns the path of a built binary.
func (c *cluster) bin(name string) string { return c.path("bin", name) }

// say tells the person at the terminal what happens.
func (c *cluster) say(format string, args ...any) {
	fmt.Fprintf(c.out, "cluster: "+format+"\n", args...)
}

// lock keeps two runs of this program from working on one state folder.
func (c *cluster) lock() (unlock func(), err error) {
	if err := os.MkdirAll(c.dir, 0o755); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(c.path("lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	fd := int(file.Fd())
	if err := syscall.Flock(fd, syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock %s: %w", file.Name(), err)
		}
		c.say("waiting for another run to end")
		if err := syscall.Flock(fd, syscall.LOCK_EX); err != nil {
			return nil, fmt.Errorf("lock %s: %w", file.Name(), err)
		}
	}
	return func() { _ = file.Close() }, nil
}

// command runs a program to its end and returns what it printed. The error holds
// what it complained about.
func (c *cluster) command(ctx context.Context, stdin io.Reader, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	var stdout, stderr strings.Builder
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("%s %s: %w: %s",
			filepath.Base(name), strings.Join(args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}

// kubectl runs kubectl as the administrator.
func (c *cluster) kubectl(ctx context.Context, stdin io.Reader, args ...string) (string, error) {
	global := []string{"--kubeconfig", c.path("kubeconfig"), "--cache-dir", c.path("run", "kubectl")}
	return c.command(ctx, stdin, c.bin("kubectl"), append(global, args...)...)
}

// fill replaces the ${NAME}s of a template. Only known names count, because a
// manifest may hold other dollar signs, such as a password hash.
func (c *cluster) fill(text string) string {
	return strings.NewReplacer(
		"${CLUSTER_DIR}", c.dir,
		"${CLUSTER_PORT}", strconv.Itoa(c.port),
		"${CLUSTER_TLS_PORT}", strconv.Itoa(c.tlsPort),
		"${NODE_NAME}", nodeName,
		"${NODE_IP}", nodeIP,
		"${POD_CIDR}", podCIDR,
		"${SERVICE_CIDR}", serviceCIDR,
		"${DNS_IP}", dnsIP,
		"${INGRESS_IP}", ingressIP,
		"${API_URL}", apiURL,
	).Replace(text)
}

// write fills a template in and writes it below the state folder. It leaves a
// file alone that already reads so.
func (c *cluster) write(text string, mode os.FileMode, elem ...string) (string, error) {
	file := c.path(elem...)
	text = c.fill(text)
	if old, err := os.ReadFile(file); err == nil && string(old) == text {
		return file, nil
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return "", err
	}
	return file, os.WriteFile(file, []byte(text), mode)
}
