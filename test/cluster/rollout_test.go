//go:build cluster

package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/chatsim"
	"channellink.dev/operator/webhookserver/store/pgtest"
)

// Each of them is enough for a loss that is not rare; ROLLOUTS=20 plays the twenty of C79.
const rollouts = 3

// sqliteGap bounds how long a channel on SQLite is away while its server is replaced.
const sqliteGap = 10 * time.Second

// Load beside the logins, at a rate that leaves two cores time for the rollouts.
const (
	betweenEvents = 100 * time.Millisecond
	// requestTime is how long LINE waits; nothing may take longer.
	requestTime = 2 * time.Second
)

// C79, and C47 on a cluster: people log in, the platform sends events and the bot looks users up, while the servers are rolled
// out again and again and the app secret is renewed. Nothing is lost and nothing refused.
func TestRolloutsLoseNothing(t *testing.T) {
	link := onPostgres(t)
	c := enter(t, link.Namespace)
	ctx, stop := context.WithCancel(t.Context())
	var load sync.WaitGroup
	events, lookUps := &tally{}, &tally{}
	address := string(link.Spec.PublicURL) + "/api/v1/users/" + c.user.ID
	load.Go(func() {
		events.every(ctx, func() error {
			return tryControl(t, http.MethodPost, c.path()+"/messages", chatsim.Said{Text: "hello"}, nil)
		})
	})
	load.Go(func() { lookUps.every(ctx, func() error { return lookUp(ctx, address) }) })
	changes := make(chan error, 1)
	load.Go(func() {
		defer close(changes)
		for round := range envNumber("ROLLOUTS", rollouts) {
			if err := rollOut(ctx, link, round); err != nil {
				changes <- err
				return
			}
			if round == 0 {
				if err := renewAppSecret(ctx, t, link); err != nil {
					changes <- err
					return
				}
			}
		}
	})

	logins := 0
	for busy := true; busy; logins++ {
		select {
		case err := <-changes:
			if busy = false; err != nil {
				t.Error(err)
			}
		default:
		}
		var somebody chatsim.User
		var login chatsim.Login
		control(t, http.MethodPost, "channels/"+link.Namespace+"/users", chatsim.User{Name: "Julien Dupont"}, &somebody)
		control(t, http.MethodPost, "channels/"+link.Namespace+"/users/"+somebody.ID+"/login", nil, &login)
		newPerson(t).logIn(login.URL) // it ends with the platform's yes, once the event is acknowledged
		if err := linkedNow(ctx, string(link.Spec.PublicURL)+"/api/v1/users/"+somebody.ID); err != nil {
			t.Errorf("login %d: %v", logins, err)
		}
	}
	stop()
	load.Wait()

	for name, n := range map[string]*tally{"events": events, "look-ups": lookUps} {
		if len(n.failures) > 0 || n.count == 0 {
			t.Errorf("%d of %d %s failed: %v", len(n.failures), n.count, name, n.failures)
		}
	}
	for _, r := range requests(t, c.channel) {
		if r.Sent && r.Status != http.StatusOK {
			t.Errorf("%s: an event was answered %d: %s", r.At.Format(time.TimeOnly), r.Status, r.Refusal)
		}
	}
	t.Logf("%d logins, %d events, %d look-ups", logins, events.count, lookUps.count)
}

// C79: on SQLite there is one server at a time, and nobody serves from the end of one to the readiness of the next.
func TestRolloutOnSQLiteHasAGap(t *testing.T) {
	link := newLink(t, namespace(t), "hr")
	create(t, link)
	awaitReady(t, link)
	awaitPage(t, link, "Vision HR")

	ctx, stop := context.WithCancel(t.Context())
	page := string(link.Spec.PublicURL) + "/"
	var from, to time.Time // the first failure, and the last
	var watching sync.WaitGroup
	watching.Go(func() {
		n := &tally{}
		n.every(ctx, func() error {
			if status, _ := get(t, page); status != http.StatusOK && ctx.Err() == nil {
				to = time.Now()
				if from.IsZero() {
					from = to
				}
			}
			return nil
		})
	})
	if err := rollOut(ctx, link, 0); err != nil {
		t.Error(err)
	}
	awaitPage(t, link, "Vision HR 0")
	stop()
	watching.Wait()
	if gap := to.Sub(from); from.IsZero() || gap > sqliteGap {
		t.Errorf("nobody served for %s, want at most %s", gap, sqliteGap)
	} else {
		t.Logf("nobody served for %s", gap)
	}
}

