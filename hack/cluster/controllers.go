package main

import "context"

// controllerManager returns kube-controller-manager. Nobody competes with it for
// the lead, so that it does not spend API writes on a lease.
func (c *cluster) controllerManager() process {
	kubeconfig := c.path("run", "kube-controller-manager.kubeconfig")
	return process{
		name: "kube-controller-manager",
		path: c.bin("kube-controller-manager"),
		args: []string{
			"--kubeconfig=" + kubeconfig,
			"--authentication-kubeconfig=" + kubeconfig,
			"--authorization-kubeconfig=" + kubeconfig,
			"--bind-address=127.0.0.1",
			"--tls-cert-file=" + c.cert("loopback"), "--tls-private-key-file=" + c.key("loopback"),
			"--leader-elect=false",
			"--use-service-account-credentials",
			"--service-account-private-key-file=" + c.key("service-account"),
			"--root-ca-file=" + c.cert("ca"),
			"--cluster-signing-cert-file=" + c.cert("ca"), "--cluster-signing-key-file=" + c.key("ca"),
			"--kube-api-qps=100", "--kube-api-burst=200",
		},
		files: []string{kubeconfig},
		ready: func(ctx context.Context) error { return c.healthy(ctx, "admin", "https://127.0.0.1:10257/healthz") },
	}
}

// scheduler returns kube-scheduler.
func (c *cluster) scheduler() process {
	kubeconfig := c.path("run", "kube-scheduler.kubeconfig")
	return process{
		name: "kube-scheduler",
		path: c.bin("kube-scheduler"),
		args: []string{
			"--kubeconfig=" + kubeconfig,
			"--authentication-kubeconfig=" + kubeconfig,
			"--authorization-kubeconfig=" + kubeconfig,
			"--bind-address=127.0.0.1",
			"--tls-cert-file=" + c.cert("loopback"), "--tls-private-key-file=" + c.key("loopback"),
			"--leader-elect=false",
		},
		files: []string{kubeconfig},
		ready: func(ctx context.Context) error { return c.healthy(ctx, "admin", "https://127.0.0.1:10259/healthz") },
	}
}
