package plugin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"channellink.dev/operator/api/v1alpha1"
)

// ofLinks are the events that may change a link. That one was taken does not say that it has.
var ofLinks = []string{"linked", "failed", "unlinked"}

// tell says how an event was answered.
func (s *session) tell(got answer, l *v1alpha1.ChannelLink, kind, by, about string) error {
	id := got.header.Get(requestIDHeader)
	if id == "" {
		fmt.Fprintf(s.Out, "%d: %s\n", got.status, elsewhere(got.status))
		return ErrUnwell
	}
	said, well := meaning(got.status, by, kind)
	fmt.Fprintf(s.Out, "%d: %s\n", got.status, said)
	if well && by == botBonnie {
		fmt.Fprintln(s.Out, shows(got.body, about != ""))
	}
	fmt.Fprintf(s.Out, "request %s in the server's log\n", id)
	if well && slices.Contains(ofLinks, kind) {
		fmt.Fprintf(s.Out, "kubectl channellink links %s --namespace %s tells what has come of it\n", l.Name, l.Namespace)
	}
	if !well {
		return ErrUnwell
	}
	return nil
}

// target is an address without its query, which may hold a token.
func target(u *url.URL) string { return u.Scheme + "://" + u.Host + u.Path }

// elsewhere says who has answered if it was not the server.
func elsewhere(code int) string {
	switch code {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return "a gateway answers that it does not reach the server: see whether a pod is ready"
	default:
		return "something else answers there, not the server: see whether a pod is ready, and where DNS and the ingress or gateway lead"
	}
}

// otherValues is why a server refuses what is signed rightly.
const otherValues = " is wrong: the server has other values than the Secret has now (new ones arrive within 90 seconds)"

// meaning says what a status code means to who has called.
func meaning(code int, by, kind string) (said string, well bool) {
	switch {
	case code == http.StatusOK:
		return "taken", true
	case code == http.StatusUnauthorized && by == botBonnie:
		return "the signature, or the key in the URL," + otherValues, false
	case code == http.StatusUnauthorized:
		return "the signature" + otherValues, false
	case code == http.StatusForbidden && by != botBonnie && kind == "verify":
		return "the verify token" + otherValues, false
	case code == http.StatusForbidden:
		return "the server takes it for a call of another bot or page: it does not have the spec yet that the ChannelLink has", false
	case code == http.StatusNotFound:
		return "nothing here: another path, or the spec names no secret that would let the server verify", false
	case code == http.StatusMisdirectedRequest:
		return "the server does not know this host: a proxy in front changes the Host header", false
	case code == http.StatusServiceUnavailable && by == botBonnie:
		return "not taken: the store or BotBonnie does not answer", false
	case code == http.StatusServiceUnavailable:
		return "not taken: the store, a sibling or the bot behind does not answer; the platform would try again", false
	default:
		return "not taken", false
	}
}

// shows tells what the bot makes of the server's answer. What it says to somebody real is his own business.
func shows(body []byte, private bool) string {
	var message struct {
		Type, Text string
		Buttons    []struct{ Title string }
	}
	if json.Unmarshal(body, &message) != nil || message.Type == "" {
		return "which the bot cannot show: it is no message"
	}
	said := "the bot shows "
	switch {
	case private:
		return said + "a message of type " + message.Type + "; what it says to this user is not printed"
	case message.Text == "":
		said += "a message of type " + message.Type
	default:
		said += strconv.Quote(message.Text)
	}
	for _, button := range message.Buttons {
		said += " [" + button.Title + "]"
	}
	return said
}
