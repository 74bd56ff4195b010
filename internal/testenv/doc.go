// Package testenv gives the tests of one package a real kube-apiserver on a real etcd, with the project's resource
// definitions installed. There is no scheduler, kubelet or controller manager: nothing but the code under test
// changes an object, and a deleted namespace stays in Terminating.
//
// A test package that needs it carries the build tag apiserver, so that a plain `go test ./...` needs no binaries:
//
//	//go:build apiserver
//
//	var env *testenv.Environment
//
//	func TestMain(m *testing.M) { os.Exit(testenv.Run(m, &env, testenv.WithAudit())) }
//
//	func TestSomething(t *testing.T) {
//		namespace := env.Namespace(t)
//		...
//	}
//
// The binaries come from the folder in KUBEBUILDER_ASSETS, else from .cluster/bin of the repository, which
// `make assets` fills. Without them the tests fail; they are never skipped, because a skipped proof proves nothing.
//
// Everything started here ends with the test process, however that ends: see supervisor.
package testenv
