//go:build soak

package soak

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"channellink.dev/operator/internal/chatsim"
	"channellink.dev/operator/test/machine"
	"channellink.dev/operator/webhookserver/adminapi"
	"channellink.dev/operator/webhookserver/authorize/issuer/issuertest"
	"channellink.dev/operator/webhookserver/config"
	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/secretfile"
	"channellink.dev/operator/webhookserver/store"
	"channellink.dev/operator/webhookserver/store/pgtest"
)

// The hosts of the servers and of the simulator; every name below localhost is on loopback.
const (
	linkHost = "link.localhost"
	chatHost = "chat.localhost"
)

// channel is one way from a chat to a link.
type channel struct {
	name, platform, pageID string
	kind                   chatsim.Kind
	botBonnie              bool
	logsOut                bool // LINE alone has no button for it
}

var channels = []channel{
	{"line", "LINE", "507oftxy", chatsim.LINE, false, false},
	{"messenger", "Facebook", "100200300401", chatsim.Messenger, false, true},
	{"botbonnie-line", "LINE", "507oftxz", chatsim.LINE, true, true},
	{"botbonnie-messenger", "Facebook", "100200300400", chatsim.Messenger, true, true},
}

func (c channel) id() link.ChannelID { return link.NewChannelID(c.platform, c.pageID) }

// world is everything around the people.
type world struct {
	channels   []channel
	provider   *issuertest.Issuer
	pg         *pgtest.Server
	proxy      *pgtest.Proxy // between the servers and the database
	store      *store.Store  // the database as it is, past the proxy
	servers    []*server
	settings   string // directory
	link, chat string // origins: of the servers, of the simulator as the servers reach it
	// network is that of the people, inFront that of the proxy, ofPlatforms that of the simulator.
	network, inFront, ofPlatforms *http.Transport
	tally                         tally
	visitors                      atomic.Int64
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{
		channels: channels, provider: issuertest.New(t), pg: pgtest.Start(t),
		network: machine.Loopback(), inFront: machine.Loopback(), ofPlatforms: machine.Loopback(),
	}
	front, simulator := httptest.NewUnstartedServer(w.front()), httptest.NewUnstartedServer(nil)
	w.link = "http://" + linkHost + ":" + machine.Port(front.Listener)
	w.chat = "http://localhost:" + machine.Port(simulator.Listener)
	playing, err := chatsim.New(chatsim.Config{
		URL: "http://" + chatHost + ":" + machine.Port(simulator.Listener), APIURL: w.chat, Channels: w.atPlatforms(),
	}, chatsim.Options{Now: time.Now, Transport: w.ofPlatforms})
	if err != nil {
		t.Fatal(err)
	}
	simulator.Config.Handler = playing
	simulator.Start()
	t.Cleanup(simulator.Close)
	for _, c := range w.channels { // a webhook that nobody took comes again, until the weather is better
		if err := w.control(http.MethodPut, "channels/"+c.name+"/switches", chatsim.Switches{Redeliver: 1 << 20}, nil); err != nil {
			t.Fatal(err)
		}
	}

	database := w.pg.NewDatabase(t)
	w.proxy = w.pg.NewProxy(t)
	w.writeSettings(t, w.proxy.DSN(database))
	w.servers = []*server{startServer(t, w.settings), startServer(t, w.settings)}
	w.store, err = store.OpenPostgres(t.Context(), store.PostgresOptions{
		Options: store.Options{Beside: true}, DSN: secretfile.NewSecret(w.pg.DSN(database)), MaxConns: 4,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.store.Close() })
	front.Start()
	t.Cleanup(front.Close)
	return w
}

