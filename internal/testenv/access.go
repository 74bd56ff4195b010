package testenv

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// User returns a configuration for a user of this name in these groups. The API server authorizes by RBAC, so the user
// may do nothing until Grant says what. The audit record shows the name.
func (e *Environment) User(tb testing.TB, name string, groups ...string) *rest.Config {
	tb.Helper()
	user, err := e.plane.AddUser(envtest.User{Name: name, Groups: groups}, &rest.Config{QPS: e.Config.QPS, Burst: e.Config.Burst})
	if err != nil {
		tb.Fatalf("add user %s: %v", name, err)
	}
	return user.Config()
}

// Grant lets the user do what the rules say until the test ends: in one namespace, or everywhere when namespace is "".
func (e *Environment) Grant(tb testing.TB, user, namespace string, rules ...rbacv1.PolicyRule) {
	tb.Helper()
	subjects := []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}}
	named := metav1.ObjectMeta{GenerateName: "testenv-", Namespace: namespace}
	if namespace != "" {
		role := &rbacv1.Role{ObjectMeta: named, Rules: rules}
		e.createUntilEnd(tb, role)
		e.createUntilEnd(tb, &rbacv1.RoleBinding{ObjectMeta: named, Subjects: subjects,
			RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role.Name}})
		return
	}
	role := &rbacv1.ClusterRole{ObjectMeta: named, Rules: rules}
	e.createUntilEnd(tb, role)
	e.createUntilEnd(tb, &rbacv1.ClusterRoleBinding{ObjectMeta: named, Subjects: subjects,
		RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name}})
}

// createUntilEnd creates the object and deletes it when the test ends.
func (e *Environment) createUntilEnd(tb testing.TB, obj client.Object) {
	tb.Helper()
	if err := e.Client.Create(tb.Context(), obj); err != nil {
		tb.Fatalf("create %T: %v", obj, err)
	}
	tb.Cleanup(func() {
		if err := client.IgnoreNotFound(e.Client.Delete(context.WithoutCancel(tb.Context()), obj)); err != nil {
			tb.Errorf("delete %T %s: %v", obj, obj.GetName(), err)
		}
	})
}

// Kubeconfig writes a kubeconfig file for this configuration (Environment.Config for the administrator's) and returns
// its path, for programs such as kubectl or the operator's own binary. It goes when the test ends.
func (e *Environment) Kubeconfig(tb testing.TB, config *rest.Config) string {
	tb.Helper()
	const name = "testenv"
	kubeconfig := clientcmdapi.NewConfig()
	kubeconfig.Clusters[name] = &clientcmdapi.Cluster{Server: config.Host, CertificateAuthorityData: config.CAData}
	kubeconfig.AuthInfos[name] = &clientcmdapi.AuthInfo{ClientCertificateData: config.CertData, ClientKeyData: config.KeyData}
	kubeconfig.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name}
	kubeconfig.CurrentContext = name
	content, err := clientcmd.Write(*kubeconfig)
	if err != nil {
		tb.Fatalf("write a kubeconfig: %v", err)
	}
	path := filepath.Join(tb.TempDir(), "kubeconfig")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		tb.Fatalf("write a kubeconfig: %v", err)
	}
	return path
}

// Kubectl is the path of a kubectl of the API server's version.
func (e *Environment) Kubectl() string { return e.plane.ControlPlane.KubectlPath }
