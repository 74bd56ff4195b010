package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"
)

// target is something that the cluster compiles: a binary in .cluster/bin, or,
// when it is an image, a tarball in .cluster/images.
type target struct {
	name    string
	module  string // folder of the module, relative to the repository
	pkg     string
	version bool // set Kubernetes' version, or clients see v0.0.0
	asset   bool // envtest wants it
	image   bool
	expect  time.Duration // of a first build on two cores
}

var targets = []target{
	{name: "kube-apiserver", module: kubernetesModule, pkg: "k8s.io/kubernetes/cmd/kube-apiserver", version: true, asset: true, expect: 4 * time.Minute},
	{name: "etcd", module: kubernetesModule, pkg: "go.etcd.io/etcd/server/v3", asset: true, expect: 15 * time.Second},
	{name: "kubectl", module: kubernetesModule, pkg: "k8s.io/kubernetes/cmd/kubectl", version: true, asset: true, expect: 30 * time.Second},
	{name: "kubelet", module: kubernetesModule, pkg: "k8s.io/kubernetes/cmd/kubelet", version: true, expect: time.Minute},
	{name: "kube-proxy", module: kubernetesModule, pkg: "k8s.io/kubernetes/cmd/kube-proxy", version: true, expect: 15 * time.Second},
	{name: "kube-controller-manager", module: kubernetesModule, pkg: "k8s.io/kubernetes/cmd/kube-controller-manager", version: true, expect: 40 * time.Second},
	{name: "kube-scheduler", module: kubernetesModule, pkg: "k8s.io/kubernetes/cmd/kube-scheduler", version: true, expect: 15 * time.Second},
	{name: "cluster", module: "hack/cluster", pkg: ".", expect: 5 * time.Second},
	{name: "image", module: "hack/image", pkg: ".", expect: 10 * time.Second},
	{name: "dex", module: "hack/dex", pkg: "github.com/dexidp/dex/cmd/dex", expect: time.Minute},
	{name: "pause", module: "hack/cluster", pkg: "./pause", image: true, expect: 5 * time.Second},
	{name: "coredns", module: "hack/cluster/coredns", image: true, expect: 2 * time.Minute},
	{name: "traefik", module: "hack/cluster/traefik", image: true, expect: 6 * time.Minute},
}

const kubernetesModule = "hack/cluster/kubernetes"

// build compiles every target that is missing or whose sources have changed.
func (c *cluster) build(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("build", flag.ContinueOnError)
	only := flags.String("only", "", "assets: what envtest needs and nothing else")
	if err := flags.Parse(args); err != nil {
		return err
	}
	wanted := targets
	switch *only {
	case "":
	case "assets":
		wanted = nil
		for _, t := range targets {
			if t.asset {
				wanted = append(wanted, t)
			}
		}
	default:
		return fmt.Errorf("--only=%s: want assets", *only)
	}
	return c.ensureBuilt(ctx, wanted)
}

// ensureBuilt compiles those of the targets that are not fresh, telling the
// person at the terminal how far it is.
func (c *cluster) ensureBuilt(ctx context.Context, wanted []target) error {
	type job struct {
		target
		stamp string
	}
	var jobs []job
	var expect time.Duration
	for _, t := range wanted {
		stamp, err := t.stamp(c.root)
		if err != nil {
			return err
		}
		if !c.fresh(t, stamp) {
			jobs = append(jobs, job{t, stamp})
			expect += t.expect
		}
	}
	if expect >= time.Minute {
		c.say("compiling %d programs: about %s for the first time on two cores, seconds later on", len(jobs), expect.Round(time.Minute))
	}
	for i, j := range jobs {
		c.say("compiling %s (%d of %d, %s the first time)", j.name, i+1, len(jobs), j.expect)
		began := time.Now()
		if err := c.compile(ctx, j.target); err != nil {
			return fmt.Errorf("build %s: %w", j.name, err)
		}
		if _, err := c.write(j.stamp, 0o644, "bin", ".stamps", j.name); err != nil {
			return err
		}
		c.say("compiled %s in %s", j.name, time.Since(began).Round(time.Second/10))
	}
	return nil
}

// output is the file that the target makes.
func (c *cluster) output(t target) string {
	if t.image {
		return c.imageFile(t.name)
	}
	return c.bin(t.name)
}

// fresh reports whether the output is there and made from these sources.
func (c *cluster) fresh(t target, stamp string) bool {
	if _, err := os.Stat(c.output(t)); err != nil {
		return false
	}
	old, err := os.ReadFile(c.path("bin", ".stamps", t.name))
	return err == nil && string(old) == stamp
}

func (c *cluster) compile(ctx context.Context, t target) error {
	if t.image {
		return c.runTool(ctx, c.root, c.bin("image"), "--root", c.root, "--out", c.path("images"), t.name)
	}
	args := []string{"build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w"}
	if t.version {
		version, err := t.kubernetesVersion(c.root)
		if err != nil {
			return err
		}
		args[len(args)-1] += " " + version
	}
	// Go writes the file in place: a running program's would be busy.
	fresh := c.bin("." + t.name + ".new")
	if err := c.runTool(ctx, filepath.Join(c.root, t.module), "go", append(args, "-o", fresh, t.pkg)...); err != nil {
		return err
	}
	return os.Rename(fresh, c.bin(t.name))
}

// runTool runs a build tool with its output on the terminal.
func (c *cluster) runTool(ctx context.Context, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	cmd.Stderr = c.out
	return cmd.Run()
}

var kubernetesPin = regexp.MustCompile(`k8s\.io/kubernetes (v(\d+)\.(\d+)\.\S+)`)

// kubernetesVersion returns the linker flags that tell the binaries their
// version, taken from the pin.
func (t target) kubernetesVersion(root string) (string, error) {
	raw, err := os.ReadFile(filepath.Join(root, t.module, "go.mod"))
	if err != nil {
		return "", err
	}
	pin := kubernetesPin.FindSubmatch(raw)
	if pin == nil {
		return "", fmt.Errorf("%s/go.mod does not pin k8s.io/kubernetes", t.module)
	}
	const p = "k8s.io/component-base/version."
	return fmt.Sprintf("-X %sgitVersion=%s -X %sgitMajor=%s -X %sgitMinor=%s -X %sgitTreeState=clean",
		p, pin[1], p, pin[2], p, pin[3], p), nil
}

// stamp identifies what the target is made from: the Go release, the target
// itself, and the module's pins and sources. An image also depends on the
// program that writes it.
func (t target) stamp(root string) (string, error) {
	sum := sha256.New()
	fmt.Fprintf(sum, "%s %s %+v\n", runtime.Version(), runtime.GOARCH, t)
	patterns := []string{"go.mod", "go.sum", "*.go", "manifests/*", "templates/*", filepath.Join(t.pkg, "*.go")}
	for i, pattern := range patterns {
		patterns[i] = filepath.Join(t.module, pattern)
	}
	if t.image {
		patterns = append(patterns, "hack/image/*.go", "hack/image/images.json")
	}
	for _, pattern := range patterns {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			return "", err
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			raw, err := os.ReadFile(file)
			if err != nil {
				return "", err
			}
			fmt.Fprintf(sum, "%s %d\n%s", filepath.Base(file), len(raw), raw)
		}
	}
	return hex.EncodeToString(sum.Sum(nil)[:16]), nil
}

// targetsNamed returns the targets of these names.
func targetsNamed(names ...string) []target {
	var found []target
	for _, t := range targets {
		if slices.Contains(names, t.name) {
			found = append(found, t)
		}
	}
	return found
}
