package chatsim

import (
	"net/http"
	"strings"
)

// Who talks to whom, in the words of the samples.
const (
	theBrowser   = "browser"
	theServer    = "server"
	theBot       = "samplebot"
	theBotBonnie = "BotBonnie"
)

// app is what people call the chat app.
func (c *channel) app() string {
	if c.Kind == LINE {
		return "LINE"
	}
	return "Messenger"
}

// sender is who calls the server: BotBonnie where it stands in front.
func (c *channel) sender() string {
	if c.BotBonnie != nil {
		return theBotBonnie
	}
	return c.app()
}

// parties says who asks whom by a request that the simulator was sent. Of programs, the sample bot alone gives its name.
func parties(r *http.Request) (from, to string) {
	caller := theServer
	if strings.HasPrefix(r.UserAgent(), theBot) {
		caller = theBot
	}
	first, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch {
	case first == "account":
		return theBrowser, theBotBonnie
	case first == "dialog":
		return theBrowser, "LINE"
	case first == "messenger_platform":
		return theBrowser, "Messenger"
	case first == "v1":
		return caller, theBotBonnie
	case first == "v2":
		return caller, "LINE"
	case graphVersion.MatchString(first):
		return caller, "Messenger"
	}
	return "", ""
}
