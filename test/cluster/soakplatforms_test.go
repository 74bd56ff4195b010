//go:build cluster && soak

package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"channellink.dev/operator/internal/chatsim"
)

// playPlatforms plays LINE, Messenger and BotBonnie, and the company's bot, outside the cluster.
func (w *soakWorld) playPlatforms(t *testing.T, at net.Listener, objects []*unstructured.Unstructured) {
	t.Helper()
	var secrets map[string]string
	for _, object := range objects {
		if object.GetKind() == "Secret" && object.GetName() == "channels" {
			secrets, _, _ = unstructured.NestedStringMap(object.Object, "stringData") // it is in testdata
		}
	}
	channel := func(name string, kind chatsim.Kind) chatsim.Channel {
		return chatsim.Channel{
			Name: name, Kind: kind, PageID: w.namespace + "." + name, BotUserID: "Ub21f25d1c6b9a3a1ab3f4c60a2c5e7d9",
			Secret: secrets[string(kind)+"-secret"], AccessToken: secrets[string(kind)+"-token"],
			VerifyToken: secrets["messenger-verify"], RequireProof: true,
			Server: fmt.Sprintf("http://%s-%s.localhost:%s", name, w.namespace, port),
		}
	}
	behind := channel("botbonnie", chatsim.LINE)
	behind.BotBonnie = &chatsim.BotBonnie{
		BotID: "bot-" + w.namespace, APIToken: secrets["botbonnie-token"], APISecret: secrets["botbonnie-secret"],
	}
	var err error
	w.simulator, err = chatsim.New(chatsim.Config{
		URL:      "http://" + w.chatHost(),
		Channels: []chatsim.Channel{channel("messenger", chatsim.Messenger), channel("line", chatsim.LINE), behind},
	}, chatsim.Options{Now: time.Now, Transport: &w.platforms})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"messenger", "line"} { // what nobody took comes again, until somebody does
		if err := w.control(t, http.MethodPut, "channels/"+name+"/switches", chatsim.Switches{Redeliver: 1 << 20}, nil); err != nil {
			t.Fatal(err)
		}
	}
	routes := http.NewServeMux()
	routes.Handle("POST /bot", &w.bot)
	routes.Handle("/"+w.namespace+"/", http.StripPrefix("/"+w.namespace, w.simulator))
	routes.Handle("/", w.simulator)
	server := httptest.NewUnstartedServer(routes)
	_ = server.Listener.Close()
	server.Listener = at
	server.Start()
	t.Cleanup(server.Close)
}

// The hosts of the platforms: that of browsers, and that of servers.
func (w *soakWorld) chatHost() string { return "chat-" + w.namespace + ".localhost:" + port }

const chatHostOfServers = "chatsim.localhost"

// control calls the simulator's control API.
func (w *soakWorld) control(t *testing.T, method, path string, in, out any) error {
	t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	said := httptest.NewRecorder()
	w.simulator.ServeHTTP(said, httptest.NewRequestWithContext(t.Context(), method, "/sim/"+path, bytes.NewReader(body)))
	if said.Code > 299 {
		return fmt.Errorf("simulator: %s %s: %d %s", method, path, said.Code, said.Body)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(said.Body.Bytes(), out)
}

// comesAgain is how long a platform leaves a server alone that has not taken a webhook. Theirs is longer.
const comesAgain = 500 * time.Millisecond

// patient is the platforms' way to the servers.
type patient struct {
	to http.RoundTripper
	// sent webhooks there were, and again so many of them were sent because the time before nobody had taken it.
	sent, again atomic.Int64
}

// RoundTrip implements http.RoundTripper.
func (p *patient) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := p.to.RoundTrip(r)
	if !strings.HasSuffix(r.URL.Path, "/webhook") {
		return resp, err
	}
	p.sent.Add(1)
	if err != nil || resp.StatusCode > 299 {
		p.again.Add(1)
		pause(context.WithoutCancel(r.Context()), comesAgain)
	}
	return resp, err
}

// soakBot is the company's bot: it remembers who said something.
type soakBot struct {
	mu    sync.Mutex
	heard map[string]int
}

var words = regexp.MustCompile(`these are the words of visitor \d+`)

func wordsOf(visitor int64) string { return fmt.Sprintf("these are the words of visitor %d", visitor) }

// ServeHTTP takes a webhook that a server has sent on.
func (b *soakBot) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body bytes.Buffer
	if _, err := body.ReadFrom(http.MaxBytesReader(w, r.Body, 1<<20)); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.heard == nil {
		b.heard = map[string]int{}
	}
	for _, said := range words.FindAllString(body.String(), -1) {
		b.heard[said]++
	}
}
