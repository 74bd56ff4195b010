//go:build bench

package bench

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/desired"
	"channellink.dev/operator/webhookserver/adminapi"
	"channellink.dev/operator/webhookserver/authorize/issuer/issuertest"
	"channellink.dev/operator/webhookserver/config"
	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/pages"
	"channellink.dev/operator/webhookserver/secretfile"
	"channellink.dev/operator/webhookserver/secretfile/secretfiletest"
	"channellink.dev/operator/webhookserver/store"
	"channellink.dev/operator/webhookserver/store/pgtest"
)

// What a run of logins is.
const (
	loginClients = 8    // connections, each with one request at a time
	loginWarmUp  = 400  // requests before the measurement
	loginCount   = 4000 // requests of each kind
)

// loginHost is that of the channel's public URL.
const loginHost = "link-00000.bench.example"

// loginRun is one program on one database.
type loginRun struct {
	begin, press path
	grown        int64 // resident memory, from the warm-up to the end of the logins, for each of them, in bytes
	stored       int64 // in the database, for each open session, in bytes
}

// path is one kind of request: how long all of them took, the processor time of the program, and the share of the machine
// that others had meanwhile.
type path struct {
	took, cpu time.Duration
	others    float64
}

// loginProgram is one of the two that are compared.
type loginProgram struct {
	name string
	bare bool
	path string
}

// TestLogins measures GET /authorize and the press on Link beside a server that does nothing but the same statements on the
// same tables, each program in a process of its own, on SQLite and on PostgreSQL.
func TestLogins(t *testing.T) {
	bin := compile(t, "channellink.dev/operator/cmd/webhookserver", "channellink.dev/operator/test/bench/bare")
	bare := loginProgram{"bare", true, filepath.Join(bin, "bare")}
	ours := loginProgram{"server", false, filepath.Join(bin, "webhookserver")}
	for _, kind := range []string{"SQLite", "PostgreSQL"} {
		t.Run(kind, func(t *testing.T) {
			runs := map[string][]loginRun{}
			for round := range *rounds {
				order := []loginProgram{bare, ours}
				if round%2 == 1 {
					order = []loginProgram{ours, bare}
				}
				for _, program := range order {
					name := fmt.Sprintf("round %d, %s", round+1, program.name)
					if !t.Run(name, func(t *testing.T) {
						runs[program.name] = append(runs[program.name], measureLogins(t, program, newLoginDatabase(t, kind)))
					}) {
						t.FailNow()
					}
				}
			}
			reportLogins(t, kind, runs["bare"], runs["server"])
		})
	}
}

// loginDatabase is a fresh database with the schema.
type loginDatabase struct {
	settings config.Store
	dsn      string // of PostgreSQL
	volume   *secretfiletest.Volume
	pg       *pgtest.Server
	name     string
}

const dsnField = "dsn"

func newLoginDatabase(t *testing.T, kind string) loginDatabase {
	t.Helper()
	d := loginDatabase{settings: config.Store{AuditRetention: config.Duration(time.Hour)}}
	if kind == "SQLite" {
		d.settings.SQLite = &config.SQLite{Dir: t.TempDir()}
	} else {
		d.pg = pgtest.Start(t)
		d.name = d.pg.NewDatabase(t)
		d.dsn = d.pg.DSN(d.name)
		d.volume = secretfiletest.NewVolume(t, map[string]string{dsnField: d.dsn})
		d.settings.Postgres = &config.Postgres{DSN: config.File{Field: "store.postgres.dsnSecretRef", Path: d.volume.Path(dsnField)}, MaxConns: 10}
	}
	migrated := d.open(t, false)
	if err := migrated.Close(); err != nil {
		t.Fatal(err)
	}
	return d
}

