package chatsim

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Limits of the Send API, in characters (Messenger Platform, send API and templates).
const (
	maxMetaText       = 2000
	maxMetaButtonText = 640
	maxMetaTitle      = 80
	maxMetaLabel      = 20
	maxMetaPayload    = 1000
	maxMetaButtons    = 3
	maxMetaElements   = 10
	maxMetaReplies    = 13
)

// metaWindow is how long after a user's last word a page may answer (Messenger Platform, policy).
const metaWindow = 24 * time.Hour

// metaSend is the body of a call.
type metaSend struct {
	Recipient struct {
		ID string `json:"id"`
	} `json:"recipient"`
	MessagingType string           `json:"messaging_type"`
	Message       *metaSendMessage `json:"message"`
}

type metaSendMessage struct {
	Text         string           `json:"text"`
	Attachment   *metaAttachment  `json:"attachment"`
	QuickReplies []metaQuickReply `json:"quick_replies"`
}

type metaAttachment struct {
	Type    string `json:"type"`
	Payload struct {
		TemplateType string        `json:"template_type"`
		Text         string        `json:"text"`
		Buttons      []metaButton  `json:"buttons"`
		Elements     []metaElement `json:"elements"`
	} `json:"payload"`
}

type metaElement struct {
	Title    string       `json:"title"`
	Subtitle string       `json:"subtitle"`
	ImageURL string       `json:"image_url"`
	Buttons  []metaButton `json:"buttons"`
}

type metaButton struct {
	Type    string `json:"type"`
	Title   string `json:"title"`
	URL     string `json:"url"`
	Payload string `json:"payload"`
}

type metaQuickReply struct {
	ContentType string `json:"content_type"`
	Title       string `json:"title"`
	Payload     string `json:"payload"`
}

// graphSend takes a message of the page to one of its users.
func (s *Simulator) graphSend(w http.ResponseWriter, r *http.Request) {
	c, ok := s.graphCall(w, r)
	if !ok {
		return
	}
	refuse := func(subcode int, format string, args ...any) {
		graphError(w, r, http.StatusBadRequest, graphBadParameter, subcode, "(#100) "+fmt.Sprintf(format, args...))
	}
	var call metaSend
	if !decodeStrictly(r, &call) {
		refuse(0, "The body cannot be read, or has a parameter that is not known")
		return
	}
	if !slices.Contains([]string{"", "RESPONSE", "UPDATE"}, call.MessagingType) {
		refuse(0, "Param messaging_type must be RESPONSE or UPDATE; the simulator knows no tags")
		return
	}
	if call.Message == nil {
		refuse(0, "Param message must be given")
		return
	}
	var reader metaReader
	shown := reader.message(call.Message)
	if reader.wrong != "" {
		refuse(0, "%s", reader.wrong)
		return
	}
	judge(r.Context()).user = call.Recipient.ID
	s.mu.Lock()
	defer s.mu.Unlock()
	u := c.user(call.Recipient.ID)
	switch {
	case u == nil:
		refuse(graphNoUser, "No matching user found")
	case s.nowLocked().Sub(u.active) > metaWindow:
		graphError(w, r, http.StatusForbidden, graphPermission, graphTooLate, "(#10) This message is sent outside of allowed window.")
	default:
		s.show(u, shown)
		writeJSON(w, http.StatusOK, map[string]string{"recipient_id": u.ID, "message_id": "m_" + random(24)})
	}
}

// metaReader turns a message of the Send API into a chat's, and keeps the first thing that is wrong.
type metaReader struct{ wrong string }

func (m *metaReader) refuse(format string, args ...any) {
	if m.wrong == "" {
		m.wrong = fmt.Sprintf(format, args...)
	}
}

// text wants 1 to most characters.
func (m *metaReader) text(param, value string, most int) string {
	if n := utf8.RuneCountInString(value); n < 1 || n > most {
		m.refuse("Length of param %s must be less than or equal to %d, and not 0", param, most)
	}
	return value
}

func (m *metaReader) message(said *metaSendMessage) Message {
	shown := Message{By: ByBot}
	switch {
	case (said.Text != "") == (said.Attachment != nil):
		m.refuse("Param message must have either text or an attachment")
	case said.Attachment == nil:
		shown.Text = m.text("message[text]", said.Text, maxMetaText)
	case said.Attachment.Type != "template":
		m.refuse("Param attachment[type] must be template; the simulator knows no others")
	default:
		m.template(said.Attachment, &shown)
	}
	if len(said.QuickReplies) > maxMetaReplies {
		m.refuse("Param quick_replies has too many elements")
	}
	for _, q := range said.QuickReplies {
		if q.ContentType != "text" {
			m.refuse("Param content_type must be text; the simulator knows no others")
		}
		m.text("quick_replies[payload]", q.Payload, maxMetaPayload)
		label := m.text("quick_replies[title]", q.Title, maxMetaLabel)
		shown.QuickReplies = append(shown.QuickReplies, Button{Label: label, Action: SendPostback, Value: q.Payload, Says: label})
	}
	return shown
}

