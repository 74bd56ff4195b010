package testenv

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"channellink.dev/operator/api/v1alpha1"
)

// startTimeout is how long each of etcd and kube-apiserver may take to start. A start takes about 5 s; the rest is for
// machines on which several test packages start theirs at once.
const startTimeout = 2 * time.Minute

// Environment is a running API server. Its methods that take a testing.TB end that test when they fail.
type Environment struct {
	// Config is for the cluster's administrator (group system:masters).
	Config *rest.Config
	// Client acts as the administrator and reads from the API server, not from a cache.
	Client client.WithWatch
	// Scheme knows the built-in kinds, this project's, CustomResourceDefinition and those of the Gateway API.
	Scheme *runtime.Scheme

	plane      envtest.Environment
	supervisor *supervisor
	audit      *auditLog
}

// Run starts an Environment, stores it in env, runs the tests and stops it again. It returns the exit code for
// TestMain.
func Run(m *testing.M, env **Environment, options ...Option) int {
	started, err := Start(options...)
	if err != nil {
		fmt.Fprintf(os.Stderr, "testenv: %v\n", err)
		return 1
	}
	*env = started
	code := m.Run()
	if err := started.Stop(); err != nil {
		fmt.Fprintf(os.Stderr, "testenv: %v\n", err)
		code = max(code, 1)
	}
	return code
}

// Start starts etcd and kube-apiserver on free loopback ports and installs the CustomResourceDefinitions of
// config/crd. The caller must Stop what it returns.
func Start(options ...Option) (_ *Environment, err error) {
	var o settings
	for _, option := range options {
		option(&o)
	}
	root, err := repositoryRoot()
	if err != nil {
		return nil, err
	}
	binaries, err := findBinaries(root)
	if err != nil {
		return nil, err
	}

	e := &Environment{Scheme: newScheme()}
	if e.supervisor, err = startSupervisor(); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, e.Stop())
		}
	}()
	if err := e.configure(root, binaries, o); err != nil {
		return nil, err
	}
	if e.Config, err = e.plane.Start(); err != nil {
		if e.plane.Config == nil { // else the programs are well and what they were told is wrong
			err = fmt.Errorf("%w\n%s", err, e.supervisor.logTails())
		}
		return nil, fmt.Errorf("start the control plane: %w", err)
	}
	if e.Client, err = client.NewWithWatch(e.Config, client.Options{Scheme: e.Scheme}); err != nil {
		return nil, fmt.Errorf("make the administrator's client: %w", err)
	}
	return e, nil
}

// Stop ends the API server and etcd and removes their files.
func (e *Environment) Stop() error {
	err := e.plane.Stop()
	if err == nil {
		e.supervisor.forget()
	}
	return errors.Join(err, e.supervisor.stop())
}

// configure sets up e.plane: every file below the supervisor's folder, every program through its wrapper.
func (e *Environment) configure(root string, b binaries, o settings) error {
	e.plane = envtest.Environment{
		UseExistingCluster:       new(false), // whatever USE_EXISTING_CLUSTER says
		Scheme:                   e.Scheme,
		CRDDirectoryPaths:        append([]string{filepath.Join(root, "config", "crd")}, o.crds...),
		ErrorIfCRDPathMissing:    true,
		ControlPlaneStartTimeout: startTimeout,
		ControlPlaneStopTimeout:  startTimeout,
	}
	plane := &e.plane.ControlPlane
	server := plane.GetAPIServer()
	etcd := &envtest.Etcd{}
	plane.Etcd = etcd

	var err error
	if etcd.DataDir, err = e.supervisor.mkdir("etcd-data"); err != nil {
		return err
	}
	if server.CertDir, err = e.supervisor.mkdir("apiserver-certs"); err != nil {
		return err
	}
	if etcd.Path, err = e.supervisor.wrap(b.etcd); err != nil {
		return err
	}
	if server.Path, err = e.supervisor.wrap(b.apiServer); err != nil {
		return err
	}
	if etcd.Err, err = e.supervisor.log("etcd"); err != nil {
		return err
	}
	if server.Err, err = e.supervisor.log("kube-apiserver"); err != nil {
		return err
	}
	plane.KubectlPath = b.kubectl

	for _, flag := range o.flags {
		server.Configure().Append(flag.name, flag.values...)
	}
	if o.audit {
		if e.audit, err = newAuditLog(e.supervisor.dir); err != nil {
			return err
		}
		for name, value := range e.audit.flags() {
			server.Configure().Set(name, value)
		}
	}
	return nil
}

func newScheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		clientgoscheme.AddToScheme, apiextensionsv1.AddToScheme, gatewayv1.Install, v1alpha1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			panic(err) // two packages disagree on a kind: no input can cause or cure it
		}
	}
	return scheme
}