// tally counts what was tried, and keeps what went wrong.
type tally struct {
	count    int
	failures []error
}

// every does something again and again until the context ends.
func (n *tally) every(ctx context.Context, do func() error) {
	tick := time.NewTicker(betweenEvents)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			err := do()
			if ctx.Err() != nil {
				return
			}
			n.count++
			if err != nil {
				n.failures = append(n.failures, err)
			}
		}
	}
}

func lookUp(ctx context.Context, address string) error {
	_, err := lookedUp(ctx, address)
	return err
}

func linkedNow(ctx context.Context, address string) error {
	said, err := lookedUp(ctx, address)
	if err == nil && !strings.Contains(said, `"linked":true`) {
		err = fmt.Errorf("the platform has said yes, and the server %s", said)
	}
	return err
}

func lookedUp(ctx context.Context, address string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer bot-token")
	resp, err := loopback.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	said, err := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, said)
	}
	return string(said), err
}

// rollOut changes what is hashed into the pods' template, and waits until new pods have taken the place of the old ones.
func rollOut(ctx context.Context, link *v1alpha1.ChannelLink, round int) error {
	patch := fmt.Sprintf(`{"spec":{"displayName":"Vision HR %d"}}`, round)
	deployment := "deployment/" + link.Name
	generation, err := kubectl(ctx, "-n", link.Namespace, "get", deployment, "-o", "jsonpath={.metadata.generation}")
	if err != nil {
		return err
	}
	if out, err := kubectl(ctx, "-n", link.Namespace, "patch", "chl", link.Name, "--type=merge", "-p", patch); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	before, err := strconv.Atoi(generation)
	if err != nil {
		return err
	}
	out, err := kubectl(ctx, "-n", link.Namespace, "wait", "--for=jsonpath={.metadata.generation}="+strconv.Itoa(before+1), deployment, "--timeout=30s")
	if err == nil {
		out, err = kubectl(ctx, "-n", link.Namespace, "rollout", "status", deployment, "--timeout=120s")
	}
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// renewAppSecret renews it without a gap, as docs/security.md says: both values, then the platform's, then the new one alone.
func renewAppSecret(ctx context.Context, t *testing.T, link *v1alpha1.ChannelLink) error {
	const old, renewed = "app-secret", "renewed-app-secret"
	if err := setAppSecret(ctx, link, renewed+"\\n"+old); err != nil {
		return err
	}
	err := tryControl(t, http.MethodPut, "channels/"+link.Namespace+"/credentials", chatsim.Credentials{Secret: renewed}, nil)
	if err != nil {
		return err
	}
	return setAppSecret(ctx, link, renewed)
}

// setAppSecret writes the Secret, and waits until every server has said that the file has changed.
func setAppSecret(ctx context.Context, link *v1alpha1.ChannelLink, value string) error {
	changes := func() (int, error) {
		log, err := kubectl(ctx, "-n", link.Namespace, "logs", "-l", "app.kubernetes.io/component=server", "--tail=-1")
		n := 0
		for line := range strings.Lines(log) {
			if strings.Contains(line, "file changed") && strings.Contains(line, "appsecret") {
				n++
			}
		}
		return n, err
	}
	before, err := changes()
	if err != nil {
		return err
	}
	out, err := kubectl(ctx, "-n", link.Namespace, "patch", "secret", "app", "-p", `{"stringData":{"appSecret":"`+value+`"}}`)
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	ctx, cancel := context.WithTimeout(ctx, soon)
	defer cancel()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return errors.New("the servers have not seen the renewed Secret")
		case <-tick.C:
			if now, err := changes(); err == nil && now >= before+int(*link.Spec.Server.Replicas) {
				return nil
			}
		}
	}
}

