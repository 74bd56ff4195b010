//go:build cluster && soak

package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"channellink.dev/operator/internal/chatsim"
)

const (
	// wrongTime is how long something is wrong that does not mend itself, and wellTime how long all is well before the next
	// misfortune.
	wrongTime = 8 * time.Second
	wellTime  = 15 * time.Second
	// pauseTime is how long the API server stands still: longer than the operator's leader waits, so that it gives up.
	pauseTime = 20 * time.Second
	// recovery bounds how long all takes to be well again.
	recovery = 3 * time.Minute
)

// misfortune is one thing that goes wrong.
type misfortune struct {
	name string
	// begin lets it go wrong and tells what it has struck. It is called with its turn among all.
	begin func(ctx context.Context, t *testing.T, turn int) (what string, err error)
	// mend puts it right after a while; nil where that is up to the cluster.
	mend  func(ctx context.Context, t *testing.T) error
	lasts time.Duration
	// early: it happens in the first half alone, so that the operator that is measured in the end has worked for the other.
	early bool
}

// misfortunes lets everything go wrong in turn until ctx ends, and leaves all well.
func (w *soakWorld) misfortunes(ctx context.Context, t *testing.T) {
	t.Helper()
	chosen, err := regexp.Compile(*only)
	if err != nil {
		t.Fatal(err)
	}
	var all, late []misfortune
	for _, m := range w.allMisfortunes() {
		if chosen.MatchString(m.name) {
			all = append(all, m)
			if !m.early {
				late = append(late, m)
			}
		}
	}
	if len(all) == 0 {
		t.Fatalf("-misfortunes=%s: there is none of that name", chosen)
	}
	began := time.Now()
	for i := 0; pause(ctx, wellTime) && !t.Failed(); i++ {
		at, before := time.Since(began), w.count()
		if at > *duration/2 && len(late) > 0 {
			all = late
		}
		m := all[i%len(all)]
		what, err := m.begin(t.Context(), t, i)
		if err != nil {
			t.Fatalf("%s: %v", m.name, err)
		}
		if m.mend != nil {
			pause(ctx, m.lasts)
			if err := m.mend(t.Context(), t); err != nil {
				t.Fatalf("%s: mending it: %v", m.name, err)
			}
		}
		mended := time.Now()
		w.awaitWell(t, w.count())
		t.Logf("%02d:%02d  %s%s; all well again after %s; meanwhile %s", int(at.Minutes()), int(at.Seconds())%60,
			m.name, what, time.Since(mended).Round(100*time.Millisecond), w.count().since(before))
	}
}

func (w *soakWorld) allMisfortunes() []misfortune {
	return []misfortune{
		{name: "a server's pod is deleted without grace", begin: w.deletePod},
		{name: "the issuer is gone", begin: w.stopDex, mend: w.startDexAgain, lasts: wrongTime},
		{name: "a server is killed", begin: w.killServers(1)},
		{name: "the database is killed", begin: w.killDatabase, mend: w.resumeDatabase, lasts: wrongTime},
		{name: "the operator's leader is killed", begin: w.killLeader, early: true},
		{name: "the API server stands still", begin: w.pauseAPIServer, mend: resumeAPIServer, lasts: pauseTime, early: true},
		{name: "the servers of a channel are rolled", begin: w.roll},
		{name: "the platforms fail", begin: w.failPlatforms, mend: w.mendPlatforms, lasts: wrongTime},
		{name: "both servers of a channel are killed", begin: w.killServers(2)},
	}
}

// awaitWell waits until all that should run is ready, every ChannelLink says so, and somebody has linked on each channel since.
func (w *soakWorld) awaitWell(t *testing.T, before count) {
	t.Helper()
	NewWithT(t).Eventually(func(g Gomega) {
		ctx, cancel := context.WithTimeout(t.Context(), apiTime)
		defer cancel()
		for _, name := range []string{"dex", "messenger", "line", "botbonnie"} {
			g.Expect(wholeDeployment(ctx, w.namespace, name)).To(Succeed())
		}
		g.Expect(wholeDeployment(ctx, operatorNamespace, operatorName)).To(Succeed())
		_, err := leader(ctx)
		g.Expect(err).NotTo(HaveOccurred())
		now := w.count()
		for _, c := range w.channels {
			g.Expect(readyNow(ctx, c.ChannelLink)).To(Succeed())
			g.Expect(now.linked[c.Name]).To(BeNumerically(">", before.linked[c.Name]), "nobody links on %s: %v", c.Name, w.tally.away)
		}
	}).WithTimeout(recovery).WithPolling(poll).Should(Succeed())
}

func labelled(name string) client.MatchingLabels {
	return client.MatchingLabels{"app.kubernetes.io/instance": name}
}

// deletePod deletes the newest pod of LINE's servers or BotBonnie's. The oldest of each lives as long as the soak.
func (w *soakWorld) deletePod(ctx context.Context, _ *testing.T, turn int) (string, error) {
	c := w.channels[1+turn%2]
	pods, err := podsOf(ctx, c.Namespace, labelled(c.Name))
	if err != nil {
		return "", err
	}
	newest := &pods[len(pods)-1]
	return ": " + newest.Name, cluster.Delete(ctx, newest, client.GracePeriodSeconds(0))
}

