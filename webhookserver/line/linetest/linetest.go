// Package linetest is a Messaging API for tests. It refuses what LINE refuses.
package linetest

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// Token is the channel access token that the API takes.
const Token = "CANARY-9b1d-line-token"

// API is a Messaging API on loopback.
type API struct {
	// Endpoint is its base, as settings have it.
	Endpoint string

	mu     sync.Mutex
	users  map[string]bool
	issued map[string]string // link token -> user
	taken  map[string]bool   // retry keys
	pushed []Push
	script []Step
	calls  int
}

// Push is a push that was delivered.
type Push struct {
	To       string
	RetryKey string
	Message  json.RawMessage
}

// Step is what happens to a call in place of what should.
type Step struct {
	Status int
	Body   string
	// Delivered: the call has its effect, and only the answer is lost.
	Delivered bool
	// Cut ends the connection without an answer.
	Cut bool
}

// New starts an API for the given friends of the bot.
func New(t testing.TB, users ...string) *API {
	t.Helper()
	a := &API{users: map[string]bool{}, issued: map[string]string{}, taken: map[string]bool{}}
	for _, user := range users {
		a.users[user] = true
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v2/bot/user/{userID}/linkToken", a.linkToken)
	mux.HandleFunc("POST /v2/bot/message/push", a.push)
	mux.HandleFunc("POST /v2/bot/message/reply", a.reply)
	mux.HandleFunc("GET /v2/bot/profile/{userID}", a.profile)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+Token {
			refuse(w, http.StatusUnauthorized, "Authentication failed. Confirm that the access token in the authorization header is valid.")
			return
		}
		if r.Header.Get("X-Line-Retry-Key") != "" && !strings.HasSuffix(r.URL.Path, "/push") {
			refuse(w, http.StatusBadRequest, "The X-Line-Retry-Key header is not supported for this endpoint")
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	a.Endpoint = strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
	return a
}

// Next has the next calls end otherwise, one step each.
func (a *API) Next(steps ...Step) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.script = append(a.script, steps...)
}

// Pushed returns what was delivered.
func (a *API) Pushed() []Push {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]Push(nil), a.pushed...)
}

// Issued returns link tokens and their users.
func (a *API) Issued() map[string]string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return maps.Clone(a.issued)
}

// Calls returns how many calls have come.
func (a *API) Calls() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.calls
}

// scripted takes the next step, if there is one, and reports whether the call is over with it.
func (a *API) scripted(w http.ResponseWriter, effect func()) bool {
	a.calls++
	if len(a.script) == 0 {
		return false
	}
	step := a.script[0]
	a.script = a.script[1:]
	if step.Delivered {
		effect()
	}
	if step.Cut {
		panic(http.ErrAbortHandler)
	}
	refuse(w, step.Status, step.Body)
	return true
}

func (a *API) linkToken(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.scripted(w, func() {}) {
		return
	}
	user := r.PathValue("userID")
	if !a.users[user] {
		refuse(w, http.StatusNotFound, "Not found")
		return
	}
	token := fmt.Sprintf("NMZTNuVrPTqlr2IF8Bnymkb7rXfY%04d", len(a.issued))
	a.issued[token] = user
	answer(w, http.StatusOK, map[string]string{"linkToken": token})
}

var uuid = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

func (a *API) push(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var body struct {
		To       string            `json:"to"`
		Messages []json.RawMessage `json:"messages"`
	}
	key := r.Header.Get("X-Line-Retry-Key")
	raw, err := io.ReadAll(r.Body)
	switch {
	case key != "" && !uuid.MatchString(key):
		refuse(w, http.StatusBadRequest, "The value for the 'X-Line-Retry-Key' header is invalid.")
		return
	case r.Header.Get("Content-Type") != "application/json":
		refuse(w, http.StatusUnsupportedMediaType, "Unsupported media type")
		return
	case err != nil || json.Unmarshal(raw, &body) != nil || len(body.Messages) == 0 || len(body.Messages) > 5:
		refuse(w, http.StatusBadRequest, "The request body has 1 error(s)")
		return
	}
	for _, message := range body.Messages {
		if problem := Fault(message); problem != "" {
			refuse(w, http.StatusBadRequest, "A message (messages[0]) in the request body is invalid: "+problem)
			return
		}
	}
	deliver := func() {
		a.taken[key] = true
		for _, message := range body.Messages {
			a.pushed = append(a.pushed, Push{To: body.To, RetryKey: key, Message: message})
		}
	}
	switch {
	case a.taken[key] && key != "":
		a.calls++
		refuse(w, http.StatusConflict, "The retry key is already accepted")
	case a.scripted(w, deliver):
	case !a.users[body.To]:
		refuse(w, http.StatusBadRequest, "Failed to send messages")
	default:
		deliver()
		answer(w, http.StatusOK, map[string]any{"sentMessages": []map[string]string{{"id": "461230966842064897"}}})
	}
}

func (a *API) reply(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.scripted(w, func() {}) {
		return
	}
	var body struct {
		ReplyToken string            `json:"replyToken"`
		Messages   []json.RawMessage `json:"messages"`
	}
	if json.NewDecoder(r.Body).Decode(&body) != nil || body.ReplyToken != "nHuyWiB7yP5Zw52FIkcQobQuGDXCTA" {
		refuse(w, http.StatusBadRequest, "Invalid reply token")
		return
	}
	answer(w, http.StatusOK, map[string]any{})
}

func (a *API) profile(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.users[r.PathValue("userID")] {
		refuse(w, http.StatusNotFound, "Not found")
		return
	}
	answer(w, http.StatusOK, map[string]string{"displayName": "LINE taro", "userId": r.PathValue("userID")})
}

func refuse(w http.ResponseWriter, status int, message string) {
	answer(w, status, map[string]string{"message": message})
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Line-Request-Id", "8aa93fcb-29bc-4d7c-8b7d-2b1b8b0a3d4e")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