// front gives each request to the next server that is up, as a Service does.
func (w *world) front() http.Handler {
	var turn atomic.Int64
	return machine.Whole(&httputil.ReverseProxy{
		Transport: w.inFront,
		Rewrite: func(r *httputil.ProxyRequest) {
			next := w.servers[int(turn.Add(1))%len(w.servers)]
			if next.down.Load() {
				next = w.servers[0]
			}
			r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = "http", next.public, r.In.Host
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	})
}

// What both sides of a channel know.
const (
	platformSecret = "platform-secret-"
	platformToken  = "platform-token-"
	botToken       = "bot-token-"
	botSecret      = "bot-secret-"
	botUser        = "Ub000000000000000000000000000000f"
)

// atPlatforms are the channels as the simulator knows them.
func (w *world) atPlatforms() []chatsim.Channel {
	var list []chatsim.Channel
	for _, c := range w.channels {
		there := chatsim.Channel{
			Name: c.name, Kind: c.kind, PageID: c.pageID, BotUserID: botUser,
			Secret: platformSecret + c.name, AccessToken: platformToken + c.name, VerifyToken: "verify-" + c.name,
			RequireProof: true, Server: w.link + "/" + c.name,
		}
		if c.botBonnie {
			there.BotBonnie = &chatsim.BotBonnie{BotID: "bot-" + c.name, APIToken: botToken + c.name, APISecret: botSecret + c.name}
		}
		list = append(list, there)
	}
	return list
}

// inSettings is a channel as the servers know it.
func (w *world) inSettings(t *testing.T, c channel) config.Channel {
	t.Helper()
	file := func(field, content string) *config.File {
		f := &config.File{Field: field, Path: filepath.Join(t.TempDir(), field)}
		if err := os.WriteFile(f.Path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return f
	}
	s := config.Channel{
		UID: "uid-" + c.name, Namespace: "test", Name: c.name, Platform: c.platform, PageID: c.pageID,
		DisplayName: "Vision HR", PublicURL: w.link + "/" + c.name,
		OIDC: config.OIDC{
			IssuerURL: w.provider.URL, ClientID: "chatbot", ClientSecret: file("oidc.clientSecretRef", "secret"),
			Scopes: []string{"openid"}, UserClaim: "sub",
		},
	}
	chat := strings.Replace(w.chat, "localhost", chatHost, 1)
	if c.botBonnie {
		s.BotBonnie = &config.BotBonnie{
			BotID: "bot-" + c.name, MaxCallsPerSecond: 20, APIEndpoint: w.chat, RedirectEndpoint: chat + "/account/link",
			APIToken:  *file("botBonnie.apiTokenSecretRef", botToken+c.name),
			APISecret: file("botBonnie.apiSecretRef", botSecret+c.name),
		}
	}
	switch {
	case c.kind == chatsim.Messenger:
		s.Messenger = &config.Messenger{RedirectHosts: []string{chatHost}, GraphEndpoint: w.chat + "/v25.0"}
		if !c.botBonnie {
			s.Messenger.AppSecret = file("messenger.appSecretRef", platformSecret+c.name)
			s.Messenger.VerifyToken = file("messenger.verifyTokenSecretRef", "verify-"+c.name)
			s.Messenger.PageAccessToken = file("messenger.pageAccessTokenSecretRef", platformToken+c.name)
		}
	case !c.botBonnie:
		s.LINE = &config.LINE{
			ChannelSecret:      file("line.channelSecretRef", platformSecret+c.name),
			ChannelAccessToken: file("line.channelAccessTokenSecretRef", platformToken+c.name),
			BotUserID:          botUser, APIEndpoint: w.chat, AccountLinkEndpoint: chat + "/dialog/bot/accountLink",
		}
	}
	return s
}

func (w *world) writeSettings(t *testing.T, dsn string) {
	t.Helper()
	w.settings = t.TempDir()
	secret := filepath.Join(w.settings, "dsn")
	s := config.Settings{
		Version: config.Version, Network: config.Network{AllowLocal: true},
		Store: config.Store{
			AuditRetention: config.Duration(time.Hour),
			Postgres:       &config.Postgres{DSN: config.File{Field: "store.postgres.dsnSecretRef", Path: secret}, MaxConns: 4},
		},
	}
	for _, c := range w.channels {
		s.Channels = append(s.Channels, w.inSettings(t, c))
	}
	file, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := adminapi.MarshalKeys(adminapi.KeySet{})
	if err != nil {
		t.Fatal(err)
	}
	for path, content := range map[string][]byte{
		secret: []byte(dsn), filepath.Join(w.settings, config.SettingsFile): file, filepath.Join(w.settings, config.OperatorKeysFile): keys,
	} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// control calls the simulator's control API.
func (w *world) control(method, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequest(method, w.chat+"/sim/"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := w.network.RoundTrip(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	said, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode > 299 {
		return fmt.Errorf("simulator: %s %s: %d %s", method, path, resp.StatusCode, said)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(said, out)
}
