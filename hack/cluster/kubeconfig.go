package main

import (
	_ "embed"
	"encoding/base64"
	"os"
	"strings"
)

//go:embed templates/kubeconfig.yaml
var kubeconfigTemplate string

// ensureKubeconfigs writes a kubeconfig for each component and, where everybody
// looks for it, the administrator's.
func (c *cluster) ensureKubeconfigs() error {
	for name, elem := range map[string][]string{
		"kubelet":                 {"run", "kubelet.kubeconfig"},
		"kube-controller-manager": {"run", "kube-controller-manager.kubeconfig"},
		"kube-scheduler":          {"run", "kube-scheduler.kubeconfig"},
		"kube-proxy":              {"run", "kube-proxy.kubeconfig"},
		"admin":                   {"kubeconfig"},
	} {
		text, err := c.kubeconfig(name)
		if err != nil {
			return err
		}
		if _, err := c.write(text, 0o600, elem...); err != nil {
			return err
		}
	}
	return nil
}

// kubeconfig returns one that holds its certificates itself, so that the file
// alone is enough to reach the cluster.
func (c *cluster) kubeconfig(name string) (string, error) {
	text := strings.ReplaceAll(kubeconfigTemplate, "${USER}", name)
	for placeholder, file := range map[string]string{
		"${CA}":   c.cert("ca"),
		"${CERT}": c.cert(name),
		"${KEY}":  c.key(name),
	} {
		raw, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		text = strings.ReplaceAll(text, placeholder, base64.StdEncoding.EncodeToString(raw))
	}
	return text, nil
}
