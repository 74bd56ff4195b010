package main

import (
	"context"
	_ "embed"
	"os"
)

//go:embed templates/audit.yaml
var auditPolicy string

// apiServer returns the API server. It listens on the node's address alone,
// which is on the loopback interface: pods and this machine reach it, nobody
// else does.
func (c *cluster) apiServer() (process, error) {
	policy, err := c.write(auditPolicy, 0o644, "run", "audit.yaml")
	if err != nil {
		return process{}, err
	}
	if err := os.MkdirAll(c.path("log"), 0o755); err != nil {
		return process{}, err
	}
	return process{
		name: "kube-apiserver",
		path: c.bin("kube-apiserver"),
		args: []string{
			"--bind-address=" + nodeIP,
			"--advertise-address=" + nodeIP,
			"--secure-port=6443",
			"--tls-cert-file=" + c.cert("apiserver"), "--tls-private-key-file=" + c.key("apiserver"),
			"--client-ca-file=" + c.cert("ca"),
			// No aggregated API is here; without these the scheduler's log fills up
			// with the lack of them.
			"--requestheader-client-ca-file=" + c.cert("ca"), "--requestheader-allowed-names=front-proxy",
			"--requestheader-username-headers=X-Remote-User",
			"--requestheader-group-headers=X-Remote-Group",
			"--requestheader-extra-headers-prefix=X-Remote-Extra-",
			"--etcd-servers=" + etcdURL,
			"--etcd-cafile=" + c.cert("ca"), "--etcd-certfile=" + c.cert("etcd"), "--etcd-keyfile=" + c.key("etcd"),
			"--service-cluster-ip-range=" + serviceCIDR,
			"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
			"--service-account-key-file=" + c.pki("service-account.pub"),
			"--service-account-signing-key-file=" + c.key("service-account"),
			"--authorization-mode=Node,RBAC",
			"--enable-admission-plugins=NodeRestriction",
			"--allow-privileged",
			// Without these, kubectl logs, exec and port-forward do not reach the kubelet.
			"--kubelet-preferred-address-types=InternalIP",
			"--kubelet-certificate-authority=" + c.cert("ca"),
			"--kubelet-client-certificate=" + c.cert("apiserver-client"),
			"--kubelet-client-key=" + c.key("apiserver-client"),
			// The tests count the operator's requests here.
			"--audit-policy-file=" + policy,
			"--audit-log-path=" + c.auditLog(),
			"--audit-log-maxsize=512", "--audit-log-maxbackup=1", // MB and files
		},
		files: []string{policy, c.cert("apiserver")},
		ready: func(ctx context.Context) error { return c.healthy(ctx, "admin", apiURL+"/readyz") },
	}, nil
}

// auditLog is where the API server writes one JSON line for each request.
func (c *cluster) auditLog() string { return c.path("log", "audit.log") }
