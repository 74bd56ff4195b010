//go:build browser

package browser

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"channellink.dev/operator/internal/chatsim"
	"channellink.dev/operator/webhookserver/adminapi"
	"channellink.dev/operator/webhookserver/authorize/dextest"
	"channellink.dev/operator/webhookserver/config"
	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/secretfile"
	"channellink.dev/operator/webhookserver/store"
	"channellink.dev/operator/webhookserver/store/pgtest"
)

// route is one of the four ways from a chat to a link. Its name is that of its channel.
type route struct {
	name      string
	platform  string // as the settings have it
	kind      chatsim.Kind
	pageID    string
	botBonnie bool
}

var routes = []route{
	{"botbonnie-line", "LINE", chatsim.LINE, "507oftxz", true},
	{"botbonnie-messenger", "Facebook", chatsim.Messenger, "100200300400", true},
	{"messenger", "Facebook", chatsim.Messenger, "100200300401", false},
	{"line", "LINE", chatsim.LINE, "507oftxy", false},
}

func (r route) publicURL(w *world) string { return w.link + "/" + r.name }

func (r route) id() link.ChannelID { return link.NewChannelID(r.platform, r.pageID) }

// What both sides of a route know.
const (
	platformSecret = "platform-secret-"
	platformToken  = "platform-token-"
	botToken       = "bot-token-"
	botSecret      = "bot-secret-"
	botUser        = "Ub000000000000000000000000000000f"
)

// chatChannels are the routes as the simulator knows them.
func chatChannels(w *world) []chatsim.Channel {
	var channels []chatsim.Channel
	for _, r := range w.routes {
		c := chatsim.Channel{
			Name: r.name, Kind: r.kind, PageID: r.pageID, BotUserID: botUser,
			Secret: platformSecret + r.name, AccessToken: platformToken + r.name, VerifyToken: "verify-" + r.name,
			RequireProof: true, Server: r.publicURL(w),
		}
		if r.botBonnie {
			c.BotBonnie = &chatsim.BotBonnie{BotID: "bot-" + r.name, APIToken: botToken + r.name, APISecret: botSecret + r.name}
		}
		channels = append(channels, c)
	}
	return channels
}

// mounts writes the secrets that the settings name, a file for each, as a volume does.
type mounts struct {
	t   *testing.T
	dir string
}

func (m mounts) file(field, content string) *config.File {
	m.t.Helper()
	f := &config.File{Field: field, Path: filepath.Join(m.dir, strings.NewReplacer("[", "-", "]", "-").Replace(field))}
	if err := os.WriteFile(f.Path, []byte(content), 0o600); err != nil {
		m.t.Fatal(err)
	}
	return f
}

// channel is a route as the server's settings have it.
func (w *world) channel(t *testing.T, r route) config.Channel {
	t.Helper()
	m := mounts{t, t.TempDir()}
	c := config.Channel{
		UID: "uid-" + r.name, Namespace: "test", Name: r.name, Platform: r.platform, PageID: r.pageID,
		DisplayName: "Vision HR", PublicURL: r.publicURL(w),
		OIDC: config.OIDC{
			IssuerURL: w.issuer, ClientID: dextest.ClientID,
			ClientSecret: m.file("oidc.clientSecretRef", dextest.ClientSecret),
			Scopes:       []string{"openid", "profile", "email"}, UserClaim: "sub", DisplayClaims: []string{"name", "email"},
		},
	}
	chat := "http://" + chatHost + strings.TrimPrefix(w.chat, "http://localhost")
	if r.botBonnie {
		c.BotBonnie = &config.BotBonnie{
			BotID: "bot-" + r.name, MaxCallsPerSecond: 20, APIEndpoint: w.chat, RedirectEndpoint: chat + "/account/link",
			APIToken:  *m.file("botBonnie.apiTokenSecretRef", botToken+r.name),
			APISecret: m.file("botBonnie.apiSecretRef", botSecret+r.name),
		}
	}
	switch {
	case r.kind == chatsim.Messenger:
		// BotBonnie holds the page's secrets where it stands in front; the hosts are the browser's matter still.
		c.Messenger = &config.Messenger{RedirectHosts: []string{chatHost}, GraphEndpoint: w.chat + "/v25.0"}
		if !r.botBonnie {
			c.Messenger.AppSecret = m.file("messenger.appSecretRef", platformSecret+r.name)
			c.Messenger.VerifyToken = m.file("messenger.verifyTokenSecretRef", "verify-"+r.name)
			c.Messenger.PageAccessToken = m.file("messenger.pageAccessTokenSecretRef", platformToken+r.name)
		}
	case !r.botBonnie:
		c.LINE = &config.LINE{
			ChannelSecret:      m.file("line.channelSecretRef", platformSecret+r.name),
			ChannelAccessToken: m.file("line.channelAccessTokenSecretRef", platformToken+r.name),
			BotUserID:          botUser, APIEndpoint: w.chat, AccountLinkEndpoint: chat + "/dialog/bot/accountLink",
		}
	}
	if w.adjust != nil {
		w.adjust(r, &c)
	}
	return c
}

// storeKind is where the servers keep links.
type storeKind string

const (
	sqlite   storeKind = "SQLite"
	postgres storeKind = "PostgreSQL" // with two replicas
)

// startServers writes the settings, starts one server or two, and opens their store beside them.
func (w *world) startServers(t *testing.T, kind storeKind) {
	t.Helper()
	w.settings = t.TempDir()
	s := config.Settings{
		Version: config.Version, LogLevel: "debug", Network: config.Network{AllowLocal: true},
		Store: config.Store{AuditRetention: config.Duration(time.Hour)},
	}
	for _, r := range w.routes {
		s.Channels = append(s.Channels, w.channel(t, r))
	}
	var dsn string
	replicas := 1
	if kind == sqlite {
		s.Store.SQLite = &config.SQLite{Dir: t.TempDir()}
	} else {
		pg := pgtest.Start(t)
		dsn, replicas = pg.DSN(pg.NewDatabase(t)), 2
		s.Store.Postgres = &config.Postgres{DSN: *mounts{t, t.TempDir()}.file("store.postgres.dsnSecretRef", dsn), MaxConns: 4}
	}
	w.writeSettings(t, s)
	for range replicas {
		if w.clock != nil {
			w.servers = append(w.servers, w.startOwn(t, s))
			continue
		}
		w.servers = append(w.servers, startServer(t, w.settings))
	}
	var opened *store.Store
	var err error
	if kind == sqlite {
		opened, err = store.OpenSQLite(t.Context(), store.SQLiteOptions{
			Options: store.Options{Beside: true}, Path: filepath.Join(s.Store.SQLite.Dir, store.DatabaseFile),
		})
	} else {
		opened, err = store.OpenPostgres(t.Context(), store.PostgresOptions{
			Options: store.Options{Beside: true}, DSN: secretfile.NewSecret(dsn), MaxConns: 2,
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = opened.Close() })
	w.store = opened
}

func (w *world) writeSettings(t *testing.T, s config.Settings) {
	t.Helper()
	file, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := adminapi.MarshalKeys(adminapi.KeySet{})
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{config.SettingsFile: file, config.OperatorKeysFile: keys} {
		if err := os.WriteFile(filepath.Join(w.settings, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