// killServers kills so many of Messenger's servers in their pods.
func (w *soakWorld) killServers(n int) func(context.Context, *testing.T, int) (string, error) {
	return func(ctx context.Context, _ *testing.T, _ int) (string, error) {
		pods, err := podsOf(ctx, w.namespace, labelled("messenger"))
		if err != nil {
			return "", err
		}
		what := ":"
		for _, pod := range pods[:n] {
			what += " " + pod.Name
			err = errors.Join(err, w.kill(pod, "webhookserver"))
		}
		return what, err
	}
}

// killLeader kills the operator's leader and takes its pod away, as when a node is lost. The lease is not given back.
func (w *soakWorld) killLeader(ctx context.Context, _ *testing.T, _ int) (string, error) {
	pod, err := leader(ctx)
	if err != nil {
		return "", err
	}
	if err := w.kill(*pod, "manager"); err != nil {
		return "", err
	}
	return ": " + pod.Name, cluster.Delete(ctx, pod, client.GracePeriodSeconds(0))
}

// kill kills a pod's process, as the kernel does that has no memory left: without a word, where Kubernetes would first ask.
func (w *soakWorld) kill(pod corev1.Pod, program string) error {
	files, err := filepath.Glob("/proc/[0-9]*/cgroup")
	if err != nil {
		return err
	}
	for _, file := range files {
		process := filepath.Dir(file)
		groups, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(groups), "pod"+string(pod.UID)) {
			continue // it has ended, or is another's
		}
		name, err := os.ReadFile(filepath.Join(process, "comm"))
		if err != nil || strings.TrimSpace(string(name)) != program {
			continue // the pod's sandbox
		}
		pid, err := strconv.Atoi(filepath.Base(process))
		if err != nil {
			return err
		}
		w.caused[pod.UID]++
		return syscall.Kill(pid, syscall.SIGKILL)
	}
	return fmt.Errorf("no process of pod %s is to be found here", pod.Name)
}

func (w *soakWorld) stopDex(_ context.Context, t *testing.T, _ int) (string, error) {
	w.scaleDex(t, 0)
	return fmt.Sprintf(" for %s", wrongTime), nil
}

func (w *soakWorld) startDexAgain(_ context.Context, t *testing.T) error {
	w.scaleDex(t, 1)
	return nil
}

func (w *soakWorld) killDatabase(_ context.Context, t *testing.T, _ int) (string, error) {
	w.pg.Kill(t)
	return fmt.Sprintf(" and started again after %s", wrongTime), nil
}

func (w *soakWorld) resumeDatabase(_ context.Context, t *testing.T) error {
	w.pg.Resume(t)
	return nil
}

// pauseAPIServer stops the process of the API server. A process of its own lets that go on, also if this one is no more.
func (w *soakWorld) pauseAPIServer(ctx context.Context, t *testing.T, _ int) (string, error) {
	t.Helper()
	pid, err := apiServer()
	if err != nil {
		return "", err
	}
	seconds := strconv.Itoa(int(pauseTime.Seconds()))
	nurse := exec.CommandContext(context.WithoutCancel(ctx), "sh", "-c", `kill -STOP "$0" && sleep "$1"; kill -CONT "$0"`, strconv.Itoa(pid), seconds)
	nurse.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := nurse.Start(); err != nil {
		return "", err
	}
	t.Cleanup(func() { _ = nurse.Wait() })
	w.standstills++
	return " for " + pauseTime.String(), nil
}

func resumeAPIServer(context.Context, *testing.T) error {
	pid, err := apiServer()
	if err != nil {
		return err
	}
	return syscall.Kill(pid, syscall.SIGCONT)
}

// apiServer finds the process of the API server: of this machine's own cluster, in the folder of its kubeconfig.
func apiServer() (int, error) {
	file := filepath.Join(filepath.Dir(os.Getenv("KUBECONFIG")), "run", "kube-apiserver.pid")
	raw, err := os.ReadFile(file)
	if err != nil {
		return 0, fmt.Errorf("the API server is no process of this machine: %w", err)
	}
	var record struct{ PID int }
	if err := json.Unmarshal(raw, &record); err != nil {
		return 0, fmt.Errorf("%s: %w", file, err)
	}
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", record.PID))
	if err != nil || strings.TrimSpace(string(name)) != "kube-apiserver" {
		return 0, fmt.Errorf("%s: process %d is not the API server: %w", file, record.PID, err)
	}
	return record.PID, nil
}

// roll changes Messenger's ChannelLink so that its servers are replaced, gently.
func (w *soakWorld) roll(ctx context.Context, _ *testing.T, turn int) (string, error) {
	return ": messenger", rollOut(ctx, w.channels[0].ChannelLink, turn)
}

// failPlatforms has the platforms' APIs fail in every way for a while.
func (w *soakWorld) failPlatforms(_ context.Context, t *testing.T, _ int) (string, error) {
	var all error
	for _, f := range []chatsim.Fault{
		{Path: "/v1/api/bot/customers", Status: http.StatusInternalServerError, Times: 20},
		{Path: "/v1/api/accountLink/unlink", Status: http.StatusTooManyRequests, RetryAfter: 2, Times: 5},
		{Path: "/v25.0", Status: http.StatusTooManyRequests, RetryAfter: 1, Times: 20},
		{Path: "/v2/bot/profile", Times: 5}, // garbage
	} {
		all = errors.Join(all, w.control(t, http.MethodPost, "faults", f, nil))
	}
	return fmt.Sprintf(": 429, 500 and garbage for %s", wrongTime), all
}

func (w *soakWorld) mendPlatforms(_ context.Context, t *testing.T) error {
	return w.control(t, http.MethodDelete, "faults", nil, nil)
}
