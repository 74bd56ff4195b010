package samplehr

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"channellink.dev/operator/internal/chatsim/wire"
)

// Bounds of what the service asks and reads.
const (
	askTime = 3 * time.Second
	maxBody = 64 << 10
)

// Why a caller gets no answer. Neither says more to a caller than that it is so.
var (
	errNotBelieved = errors.New("the assertion is not believed")
	errNotLinked   = errors.New("code and user are no linked pair")
)

// Service answers how much leave is left.
type Service struct {
	config Config
	now    func() time.Time
	log    *slog.Logger
	wire   *wire.Reporter
	ask    *http.Client
	keys   *keyring
}

// Options are what a service works with.
type Options struct {
	Now func() time.Time
	Log *slog.Logger
	// Wire is told of requests; nil for nobody.
	Wire *wire.Reporter
	// Transport reaches the servers; nil means the default one.
	Transport http.RoundTripper
}

// New returns the service.
func New(config Config, o Options) *Service {
	transport := o.Transport
	if transport == nil {
		transport = http.DefaultTransport
	}
	ask := &http.Client{
		Transport: o.Wire.Asks("server", "", transport),
		Timeout:   askTime,
		// Whose keys and whose word are asked for is configured; nobody else's will do.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return &Service{
		config: config, now: o.Now, log: o.Log, wire: o.Wire, ask: ask,
		keys: &keyring{ask: ask, now: o.Now, issuers: map[string]*issuerKeys{}},
	}
}

// Handler serves both kinds of callers.
func (s *Service) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/leave", s.wire.Took("server", http.HandlerFunc(s.forServer)))
	mux.Handle("POST /bot/leave", s.wire.Took("samplebot", http.HandlerFunc(s.forBot)))
	return mux
}

// forServer answers a ChannelLink server with a message of BotBonnie's.
func (s *Service) forServer(w http.ResponseWriter, r *http.Request) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		refuse(w, http.StatusUnauthorized)
		return
	}
	who, err := s.verify(r.Context(), token)
	if err != nil {
		s.log.WarnContext(r.Context(), "assertion refused", "error", err)
		refuse(w, http.StatusUnauthorized)
		return
	}
	s.log.InfoContext(r.Context(), "leave asked for with an assertion",
		"issuer", who.Issuer, "audience", s.config.Audience, "confirmed", who.Confirmed, "platform", who.Platform)
	writeJSON(w, http.StatusOK, map[string]string{"type": "text", "text": s.answer(who.Account)})
}

// botQuestion is what the bot presents: the pair of the account linking, and whose it is.
type botQuestion struct {
	Channel string `json:"channel"`
	Code    string `json:"code"`
	UserID  string `json:"user_id"`
}

// botAnswer is what the bot gets.
type botAnswer struct {
	Account string `json:"account"`
	Text    string `json:"text"`
}

// forBot answers the company's bot.
func (s *Service) forBot(w http.ResponseWriter, r *http.Request) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok || s.config.BotKey == "" || !same(token, s.config.BotKey) {
		refuse(w, http.StatusUnauthorized)
		return
	}
	var q botQuestion
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&q); err != nil || q.Code == "" || q.UserID == "" {
		refuse(w, http.StatusBadRequest)
		return
	}
	wire.About(r.Context(), q.Channel)
	account, err := s.introspect(r.Context(), q)
	switch {
	case errors.Is(err, errNotLinked):
		s.log.InfoContext(r.Context(), "leave refused: the pair is not active", "channel", q.Channel)
		refuse(w, http.StatusForbidden)
	case err != nil:
		s.log.WarnContext(r.Context(), "cannot introspect", "channel", q.Channel, "error", err)
		refuse(w, http.StatusBadGateway)
	default:
		s.log.InfoContext(r.Context(), "leave asked for with code and user", "channel", q.Channel)
		writeJSON(w, http.StatusOK, botAnswer{account, s.answer(account)})
	}
}

// introspect asks the channel's server whether the pair is good, and whose it is.
func (s *Service) introspect(ctx context.Context, q botQuestion) (account string, err error) {
	at, ok := s.config.Channels[q.Channel]
	if !ok {
		return "", errNotLinked
	}
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	form := formOf("token", q.Code, "user_id", q.UserID)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, at.URL, strings.NewReader(form))
	if err != nil {
		return "", errors.New("the introspection URL is none")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Authorization", "Bearer "+at.Token)
	var said struct {
		Active   bool   `json:"active"`
		Username string `json:"username"`
		ChatUser string `json:"chat_user"`
	}
	if err := s.fetch(req, &said); err != nil {
		return "", err
	}
	if !said.Active || said.ChatUser != q.UserID || said.Username == "" {
		return "", errNotLinked
	}
	return said.Username, nil
}

// fetch makes a call that answers JSON.
func (s *Service) fetch(req *http.Request, into any) error { return fetch(s.ask, req, into) }

func fetch(client *http.Client, req *http.Request, into any) error {
	resp, err := client.Do(req)
	if err != nil {
		return errors.New("no answer")
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the answer has status %d", resp.StatusCode)
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxBody)).Decode(into); err != nil {
		return errors.New("the answer is not the JSON that was expected")
	}
	return nil
}

// answer is what the person reads.
func (s *Service) answer(account string) string {
	days, known := s.config.Days[account]
	if !known {
		return account + ": the leave service does not know this account."
	}
	return fmt.Sprintf("%s: %d days of leave left.", account, days)
}

// same compares in constant time.
func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

func refuse(w http.ResponseWriter, status int) {
	writeJSON(w, status, map[string]string{"error": http.StatusText(status)})
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a caller that is gone has nobody left to tell
}