// onPostgres is a Messenger channel without BotBonnie, with two replicas on a PostgreSQL of the test's own.
func onPostgres(t *testing.T) *v1alpha1.ChannelLink {
	t.Helper()
	server := pgtest.Start(t)
	dsn := fmt.Sprintf("postgres://postgres@%s/%s?sslmode=disable", listenFor(t, server.Socket()), server.NewDatabase(t))
	return onMessenger(t, "channellink", func(l *v1alpha1.ChannelLink) {
		createSecret(t, l.Namespace, "postgres", map[string]string{"dsn": dsn})
		l.Spec.Store = &v1alpha1.Store{Postgres: &v1alpha1.PostgresStore{
			DSNSecretRef: v1alpha1.SecretKeyReference{Name: "postgres", Key: "dsn"},
		}}
		l.Spec.Server = &v1alpha1.Server{Replicas: ptr.To[int32](2)}
	})
}

// onMessenger is a Messenger channel without BotBonnie, with a namespace of its own and a chat of that name. Its host is one
// whose callback dex knows (hack/dex/deploy.yaml).
func onMessenger(t *testing.T, host string, changes ...func(*v1alpha1.ChannelLink)) *v1alpha1.ChannelLink {
	t.Helper()
	ns := namespace(t)
	createSecret(t, ns, "app", map[string]string{
		"appSecret": "app-secret", "verifyToken": "verify", "pageAccessToken": "page-" + ns, "api": "bot-token",
	})
	ref := func(key v1alpha1.DataKey) *v1alpha1.SecretKeyReference {
		return &v1alpha1.SecretKeyReference{Name: "app", Key: key}
	}
	link := newLink(t, ns, "hr", append([]func(*v1alpha1.ChannelLink){func(l *v1alpha1.ChannelLink) {
		l.Spec.Platform = v1alpha1.PlatformFacebook
		l.Spec.PublicURL = v1alpha1.URL("http://" + host + ".localhost:" + port)
		l.Spec.BotBonnie = nil
		l.Spec.Messenger = &v1alpha1.Messenger{
			AppSecretRef: ref("appSecret"), VerifyTokenSecretRef: ref("verifyToken"), PageAccessTokenSecretRef: ref("pageAccessToken"),
			RedirectHosts: []v1alpha1.HostName{"chatsim.localhost"}, GraphEndpoint: v1alpha1.URL(simulator() + "/v25.0"),
		}
		l.Spec.API = &v1alpha1.API{TokenSecretRef: ref("api")}
	}}, changes...)...)
	control(t, http.MethodPut, "channels/"+ns, chatsim.Channel{
		Name: ns, Kind: chatsim.Messenger, PageID: link.Spec.PageID, Secret: "app-secret", AccessToken: "page-" + ns,
		VerifyToken: "verify", Server: string(link.Spec.PublicURL),
	}, nil)
	create(t, link)
	awaitReady(t, link)
	awaitPage(t, link, "Vision HR")
	return link
}

// listenFor lets pods reach a socket of this machine, at the node's address.
func listenFor(t *testing.T, socket string) string {
	t.Helper()
	listener := listenOnNode(t)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // closed
			}
			go pipe(conn, socket)
		}
	}()
	return listener.Addr().String()
}

// listenOnNode listens where pods reach this machine: at the node's address. On a cluster elsewhere that is not to be had.
func listenOnNode(t *testing.T) net.Listener {
	t.Helper()
	nodes := &corev1.NodeList{}
	if err := cluster.List(t.Context(), nodes); err != nil {
		t.Fatal(err)
	}
	var host string
	for _, address := range nodes.Items[0].Status.Addresses {
		if address.Type == corev1.NodeInternalIP {
			host = address.Address
		}
	}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Skipf("the cluster's node is not this machine, so that its pods cannot reach what this test runs: %v", err)
	}
	return listener
}

// pipe joins a connection to a socket, until either ends.
func pipe(conn net.Conn, socket string) {
	defer func() { _ = conn.Close() }()
	to, err := new(net.Dialer).DialContext(context.Background(), "unix", socket)
	if err != nil {
		return
	}
	defer func() { _ = to.Close() }()
	go func() {
		_, _ = io.Copy(to, conn)
		_ = to.Close()
	}()
	_, _ = io.Copy(conn, to)
}

func envNumber(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return otherwise
}