func (m *metaReader) template(a *metaAttachment, shown *Message) {
	p := a.Payload
	switch p.TemplateType {
	case "button":
		if len(p.Elements) > 0 {
			m.refuse("A button template has no elements")
		}
		shown.Text, shown.Buttons = m.text("text", p.Text, maxMetaButtonText), m.buttons(p.Buttons, 1)
	case "generic":
		if p.Text != "" || len(p.Buttons) > 0 {
			m.refuse("A generic template has its words and buttons in its elements")
		}
		if n := len(p.Elements); n < 1 || n > maxMetaElements {
			m.refuse("Param elements must have 1 to %d elements", maxMetaElements)
		}
		for _, e := range p.Elements {
			shown.Cards = append(shown.Cards, m.element(e))
		}
	default:
		m.refuse("Param template_type must be generic or button; the simulator knows no others")
	}
}

func (m *metaReader) element(e metaElement) Card {
	card := Card{Title: m.text("title", e.Title, maxMetaTitle), Text: e.Subtitle, ImageURL: e.ImageURL, Buttons: m.buttons(e.Buttons, 0)}
	if e.Subtitle != "" {
		m.text("subtitle", e.Subtitle, maxMetaTitle)
	}
	if e.ImageURL != "" && !absolute(e.ImageURL) {
		m.refuse("Param image_url is not a valid URL")
	}
	if e.Subtitle == "" && e.ImageURL == "" && len(e.Buttons) == 0 {
		m.refuse("Incomplete element data: title and at least one other field (image url, subtitle or buttons) is required")
	}
	return card
}

func (m *metaReader) buttons(all []metaButton, least int) []Button {
	if n := len(all); n < least || n > maxMetaButtons {
		m.refuse("Param buttons must have %d to %d elements", least, maxMetaButtons)
	}
	var buttons []Button
	for _, b := range all {
		buttons = append(buttons, m.button(b))
	}
	return buttons
}

// button wants just the fields of its type: Log In has a URL, Log Out has nothing, and neither has a title of its own.
func (m *metaReader) button(b metaButton) Button {
	switch b.Type {
	case "account_link":
		m.only(b, metaButton{Type: b.Type, URL: b.URL})
		m.secure(b.URL)
		return Button{Label: "Log In", Action: LinkAccount, Value: b.URL}
	case "account_unlink":
		m.only(b, metaButton{Type: b.Type})
		return Button{Label: "Log Out", Action: UnlinkAccount}
	case "web_url":
		m.only(b, metaButton{Type: b.Type, Title: b.Title, URL: b.URL})
		m.secure(b.URL)
		return Button{Label: m.text("title", b.Title, maxMetaLabel), Action: OpenURL, Value: b.URL}
	case "postback":
		m.only(b, metaButton{Type: b.Type, Title: b.Title, Payload: b.Payload})
		label := m.text("title", b.Title, maxMetaLabel)
		return Button{Label: label, Action: SendPostback, Value: m.text("payload", b.Payload, maxMetaPayload), Says: label}
	}
	m.refuse("Param type of a button must be account_link, account_unlink, web_url or postback")
	return Button{}
}

func (m *metaReader) only(b, want metaButton) {
	if b != want {
		m.refuse("A button of type %s has a field that is none of its own", b.Type)
	}
}

// secure wants https, as Meta does; on this machine http is good enough.
func (m *metaReader) secure(raw string) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.Scheme != "https" && !local(u.Hostname()) {
		m.refuse("Param url must be https")
	}
}

// graphUnlink ends a user's linking for the page.
func (s *Simulator) graphUnlink(w http.ResponseWriter, r *http.Request) {
	c, ok := s.graphCall(w, r)
	if !ok {
		return
	}
	var call struct {
		PSID string `json:"psid"`
	}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		call.PSID = r.PostFormValue("psid")
	} else if !decodeStrictly(r, &call) {
		call.PSID = ""
	}
	judge(r.Context()).user = call.PSID
	s.mu.Lock()
	u := c.user(call.PSID)
	if u == nil || !u.linked {
		s.mu.Unlock()
		if u == nil {
			graphError(w, r, http.StatusBadRequest, graphBadParameter, graphNoUser, "(#100) No matching user found")
			return
		}
		graphError(w, r, http.StatusBadRequest, graphLinking, 0, "(#10303) The user's account is not linked")
		return
	}
	hook := s.messengerLinked(c, u, "")
	s.note(u, c.displayName()+" has unlinked your account.")
	echo := c.switches.EchoUnlink
	s.mu.Unlock()
	if echo {
		s.deliver(r.Context(), c, hook)
	}
	writeJSON(w, http.StatusOK, map[string]string{"result": "unlink account success"})
}
