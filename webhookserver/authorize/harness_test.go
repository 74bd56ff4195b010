package authorize_test

import (
	"context"
	"html"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"channellink.dev/operator/webhookserver/authorize"
	"channellink.dev/operator/webhookserver/authorize/issuer"
	"channellink.dev/operator/webhookserver/authorize/issuer/issuertest"
	"channellink.dev/operator/webhookserver/config"
	"channellink.dev/operator/webhookserver/line"
	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/logtest"
	"channellink.dev/operator/webhookserver/messenger"
	"channellink.dev/operator/webhookserver/outbound"
	"channellink.dev/operator/webhookserver/pages"
	"channellink.dev/operator/webhookserver/secretfile"
	"channellink.dev/operator/webhookserver/store"
	"channellink.dev/operator/webhookserver/store/pgtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	publicURL   = "https://link.vision.example/hr"
	clientID    = "chatbot"
	canary      = "CANARY-4e7a" // in every secret: it must be in nothing that is shown or logged
	linkToken   = "NMZTNuVrPTqlr2IF8Bnymkb7rXfYv5EY"
	loginURL    = "/authorize?linkToken=" + linkToken
	lineLinkURL = "https://access.line.me/dialog/bot/accountLink"
)

// world is the logins of a LINE channel on SQLite, with an issuer that does what it is told.
type world struct {
	Issuer *issuertest.Issuer
	Store  *store.Store
	// Platform may be changed until start.
	Platform *platform

	options authorize.Options
	mux     *http.ServeMux
	logs    *logtest.Buffer

	mu      sync.Mutex
	ahead   time.Duration // of the real time
	reasons map[authorize.Reason]int
}

type option func(*world, *authorize.Options)

// oidc changes the settings of the channel's provider.
func oidc(change func(*config.OIDC)) option {
	return func(_ *world, o *authorize.Options) { change(&o.Channel.OIDC) }
}

func newWorld(t testing.TB, options ...option) *world {
	t.Helper()
	w := &world{
		Issuer:   issuertest.New(t),
		Platform: &platform{},
		logs:     &logtest.Buffer{},
		reasons:  map[authorize.Reason]int{},
	}
	w.Store = openStore(t)
	w.options = authorize.Options{
		Channel: config.Channel{
			UID: "0b7c1f52", Name: "vision-hr", Platform: "LINE", PageID: "507oftxz",
			DisplayName: "Vision HR", PublicURL: publicURL,
			OIDC: config.OIDC{
				IssuerURL: w.Issuer.URL, ClientID: clientID, Scopes: []string{"openid", "profile"},
				UserClaim: "sub", DisplayClaims: []string{"name", "email"},
			},
		},
		ID:       link.NewChannelID("LINE", "507oftxz"),
		Platform: w.Platform,
		Store:    func() (link.SessionStore, error) { return w.Store, nil },
		Secrets:  authorize.Secrets{ClientSecret: secret(canary + "-client+/ secret")},
		Now:      w.now,
		Log:      slog.New(slog.NewJSONHandler(w.logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Observe: func(_ string, reason authorize.Reason) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.reasons[reason]++
		},
	}
	for _, o := range options {
		o(w, &w.options)
	}
	client := outbound.New(outbound.Options{Policy: outbound.Policy{AllowLocal: true, AllowHTTPLocalhost: true}})
	t.Cleanup(client.CloseIdleConnections)
	if w.options.Client == nil {
		w.options.Client = client
	}
	if w.options.Issuer == nil {
		w.options.Issuer = watch(t, w, client)
	}
	logins, err := authorize.New(w.options)
	if err != nil {
		t.Fatal(err)
	}
	w.mux = http.NewServeMux()
	w.mux.HandleFunc("GET /authorize", logins.Authorize)
	w.mux.HandleFunc("GET /callback", logins.Callback)
	w.mux.HandleFunc("GET /consent/{flow}", logins.Consent)
	w.mux.HandleFunc("POST /consent/{flow}", logins.Consent)
	t.Cleanup(func() {
		if text := w.logs.String(); strings.Contains(text, canary) || strings.Contains(text, linkToken) || strings.Contains(text, issuertest.Subject) {
			t.Errorf("what belongs to a person or is secret is in the log:\n%s", text) // C27
		}
	})
	return w
}

// replica serves the same channel from the same database.
func (w *world) replica(t testing.TB) *world {
	t.Helper()
	return newWorld(t, func(r *world, o *authorize.Options) {
		r.Issuer, r.Store = w.Issuer, w.Store
		o.Channel.OIDC.IssuerURL = w.Issuer.URL
	})
}

// stores are the databases that a login may be in.
func stores(t testing.TB) map[string]option {
	t.Helper()
	server := pgtest.Start(t)
	return map[string]option{
		"sqlite": func(*world, *authorize.Options) {},
		"postgres": func(w *world, _ *authorize.Options) {
			dsn := secretfile.NewSecret(server.DSN(server.NewDatabase(t)))
			s, err := store.OpenPostgres(t.Context(), store.PostgresOptions{DSN: dsn, MaxConns: 10})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			})
			w.Store = s
		},
	}
}

