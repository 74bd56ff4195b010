package main

import (
	"context"
	"embed"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

//go:embed manifests/*.yaml
var manifests embed.FS

// fieldManager owns the fields of what this program applies.
const fieldManager = "channellink-cluster"

// applyWorkloads gives the cluster what a platform would bring: names, an
// ingress and Gateway API controller, and volumes.
func (c *cluster) applyWorkloads(ctx context.Context) error {
	if err := c.applyGatewayAPI(ctx); err != nil {
		return err
	}
	files := []string{"coredns.yaml", "traefik.yaml", "volumes.yaml"}
	if c.kind == kindest { // it brings the last, and its own server of the first
		files = []string{"kind.yaml", "traefik.yaml"}
	}
	var text strings.Builder
	for _, file := range files {
		raw, err := manifests.ReadFile("manifests/" + file)
		if err != nil {
			return err
		}
		fmt.Fprintf(&text, "---\n%s", raw)
	}
	filled, err := c.fillWorkloads(text.String())
	if err != nil {
		return err
	}
	return c.apply(ctx, filled)
}

// fillWorkloads fills in what only the cluster's own manifests know: the digests
// that roll a Deployment when its image was built anew, and how the cluster
// differs from kind.
func (c *cluster) fillWorkloads(text string) (string, error) {
	values := map[string]string{
		"${FORWARD}":             "",
		"${SERVICE_TYPE}":        "ClusterIP",
		"${NODE_PORT_WEB}":       "",
		"${NODE_PORT_WEBSECURE}": "",
	}
	if c.kind == kindest { // templates/kind.yaml maps these node ports to the machine
		values["${SERVICE_TYPE}"] = "NodePort"
		values["${NODE_PORT_WEB}"] = ", nodePort: 30080"
		values["${NODE_PORT_WEBSECURE}"] = ", nodePort: 30443"
	}
	if servers, err := os.ReadFile(c.path("run", "resolv.conf")); err == nil && len(servers) > 0 {
		values["${FORWARD}"] = "forward . /etc/resolv.conf"
	}
	for _, name := range []string{"coredns", "traefik"} {
		placeholder := "${DIGEST_" + strings.ToUpper(name) + "}"
		if !strings.Contains(text, placeholder) {
			continue // kind has no image of that name
		}
		img, err := readImage(c.imageFile(name))
		if err != nil {
			return "", err
		}
		values[placeholder] = img.digest
	}
	for placeholder, value := range values {
		text = strings.ReplaceAll(text, placeholder, value)
	}
	return text, nil
}

// applyGatewayAPI installs the standard resources of the very release whose types
// the operator is built with.
func (c *cluster) applyGatewayAPI(ctx context.Context) error {
	const module = "sigs.k8s.io/gateway-api"
	dir, err := c.moduleDir(ctx, module)
	if err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(dir, "config/crd/standard/gateway.networking.k8s.io_*.yaml"))
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return fmt.Errorf("%s has no resource definitions in %s", module, dir)
	}
	var text strings.Builder
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		fmt.Fprintf(&text, "---\n%s\n", raw)
	}
	if err := c.apply(ctx, text.String()); err != nil {
		return err
	}
	_, err = c.kubectl(ctx, nil, "wait", "--for=condition=Established", "--timeout=60s",
		"crd/gatewayclasses.gateway.networking.k8s.io", "crd/gateways.gateway.networking.k8s.io")
	return err
}

// moduleDir returns where the module cache has the version that the operator's
// go.mod pins.
func (c *cluster) moduleDir(ctx context.Context, module string) (string, error) {
	if _, err := c.command(ctx, nil, "go", "-C", c.root, "mod", "download", module); err != nil {
		return "", err
	}
	dir, err := c.command(ctx, nil, "go", "-C", c.root, "list", "-m", "-f", "{{.Dir}}", module)
	return strings.TrimSpace(dir), err
}

// applyFiles applies manifests after filling them in.
func (c *cluster) applyFiles(ctx context.Context, files []string) error {
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if err := c.apply(ctx, c.fill(string(raw))); err != nil {
			return fmt.Errorf("apply %s: %w", file, err)
		}
		c.say("applied %s", file)
	}
	return nil
}

// apply applies a manifest server-side.
func (c *cluster) apply(ctx context.Context, text string) error {
	_, err := c.kubectl(ctx, strings.NewReader(c.fill(text)),
		"apply", "--server-side", "--force-conflicts", "--field-manager="+fieldManager, "-f", "-")
	return err
}