// open opens the database, as a server or beside one.
func (d loginDatabase) open(t *testing.T, beside bool) *store.Store {
	t.Helper()
	options := store.Options{Beside: beside, MaxSessions: 1 << 40}
	var s *store.Store
	var err error
	if d.settings.SQLite != nil {
		s, err = store.OpenSQLite(t.Context(), store.SQLiteOptions{Options: options, Path: d.file()})
	} else {
		s, err = store.OpenPostgres(t.Context(), store.PostgresOptions{Options: options, DSN: secretfile.NewSecret(d.dsn)})
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (d loginDatabase) file() string { return filepath.Join(d.settings.SQLite.Dir, store.DatabaseFile) }

// startLogins starts a program on a database and returns it and its public address.
func startLogins(t *testing.T, program loginProgram, d loginDatabase) (p *process, address string) {
	t.Helper()
	address = freeAddress(t)
	if program.bare {
		where := "--postgres=" + d.dsn
		if d.settings.SQLite != nil {
			where = "--sqlite=" + d.file()
		}
		p = start(t, nil, program.path, "--address="+address, "--channel="+string(loginChannel), where)
		return p, address
	}
	issuer := issuertest.New(t)
	resource := channelLink(0)
	resource.UID = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"
	resource.Spec.PublicURL = "https://" + loginHost
	resource.Spec.OIDC.IssuerURL = v1alpha1.URL(issuer.URL)
	settings, err := desired.Settings(desired.Input{Link: resource, Operator: desired.Operator{Network: config.Network{AllowLocal: true}}})
	if err != nil {
		t.Fatal(err)
	}
	references := secretfiletest.NewVolume(t, map[string]string{"channel-secret": "5f4dcc3b5aa765d61d8327deb882cf99\n"})
	settings.Channels[0].LINE.ChannelSecret.Path = references.Path("channel-secret")
	settings.Store = d.settings
	file, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := adminapi.MarshalKeys(adminapi.KeySet{})
	if err != nil {
		t.Fatal(err)
	}
	mounted := secretfiletest.NewVolume(t, map[string]string{config.SettingsFile: string(file), config.OperatorKeysFile: string(keys)})
	p = start(t, nil, program.path, "--settings-dir="+mounted.Dir, "--ready-drain=0s",
		"--public-address="+address, "--admin-address=127.0.0.1:0", "--ops-address=127.0.0.1:0")
	return p, address
}

const loginChannel = link.ChannelID("LINE/link-00000")

func measureLogins(t *testing.T, program loginProgram, d loginDatabase) loginRun {
	t.Helper()
	p, address := startLogins(t, program, d)
	begin := func() (request string, status int) {
		return "GET /authorize?linkToken=" + rand.Text() + " HTTP/1.1\r\nHost: " + loginHost +
				"\r\nAccept-Language: zh-TW,zh;q=0.9,en;q=0.8\r\nUser-Agent: Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Line/15.1.0\r\n\r\n",
			http.StatusFound
	}
	sample := firstLogin(t, address, begin)
	send(t, address, loginWarmUp, begin)
	var r loginRun
	settledBefore, _ := p.memory(t)
	r.begin = p.measure(t, address, begin)
	settledAfter, _ := p.memory(t)
	r.grown = (settledAfter - settledBefore) / loginCount
	r.stored = d.size(t) / (1 + loginWarmUp + loginCount)

	presses := d.prepare(t, program, sample, loginWarmUp+loginCount)
	next := func() (string, int) { return <-presses, http.StatusSeeOther }
	send(t, address, loginWarmUp, next)
	r.press = p.measure(t, address, next)
	return r
}

// measure sends loginCount requests to the program.
func (p *process) measure(t *testing.T, address string, next func() (string, int)) path {
	t.Helper()
	before, cpu := look(t), p.cpu(t)
	took := send(t, address, loginCount, next)
	cpu = p.cpu(t) - cpu
	return path{took: took, cpu: cpu, others: look(t).since(before).others(took)}
}

// send sends so many requests over all connections and returns how long it took until all were answered as they should be.
func send(t *testing.T, address string, n int, next func() (request string, status int)) time.Duration {
	t.Helper()
	var clients sync.WaitGroup
	started := time.Now()
	for range loginClients {
		clients.Go(func() {
			conn, err := net.Dial("tcp", address)
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = conn.Close() }()
			answers := bufio.NewReader(conn)
			for range n / loginClients {
				request, want := next()
				if resp, err := roundTrip(conn, answers, request); err != nil || resp.StatusCode != want {
					t.Errorf("%s: %+v, %v; want %d", strings.SplitN(request, "\r\n", 2)[0], resp, err, want)
					return
				}
			}
		})
	}
	clients.Wait()
	return time.Since(started)
}

func roundTrip(conn net.Conn, answers *bufio.Reader, request string) (*http.Response, error) {
	if _, err := io.WriteString(conn, request); err != nil {
		return nil, err
	}
	resp, err := http.ReadResponse(answers, nil)
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close() // it has been read
	return resp, err
}

// firstLogin waits until a login can begin, which is when the server knows its issuer, and returns the answer to the first:
// it tells how a session and its cookie look.
func firstLogin(t *testing.T, address string, begin func() (string, int)) (first *http.Response) {
	t.Helper()
	if err := wait.PollUntilContextTimeout(t.Context(), 10*time.Millisecond, patience, true, func(context.Context) (bool, error) {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return false, nil
		}
		defer func() { _ = conn.Close() }()
		request, want := begin()
		first, err = roundTrip(conn, bufio.NewReader(conn), request)
		return err == nil && first.StatusCode == want, nil
	}); err != nil {
		t.Fatalf("no login begins: %v", err)
	}
	return first
}