func openStore(t testing.TB) *store.Store {
	t.Helper()
	s, err := store.OpenSQLite(t.Context(), store.SQLiteOptions{Path: filepath.Join(t.TempDir(), "links.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// watch starts a watcher of the issuer and waits until it has its documents.
func watch(t testing.TB, w *world, client *outbound.Client) *issuer.Watcher {
	t.Helper()
	watcher := issuer.NewWatcher(issuer.WatcherOptions{
		Channel: w.options.ID, IssuerURL: w.options.Channel.OIDC.IssuerURL, Client: client, Store: w.Store,
	})
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	var running sync.WaitGroup
	running.Go(func() { watcher.Run(ctx) })
	t.Cleanup(func() { stop(); running.Wait() })
	waitFor(t, func() bool { _, ok := watcher.Metadata(); return ok })
	return watcher
}

func waitFor(t testing.TB, done func() bool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("it did not happen within 30 s")
		}
	}
}

func secret(value string) func() (secretfile.Secret, bool) {
	return func() (secretfile.Secret, bool) { return secretfile.NewSecret(value), true }
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Add(w.ahead)
}

func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ahead += d
}

// count is how often steps ended with a reason.
func (w *world) count(reason authorize.Reason) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.reasons[reason]
}

// pending are the links that wait for their confirmation.
func (w *world) pending(t testing.TB) []link.Link {
	t.Helper()
	links, err := w.Store.UnconfirmedLinks(t.Context(), w.options.ID, "", w.now(), 100)
	if err != nil {
		t.Fatal(err)
	}
	return links
}

// platform is LINE, or Messenger if redirects are set, and says of the chat user what the test tells it to.
type platform struct {
	redirects *messenger.Redirects
	user      link.ChatUser
	err       error
	// claimed is the user that the parameters claim.
	claimed string
	// end is when the token ends, where that is known.
	end time.Time
}

func (p *platform) Enter(_ context.Context, query url.Values) (e link.Entry, err error) {
	if p.redirects != nil {
		e, err = messenger.Enter(query, *p.redirects)
	} else {
		e, err = line.Enter(query)
	}
	e.UserID, e.TokenEnd = p.claimed, p.end
	return e, err
}

func (p *platform) Return(e link.Entry, code string) (string, error) {
	if p.redirects != nil {
		return messenger.Return(e, code, *p.redirects)
	}
	return line.Return(e, code, lineLinkURL)
}

func (p *platform) Cancel(e link.Entry) (string, bool) {
	if p.redirects != nil {
		return messenger.Cancel(e, *p.redirects)
	}
	return "", false
}

func (p *platform) ChatUser(context.Context, link.Entry) (link.ChatUser, error) { return p.user, p.err }

// browser keeps cookies and follows nothing by itself.
type browser struct {
	w       *world
	mu      sync.Mutex
	cookies map[string]string
}

func (w *world) browser() *browser { return &browser{w: w, cookies: map[string]string{}} }

// page is what a browser got.
type page struct {
	Code     int
	Header   http.Header
	Body     string
	Location string
}

func (b *browser) do(t testing.TB, r *http.Request) page {
	t.Helper()
	r.Host = "link.vision.example"
	b.mu.Lock()
	for _, name := range slices.Sorted(maps.Keys(b.cookies)) {
		r.AddCookie(&http.Cookie{Name: name, Value: b.cookies[name]})
	}
	b.mu.Unlock()
	recorder := httptest.NewRecorder()
	b.w.mux.ServeHTTP(recorder, r)
	got := recorder.Result()
	defer func() { _ = got.Body.Close() }()
	body, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range got.Cookies() {
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		} else {
			b.cookies[c.Name] = c.Value
		}
	}
	return page{Code: got.StatusCode, Header: got.Header, Body: string(body), Location: got.Header.Get("Location")}
}

func (b *browser) get(t testing.TB, path string) page {
	t.Helper()
	return b.do(t, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
}

// press sends the consent form as a browser does.
func (b *browser) press(t testing.TB, consent page, choice string) page {
	t.Helper()
	path, token := form(t, consent)
	return b.do(t, post(t, path, token, choice))
}

func post(t testing.TB, path, token, choice string) *http.Request {
	t.Helper()
	body := url.Values{pages.FieldToken: {token}, pages.FieldChoice: {choice}}.Encode()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Origin", "https://link.vision.example")
	return r
}

var (
	actionAttr = regexp.MustCompile(`action="([^"]*)"`)
	tokenAttr  = regexp.MustCompile(`name="` + pages.FieldToken + `"[^>]* value="([^"]*)"`)
)

// form returns where the consent form goes and the token in it.
func form(t testing.TB, consent page) (path, token string) {
	t.Helper()
	action, field := actionAttr.FindStringSubmatch(consent.Body), tokenAttr.FindStringSubmatch(consent.Body)
	if consent.Code != http.StatusOK || action == nil || field == nil {
		t.Fatalf("not a consent page: %d\n%s", consent.Code, consent.Body)
	}
	return below(t, html.UnescapeString(action[1])), html.UnescapeString(field[1])
}

// below takes the public URL off, as the server does before it routes.
func below(t testing.TB, location string) string {
	t.Helper()
	path, ok := strings.CutPrefix(location, publicURL)
	if !ok {
		t.Fatalf("%q is not below the public URL", location)
	}
	return path
}

// atIssuer begins a login and returns the address at the issuer.
func (b *browser) atIssuer(t testing.TB) string {
	t.Helper()
	p := b.get(t, loginURL)
	if p.Code != http.StatusFound {
		t.Fatalf("the login did not begin: %d\n%s", p.Code, p.Body)
	}
	return p.Location
}

// signedIn goes on from the issuer to what the callback answers.
func (b *browser) signedIn(t testing.TB, login issuertest.Login) page {
	t.Helper()
	back := b.w.Issuer.SignIn(t, b.atIssuer(t), login)
	return b.get(t, "/callback?"+back.Encode())
}

// atConsent goes on to the consent page.
func (b *browser) atConsent(t testing.TB) page {
	t.Helper()
	p := b.signedIn(t, issuertest.Login{})
	if p.Code != http.StatusSeeOther {
		t.Fatalf("the sign-in ended with %d:\n%s\n%s", p.Code, p.Body, b.w.logs)
	}
	return b.get(t, below(t, p.Location))
}
