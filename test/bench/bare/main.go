// Command bare is the least that a server of logins can do: it answers GET …/authorize and POST …/consent/{flow} with the
// statements that webhookserver/store sends for them, on the same tables with the same indexes, and with the PKCE challenge
// and the cookie without which there is no login. Nothing else: no check, no page, no form token, no log, no metric.
// test/bench measures the real server beside it. The database must have the schema.
package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite" // the driver of SQLite
)

func main() {
	address := flag.String("address", "", "address to listen on")
	channel := flag.String("channel", "", "the channel of every row")
	dsn := flag.String("postgres", "", "connection string of PostgreSQL")
	file := flag.String("sqlite", "", "file of SQLite")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *address, *channel, *dsn, *file); err != nil {
		fmt.Fprintln(os.Stderr, "bare:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, address, channel, dsn, file string) error {
	b := &bare{channel: channel}
	if err := b.open(ctx, dsn, file); err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /authorize", b.authorize)
	mux.HandleFunc("POST /consent/{flow}", b.consent)
	server := &http.Server{Addr: address, Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		<-ctx.Done()
		_ = server.Close() // nobody calls any more
	}()
	if err := server.ListenAndServe(); ctx.Err() == nil {
		return err
	}
	return nil
}

type bare struct {
	channel     string
	read, write *sql.DB
}

// open opens the database as webhookserver/store does: ten connections, or one that writes beside those that read.
func (b *bare) open(ctx context.Context, dsn, file string) error {
	if dsn != "" {
		config, err := pgxpool.ParseConfig(dsn)
		if err != nil {
			return err
		}
		config.MaxConns = 10
		pool, err := pgxpool.NewWithConfig(ctx, config)
		if err != nil {
			return err
		}
		b.write = stdlib.OpenDBFromPool(pool)
		b.read = b.write
		return nil
	}
	const pragmas = "&_pragma=busy_timeout(1500)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)" +
		"&_pragma=secure_delete(1)&_pragma=journal_size_limit(4194304)&_pragma=cache_size(-1024)&_pragma=temp_store(MEMORY)"
	var err error
	if b.write, err = sql.Open("sqlite", "file:"+file+"?_txlock=immediate"+pragmas); err != nil {
		return err
	}
	b.write.SetMaxOpenConns(1)
	b.read, err = sql.Open("sqlite", "file:"+file+"?_pragma=query_only(1)"+pragmas)
	return err
}

const insertSession = `INSERT INTO sessions (channel, flow, step, state_hash, cookie_hash, nonce_hash, form_hash, platform_token,
		user_id, user_verified, locale, issuer, subject, account, secrets, sealed_with, started_at, expires_at)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)`

// secrets are as long as those of a login on LINE.
var secrets = make([]byte, 260)

func (b *bare) authorize(w http.ResponseWriter, r *http.Request) {
	flow, state, nonce, verifier, cookie := rand.Text(), rand.Text(), rand.Text(), rand.Text(), rand.Text()
	stateHash, nonceHash := sha256.Sum256([]byte(state)), sha256.Sum256([]byte(nonce))
	cookieHash, challenge := sha256.Sum256([]byte(cookie)), sha256.Sum256([]byte(verifier))
	now := time.Now()
	if _, err := b.write.ExecContext(r.Context(), insertSession,
		b.channel, flow, "started", stateHash[:], cookieHash[:], nonceHash[:], stateHash[:], fmt.Sprintf("%x", stateHash),
		"", false, "en", "", "", "", secrets, "", now.UnixMicro(), now.Add(10*time.Minute).UnixMicro()); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	http.SetCookie(w, &http.Cookie{
		Name: "__Host-cl-" + flow, Value: cookie, Path: "/", MaxAge: 600,
		Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
	w.Header().Set("Location", "https://sso.bench.example/?response_type=code&state="+state+"&nonce="+nonce+
		"&code_challenge_method=S256&code_challenge="+base64.RawURLEncoding.EncodeToString(challenge[:]))
	w.WriteHeader(http.StatusFound)
}

const selectSession = `SELECT channel, flow, step, state_hash, cookie_hash, nonce_hash, form_hash, platform_token,
		user_id, user_verified, locale, issuer, subject, account, secrets, sealed_with, started_at, expires_at
	FROM sessions WHERE channel = $1 AND flow = $2`

func (b *bare) consent(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if err := b.link(r.Context(), r.PathValue("flow")); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Location", "https://access.line.me/")
	w.WriteHeader(http.StatusSeeOther)
}

func (b *bare) link(ctx context.Context, flow string) (err error) {
	var text [10]string // the columns that are text
	var bytes [5][]byte
	var verified bool
	var started, expires int64
	if err := b.read.QueryRowContext(ctx, selectSession, b.channel, flow).Scan(&text[0], &text[1], &text[2],
		&bytes[0], &bytes[1], &bytes[2], &bytes[3], &text[3], &text[4], &verified, &text[5], &text[6], &text[7], &text[8],
		&bytes[4], &text[9], &started, &expires); err != nil {
		return err
	}
	tx, err := b.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // without effect after Commit
	hash, now := sha256.Sum256([]byte(flow)), time.Now().UnixMicro()
	for _, s := range []struct {
		statement string
		args      []any
	}{
		{`UPDATE sessions SET step = $1, secrets = $6, sealed_with = '' WHERE channel = $2 AND flow = $3 AND step = $4 AND expires_at >= $5`,
			[]any{"done", b.channel, flow, "identified", now, []byte{}}},
		{`INSERT INTO spent_tokens (channel, token_hash, spent_at) VALUES ($1, $2, $3) ON CONFLICT (channel, token_hash) DO NOTHING`,
			[]any{b.channel, text[3], now}},
	} {
		if _, err := tx.ExecContext(ctx, s.statement, s.args...); err != nil {
			return err
		}
	}
	var revoked bool
	if err := tx.QueryRowContext(ctx,
		`SELECT EXISTS (SELECT 1 FROM revocations WHERE channel = $1 AND target_hash IN ($2, $3, $4, $5) AND fence >= $6)`,
		b.channel, hash[:], hash[1:], hash[2:], hash[3:], now).Scan(&revoked); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO links (channel, id, user_id, issuer, subject, account, state, confirmed, code_hash,
			platform_token, login_at, consent_at, expires_at, linked_at, max_links, stable_code, expiry_told)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, FALSE)`,
		b.channel, rand.Text(), "", text[6], text[7], text[8], "pending", false, hash[:], text[3], started, now, expires, 0, 0, false); err != nil {
		return err
	}
	return tx.Commit()
}
