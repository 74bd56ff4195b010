//go:build apiserver

package controllers_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"channellink.dev/operator/controllers"
	"channellink.dev/operator/internal/desired"
	"channellink.dev/operator/webhookserver/adminapi"
)

// This test binary becomes a manager process when the first of these variables is set, which is the operator's namespace.
// The second is the address that all admin calls go to: the names of Services mean nothing on this machine.
const (
	managerVariable = "CONTROLLERS_TEST_MANAGER"
	adminVariable   = "CONTROLLERS_TEST_ADMIN"
)

// processInterval is the pace at which a manager process asks: slow enough to be stopped between two questions.
const processInterval = 500 * time.Millisecond

// beManager runs the operator as cmd/manager does, until it loses its lease or is told to end.
func beManager(namespace, admin string) error {
	config, err := ctrl.GetConfig()
	if err != nil {
		return err
	}
	scheme, err := controllers.Scheme()
	if err != nil {
		return err
	}
	options := manager.Options{
		Scheme: scheme, Cache: controllers.CacheOptions(nil),
		Metrics: server.Options{BindAddress: "0"}, HealthProbeBindAddress: "0",
	}
	held, err := controllers.ElectLeader(&options, config, namespace)
	if err != nil {
		return err
	}
	mgr, err := ctrl.NewManager(config, options)
	if err != nil {
		return err
	}
	ctx := ctrl.SetupSignalHandler()
	err = controllers.Setup(ctx, mgr, controllers.Options{
		Operator: desired.Operator{ServerImage: "registry.example/channellink/server:0.1.0", Namespace: namespace},
		MayAsk:   held, Asker: redirected{adminapi.NewClient(time.Now), admin}, Unlinker: redirected{adminapi.NewClient(time.Now), admin},
		PendingInterval: processInterval, ReadyInterval: processInterval,
	})
	if err != nil {
		return err
	}
	return mgr.Start(ctx)
}

// redirected asks at one address whatever the target's is.
type redirected struct {
	*adminapi.Client
	address string
}

// Status implements controllers.Asker.
func (r redirected) Status(ctx context.Context, target adminapi.Target, signer *adminapi.Signer) (adminapi.Status, error) {
	target.BaseURL = r.address
	return r.Client.Status(ctx, target, signer)
}

// Unlink implements controllers.Unlinker.
func (r redirected) Unlink(ctx context.Context, target adminapi.Target, signer *adminapi.Signer, id string, request adminapi.Unlink) (adminapi.UnlinkResult, error) {
	target.BaseURL = r.address
	return r.Client.Unlink(ctx, target, signer, id, request)
}

// process is a manager process with a listener of its own that plays every server's admin port.
type process struct {
	command *exec.Cmd
	calls   atomic.Int64
	called  chan struct{}
	exited  chan error
	// ended is closed when it has exited.
	ended  chan struct{}
	errors bytes.Buffer
}

// startProcess starts a manager process of the operator. Its questions are counted.
func startProcess(t *testing.T, o *operator) *process {
	t.Helper()
	p := newProcess()
	admin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		p.calls.Add(1)
		_ = json.NewEncoder(w).Encode(adminapi.Status{}) // a caller that has gone has no use for it
		select {
		case p.called <- struct{}{}:
		default:
		}
	}))
	t.Cleanup(admin.Close)
	p.start(t, o.config, o.namespace, admin.URL)
	return p
}

func newProcess() *process {
	return &process{called: make(chan struct{}, 1), exited: make(chan error, 1), ended: make(chan struct{})}
}

// start starts the process, which ends with the test. It reaches the API server by this config, and all servers at the admin
// address.
func (p *process) start(t *testing.T, config *rest.Config, namespace, admin string) {
	t.Helper()
	p.command = exec.CommandContext(t.Context(), os.Args[0])
	p.command.Env = append(os.Environ(), "KUBECONFIG="+env.Kubeconfig(t, config), managerVariable+"="+namespace, adminVariable+"="+admin)
	p.command.Stderr = &p.errors
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.exited <- p.command.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("manager process %d:\n%s", p.command.Process.Pid, p.errors.String())
		}
	})
}

// kill ends the process with SIGKILL and waits until it is gone.
func (p *process) kill() {
	_ = p.command.Process.Kill() // it may have ended
	<-p.ended
}

func (p *process) signal(t *testing.T, signal syscall.Signal) {
	t.Helper()
	if err := p.command.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
}

// awaitCall waits until the process has asked a server once more.
func (p *process) awaitCall(t *testing.T, within time.Duration) {
	t.Helper()
	select { // one that was counted before
	case <-p.called:
	default:
	}
	select {
	case <-p.called:
	case err := <-p.exited:
		t.Fatalf("the process ended: %v", err)
	case <-time.After(within):
		t.Fatalf("no admin call within %s", within)
	}
}

// takeOver is how soon another replica must lead.
const takeOver = 20 * time.Second

// One process leads at a time. When the leader is paused, another takes over; the old one, resumed, asks no server again
// and ends. When the leader is told to end, the next leads at once. C76
func TestTheSecondTakesOver(t *testing.T) {
	o := newOperator(t)
	link := create(t, "line", env.Namespace(t))
	first := startProcess(t, o)
	o.rollOut(t, link)
	first.awaitCall(t, patience)
	second := startProcess(t, o)

	// Right after a question there is none under way.
	first.awaitCall(t, patience)
	first.signal(t, syscall.SIGSTOP)
	second.awaitCall(t, takeOver)
	before := first.calls.Load()
	first.signal(t, syscall.SIGCONT)
	select {
	case err := <-first.exited:
		if err == nil {
			t.Error("the old leader ended as if all was well")
		}
	case <-time.After(patience):
		t.Fatal("the old leader goes on")
	}
	if calls := first.calls.Load() - before; calls > 0 {
		t.Errorf("the old leader made %d admin calls after its lease had run out", calls)
	}

	t.Run("told to end", func(t *testing.T) {
		third := startProcess(t, o)
		second.awaitCall(t, patience)
		if third.calls.Load() > 0 {
			t.Error("two lead at once")
		}
		second.signal(t, syscall.SIGTERM)
		if err := <-second.exited; err != nil {
			t.Errorf("the leader ended with %v\n%s", err, second.errors.String())
		}
		third.awaitCall(t, patience/2)
	})
}

// residentKiB is the memory of a process (VmRSS).
func residentKiB(t *testing.T, pid int) int {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Skipf("no procfs here: %v", err)
	}
	for line := range strings.Lines(string(data)) {
		var kib int
		if _, err := fmt.Sscanf(line, "VmRSS: %d kB", &kib); err == nil {
			return kib
		}
	}
	t.Fatal("no VmRSS")
	return 0
}
