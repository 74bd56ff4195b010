package chatsim

import (
	"bytes"
	"encoding/json"
	"net/http"
	"regexp"
	"time"
)

// How long LINE remembers (LINE: reply messages, retrying a request).
const (
	replyTokenLife = time.Minute
	retryKeyLife   = 24 * time.Hour
)

// replyToken lets a bot answer one event, once.
type replyToken struct {
	channel *channel
	user    *user
	expires time.Time
}

// acceptedPush is a push that was taken under a retry key.
type acceptedPush struct {
	requestID string
	sent      []lineSentMessage
	until     time.Time
}

type lineSentMessage struct {
	ID         string `json:"id"`
	QuoteToken string `json:"quoteToken,omitempty"`
}

var retryKeyForm = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// newReplyToken makes the token of an event. A caller holds the mutex.
func (s *Simulator) newReplyToken(c *channel, u *user) string {
	now := s.nowLocked()
	for text, t := range s.replyTokens {
		if now.After(t.expires) {
			delete(s.replyTokens, text)
		}
	}
	text := random(24)
	s.replyTokens[text] = replyToken{c, u, now.Add(replyTokenLife)}
	return text
}

// lineReply answers an event: once, within a minute.
func (s *Simulator) lineReply(w http.ResponseWriter, r *http.Request) {
	c, ok := s.lineCall(w, r)
	if !ok {
		return
	}
	var call struct {
		ReplyToken           string            `json:"replyToken"`
		Messages             []json.RawMessage `json:"messages"`
		NotificationDisabled bool              `json:"notificationDisabled"`
	}
	messages, ok := s.lineMessages(w, r, &call, &call.Messages)
	if !ok {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t, known := s.replyTokens[call.ReplyToken]
	if !known || t.channel != c || s.nowLocked().After(t.expires) {
		lineRefuse(w, r, http.StatusBadRequest, "Invalid reply token")
		return
	}
	delete(s.replyTokens, call.ReplyToken)
	judge(r.Context()).user = t.user.ID
	writeJSON(w, http.StatusOK, map[string]any{"sentMessages": s.showLINE(t.user, messages)})
}

// linePush sends to a user unasked. The same retry key is taken once.
func (s *Simulator) linePush(w http.ResponseWriter, r *http.Request) {
	c, ok := s.lineChannel(w, r)
	if !ok {
		return
	}
	key := r.Header.Get("X-Line-Retry-Key")
	if key != "" && !retryKeyForm.MatchString(key) {
		lineRefuse(w, r, http.StatusBadRequest, "The X-Line-Retry-Key header is not a UUID")
		return
	}
	var call struct {
		To                   string            `json:"to"`
		Messages             []json.RawMessage `json:"messages"`
		NotificationDisabled bool              `json:"notificationDisabled"`
		Units                []string          `json:"customAggregationUnits"`
	}
	messages, ok := s.lineMessages(w, r, &call, &call.Messages)
	if !ok {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if before, again := c.pushes[key]; key != "" && again && s.nowLocked().Before(before.until) {
		judge(r.Context()).refusal = "the retry key is already accepted"
		w.Header().Set("X-Line-Accepted-Request-Id", before.requestID)
		writeJSON(w, http.StatusConflict, map[string]any{"message": "The retry key is already accepted", "sentMessages": before.sent})
		return
	}
	u := c.user(call.To)
	if u == nil {
		lineRefuse(w, r, http.StatusBadRequest, "The property, 'to', in the request body is invalid (line: -, column: -)")
		return
	}
	judge(r.Context()).user = u.ID
	var sent []lineSentMessage
	if u.Hidden {
		sent = []lineSentMessage{{ID: messageID()}} // whoever has blocked the bot is sent nothing, and the bot is not told
	} else {
		sent = s.showLINE(u, messages)
	}
	if key != "" {
		c.pushes[key] = acceptedPush{w.Header().Get("X-Line-Request-Id"), sent, s.nowLocked().Add(retryKeyLife)}
	}
	writeJSON(w, http.StatusOK, map[string]any{"sentMessages": sent})
}

// lineMessages reads a body and the messages in it; on false it has answered.
func (s *Simulator) lineMessages(w http.ResponseWriter, r *http.Request, into any, raw *[]json.RawMessage) ([]Message, bool) {
	if r.Header.Get("Content-Type") == "" {
		lineRefuse(w, r, http.StatusUnsupportedMediaType, "Unsupported content type")
		return nil, false
	}
	if !decodeStrictly(r, into) {
		lineRefuse(w, r, http.StatusBadRequest, "The request body could not be parsed as JSON")
		return nil, false
	}
	var reader lineReader
	messages := reader.messages(*raw)
	if len(reader.problems) > 0 {
		first := reader.problems[0]
		judge(r.Context()).refusal = first.Property + ": " + first.Message
		writeJSON(w, http.StatusBadRequest, map[string]any{
			"message": "The request body has error(s)", "details": reader.problems,
		})
		return nil, false
	}
	return messages, true
}

// decodeStrictly reads a JSON body into a struct that names every property there may be.
func decodeStrictly(r *http.Request, into any) bool {
	var body bytes.Buffer
	if _, err := body.ReadFrom(r.Body); err != nil {
		return false
	}
	dec := json.NewDecoder(&body)
	dec.DisallowUnknownFields()
	return dec.Decode(into) == nil && !dec.More()
}

// showLINE shows what a bot sent. A caller holds the mutex.
func (s *Simulator) showLINE(u *user, messages []Message) []lineSentMessage {
	var sent []lineSentMessage
	for _, m := range messages {
		s.show(u, m)
		sent = append(sent, lineSentMessage{ID: messageID(), QuoteToken: random(40)})
	}
	return sent
}