// prepare puts logins that wait for a press into the database and returns the requests that press.
func (d loginDatabase) prepare(t *testing.T, program loginProgram, sample *http.Response, n int) <-chan string {
	t.Helper()
	s := d.open(t, true)
	defer func() { _ = s.Close() }()
	var prefix string
	params := map[string]string{}
	if !program.bare {
		cookie := sample.Cookies()[0].Name
		at := strings.LastIndexByte(cookie, '-') + 1
		prefix = cookie[:at]
		first, err := s.Session(t.Context(), loginChannel, cookie[at:])
		if err != nil {
			t.Fatal(err)
		}
		params = first.Params
	}
	presses := make(chan string, n)
	now := time.Now()
	for range n {
		flow, cookie, token := rand.Text(), link.NewCode(), link.NewCode()
		session := link.Session{
			Flow: flow, Channel: loginChannel, Step: link.Identified,
			StateHash: link.HashCode(flow), CookieHash: link.HashCode(cookie), FormHash: link.HashCode(token),
			PlatformToken: rand.Text(), Params: params, Locale: "zh-TW",
			Identity:  link.Identity{Issuer: "https://sso.bench.example", Subject: rand.Text(), Account: flow},
			Display:   []link.Claim{{Name: "name", Value: "J. Dupont"}},
			StartedAt: now, ExpiresAt: now.Add(time.Hour),
		}
		if err := s.PutSession(t.Context(), session); err != nil {
			t.Fatal(err)
		}
		form := url.Values{pages.FieldToken: {token}, pages.FieldChoice: {pages.ChoiceLink}}.Encode()
		presses <- fmt.Sprintf("POST /consent/%s HTTP/1.1\r\nHost: %s\r\nOrigin: https://%s\r\nSec-Fetch-Site: same-origin\r\n"+
			"Cookie: %s=%s\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s",
			flow, loginHost, loginHost, prefix+flow, cookie, len(form), form)
	}
	return presses
}

// size is what the sessions take up.
func (d loginDatabase) size(t *testing.T) int64 {
	t.Helper()
	db, statement := openSQL(t, d)
	defer func() { _ = db.Close() }()
	var bytes int64
	if err := db.QueryRowContext(t.Context(), statement).Scan(&bytes); err != nil {
		t.Fatal(err)
	}
	return bytes
}

func reportLogins(t *testing.T, kind string, bare, ours []loginRun) {
	table := newTable(t, fmt.Sprintf("Logins on %s: %d of each kind over %d connections; median (least to most) of %d rounds",
		kind, loginCount, loginClients, *rounds))
	table.row("", "bare", "server", "ratio of rates", "gate")
	for _, kind := range []struct {
		name string
		of   func(loginRun) path
	}{
		{"GET /authorize", func(r loginRun) path { return r.begin }},
		{"POST /consent", func(r loginRun) path { return r.press }},
	} {
		took := func(r loginRun) time.Duration { return kind.of(r).took / loginCount }
		cpu := func(r loginRun) time.Duration { return kind.of(r).cpu / loginCount }
		a, b := spread(bare, took), spread(ours, took)
		// Each round's two stand beside each other in time: their ratio is steadier than either.
		var ratios []float64
		for i := range bare {
			ratios = append(ratios, float64(took(bare[i]))/float64(took(ours[i])))
		}
		ratio := collect(ratios, func(r float64) float64 { return r })[len(ratios)/2]
		others := func(r loginRun) float64 { return kind.of(r).others }
		busy := slices.Max(append(collect(bare, others), collect(ours, others)...))
		table.row(kind.name+", time each", micro(a), micro(b), fmt.Sprintf("%.2f", ratio),
			table.quietly(busy, kind.name, ratio >= minLoginRatio, fmt.Sprintf("≥ %v", minLoginRatio)))
		c, d := spread(bare, cpu), spread(ours, cpu)
		table.row("  CPU of the program each", micro(c), micro(d), fmt.Sprintf("%.2f", float64(c.median)/float64(d.median)))
		table.row("  share of the machine that others used (most)", "", "", fmt.Sprintf("%.0f %%", 100*busy))
	}
	stored := func(r loginRun) int64 { return r.stored }
	grown := func(r loginRun) int64 { return r.grown }
	table.row("an open session in the database (most)", bytesOf(most64(bare, stored)), bytesOf(most64(ours, stored)), "",
		table.gate("size of a session", most64(ours, stored) <= maxSessionBytes, "≤ "+bytesOf(maxSessionBytes)))
	table.row("an open session in memory (median)", "", bytesOf(collect(ours, grown)[len(ours)/2]), "",
		table.gate("memory of a session", collect(ours, grown)[len(ours)/2] <= maxSessionMemory, "≤ "+bytesOf(maxSessionMemory)))
	table.print()
}

func micro(f figures) string {
	r := func(d time.Duration) time.Duration { return d.Round(time.Microsecond) }
	return fmt.Sprintf("%v (%v to %v)", r(f.median), r(f.least), r(f.most))
}

func bytesOf(n int64) string { return fmt.Sprintf("%d B", n) }
