//go:build apiserver

package controllers_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/controllers"
	"channellink.dev/operator/internal/desired"
	"channellink.dev/operator/internal/testenv"
	"channellink.dev/operator/webhookserver/logtest"
)

const (
	// operatorUser is who the operator is at the API server; the audit record shows the name.
	operatorUser = "operator"
	// patience bounds the wait for what must happen.
	patience = 20 * time.Second
	// pendingInterval and readyInterval make the poller quick.
	pendingInterval = 50 * time.Millisecond
	readyInterval   = 200 * time.Millisecond
)

var env *testenv.Environment

func TestMain(m *testing.M) {
	if namespace := os.Getenv(managerVariable); namespace != "" {
		ctrl.SetLogger(logr.FromSlogHandler(slog.NewTextHandler(os.Stderr, nil)))
		if err := beManager(namespace, os.Getenv(adminVariable)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	ctrl.SetLogger(logr.Discard()) // each manager has a log of its own
	SetDefaultEventuallyTimeout(patience)
	SetDefaultEventuallyPollingInterval(20 * time.Millisecond)
	os.Exit(testenv.Run(m, &env, testenv.WithAudit()))
}

// operator is a whole manager in this process, under a user that may do what config/rbac says and no more.
type operator struct {
	t       *testing.T
	config  *rest.Config
	servers *servers
	// namespace is the operator's own, and watch those that it watches; none means all.
	namespace string
	watch     []string
	options   controllers.Options
	log       *logtest.Buffer
	stop      func()
	// atStart is what the process had done before the manager started.
	atStart work
	// curtain hides objects from the cache; nil: there is none.
	curtain *curtain
}

// newOperator prepares an operator; start starts it.
func newOperator(t *testing.T) *operator {
	t.Helper()
	o := &operator{
		t: t, config: env.User(t, operatorUser), servers: newServers(), namespace: env.Namespace(t),
		log: &logtest.Buffer{}, stop: func() {},
	}
	o.options = controllers.Options{
		Operator: desired.Operator{
			ServerImage: "registry.example/channellink/server:0.1.0", Namespace: o.namespace,
			PodLabels: map[string]string{"app.kubernetes.io/name": "channellink-operator"},
		},
		Asker: o.servers, Unlinker: o.servers, PendingInterval: pendingInterval, ReadyInterval: readyInterval,
	}
	grant(t, operatorUser, o.namespace)
	t.Cleanup(func() {
		o.stop()
		if t.Failed() {
			t.Logf("the operator's log:\n%s", o.log.Tail())
		}
	})
	return o
}

// startOperator starts an operator that ends with the test.
func startOperator(t *testing.T) *operator {
	t.Helper()
	o := newOperator(t)
	o.start()
	return o
}

// start starts the manager; stop, which start sets, ends it and waits until it has ended.
func (o *operator) start() {
	o.t.Helper()
	mgr := o.manager()
	o.atStart = workOf(o.t)
	ctx, cancel := context.WithCancel(context.Background())
	if err := controllers.Setup(ctx, mgr, o.options); err != nil {
		cancel()
		o.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(ctx) }()
	o.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
			o.t.Errorf("the manager ended: %v", err)
		}
	})
}

func (o *operator) manager() manager.Manager {
	o.t.Helper()
	scheme, err := controllers.Scheme()
	if err != nil {
		o.t.Fatal(err)
	}
	options := manager.Options{
		Scheme: scheme, Cache: controllers.CacheOptions(o.watch),
		Metrics: server.Options{BindAddress: "0"}, HealthProbeBindAddress: "0",
		Logger: logr.FromSlogHandler(slog.NewTextHandler(o.log, nil)),
	}
	if o.curtain != nil {
		options.Cache.ByObject[o.curtain.kind] = cache.ByObject{Label: options.Cache.DefaultLabelSelector, Transform: o.curtain.pass}
	}
	// Each test starts a manager of its own in this process.
	options.Controller.SkipNameValidation = new(true)
	mgr, err := ctrl.NewManager(o.config, options)
	if err != nil {
		o.t.Fatal(err)
	}
	return mgr
}

// grant gives the user what config/rbac gives the operator's service account.
func grant(t *testing.T, user, namespace string) {
	t.Helper()
	everywhere, own := rulesOfTheOperator(t)
	env.Grant(t, user, "", everywhere...)
	env.Grant(t, user, namespace, own...)
	c, err := client.New(env.User(t, user), client.Options{Scheme: env.Scheme})
	if err != nil {
		t.Fatal(err)
	}
	// The authorizer learns of the roles by a watch.
	NewWithT(t).Eventually(func() error { return c.List(t.Context(), &v1alpha1.ChannelLinkList{}) }).Should(Succeed())
}

// rulesOfTheOperator are those of config/rbac: in the whole cluster, and in the operator's namespace.
func rulesOfTheOperator(t *testing.T) (everywhere, own []rbacv1.PolicyRule) {
	t.Helper()
	const name = "channellink-operator"
	files, err := filepath.Glob("../config/rbac/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("find the roles: %v", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(data), 4096)
		for {
			var role rbacv1.ClusterRole // a Role has the same fields
			if err := decoder.Decode(&role); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			switch {
			case role.Name != name:
			case role.Kind == "ClusterRole":
				everywhere = append(everywhere, role.Rules...)
			case role.Kind == "Role":
				own = append(own, role.Rules...)
			}
		}
	}
	if len(everywhere) == 0 || len(own) == 0 {
		t.Fatalf("config/rbac has %d rules for the cluster and %d for the operator's namespace", len(everywhere), len(own))
	}
	return everywhere, own
}
