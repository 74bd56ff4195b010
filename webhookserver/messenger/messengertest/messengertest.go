// Package messengertest is a Send API for tests. It refuses what Meta refuses.
package messengertest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"
)

// What the API knows of its app and page.
const (
	Token     = "CANARY-9b1d-page-token"
	AppSecret = "CANARY-9b1d-app"
)

// API is a Graph API on loopback.
type API struct {
	// Endpoint is its base, as settings have it.
	Endpoint string

	mu     sync.Mutex
	users  map[string]bool
	sent   []Sent
	script []Step
	calls  int
}

// Sent is a message that was delivered.
type Sent struct {
	To      string
	Message json.RawMessage
}

// Step is what happens to a call in place of what should.
type Step struct {
	Status, Code, Subcode int
	// Header of the answer: X-Business-Use-Case-Usage.
	Usage string
	// Cut ends the connection without an answer, after the message was delivered.
	Cut bool
}

// New starts an API for the given users of the page.
func New(t testing.TB, psids ...string) *API {
	t.Helper()
	a := &API{users: map[string]bool{}}
	for _, psid := range psids {
		a.users[psid] = true
	}
	server := httptest.NewServer(http.HandlerFunc(a.serve))
	t.Cleanup(server.Close)
	a.Endpoint = strings.Replace(server.URL, "127.0.0.1", "localhost", 1) + "/v23.0"
	return a
}

// Next has the next calls end otherwise, one step each.
func (a *API) Next(steps ...Step) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.script = append(a.script, steps...)
}

// Sent returns what was delivered.
func (a *API) Sent() []Sent {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]Sent(nil), a.sent...)
}

// Calls returns how many calls have come.
func (a *API) Calls() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.calls
}

func (a *API) serve(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls++
	query := r.URL.Query()
	mac := hmac.New(sha256.New, []byte(AppSecret))
	_, _ = mac.Write([]byte(Token))
	switch {
	case query.Get("access_token") != Token:
		refuse(w, Step{Status: http.StatusUnauthorized, Code: 190})
	case query.Get("appsecret_proof") != hex.EncodeToString(mac.Sum(nil)):
		refuse(w, Step{Status: http.StatusBadRequest, Code: 100})
	case r.Method != http.MethodPost || r.URL.Path != "/v23.0/me/messages":
		refuse(w, Step{Status: http.StatusNotFound, Code: 100, Subcode: 33})
	default:
		a.send(w, r)
	}
}

func (a *API) send(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Recipient struct {
			ID string `json:"id"`
		} `json:"recipient"`
		Type    string          `json:"messaging_type"`
		Message json.RawMessage `json:"message"`
	}
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	if r.Header.Get("Content-Type") != "application/json" || decoder.Decode(&body) != nil || body.Type != "RESPONSE" || faulty(body.Message) {
		refuse(w, Step{Status: http.StatusBadRequest, Code: 100})
		return
	}
	if len(a.script) > 0 {
		step := a.script[0]
		a.script = a.script[1:]
		if step.Cut {
			a.sent = append(a.sent, Sent{body.Recipient.ID, body.Message})
			panic(http.ErrAbortHandler)
		}
		refuse(w, step)
		return
	}
	if !a.users[body.Recipient.ID] {
		refuse(w, Step{Status: http.StatusBadRequest, Code: 100, Subcode: 2018001})
		return
	}
	a.sent = append(a.sent, Sent{body.Recipient.ID, body.Message})
	_ = json.NewEncoder(w).Encode(map[string]string{"recipient_id": body.Recipient.ID, "message_id": "m_AG5Hz2U" + strconv.Itoa(len(a.sent))})
}

// faulty reports whether a message is anything but a generic template with one Log In or Log Out.
func faulty(message json.RawMessage) bool {
	var m struct {
		Attachment struct {
			Type    string `json:"type"`
			Payload struct {
				Type     string `json:"template_type"`
				Elements []struct {
					Title    string              `json:"title"`
					ImageURL *string             `json:"image_url"`
					Buttons  []map[string]string `json:"buttons"`
				} `json:"elements"`
			} `json:"payload"`
		} `json:"attachment"`
	}
	if json.Unmarshal(message, &m) != nil || m.Attachment.Type != "template" || m.Attachment.Payload.Type != "generic" || len(m.Attachment.Payload.Elements) != 1 {
		return true
	}
	element := m.Attachment.Payload.Elements[0]
	if element.Title == "" || utf8.RuneCountInString(element.Title) > 80 || element.ImageURL != nil && *element.ImageURL == "" || len(element.Buttons) != 1 {
		return true
	}
	switch button := element.Buttons[0]; button["type"] {
	case "account_link":
		return !strings.HasPrefix(button["url"], "https://") || len(button) != 2
	case "account_unlink":
		return len(button) != 1 // any other field is an error of Meta's
	default:
		return true
	}
}

func refuse(w http.ResponseWriter, s Step) {
	if s.Usage != "" {
		w.Header().Set("X-Business-Use-Case-Usage", s.Usage)
	}
	w.WriteHeader(s.Status)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{
		"message": "CANARY-9b1d of Meta's", "type": "OAuthException", "code": s.Code, "error_subcode": s.Subcode, "fbtrace_id": "BLBz/WZt8dN",
	}})
}
