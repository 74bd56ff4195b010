//go:build cluster

package cluster

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"channellink.dev/operator/internal/chatsim"
)

// hosts are the public hosts of the demo's channels.
var hosts = map[string]string{
	"vision-hr": "hr", "vision-hr-messenger": "hr-messenger", "vision-line": "line", "vision-messenger": "messenger",
}

func publicURL(channel string) string { return "http://" + hosts[channel] + ".localhost:" + port }

// The second source document's story: BotBonnie asks the company's service by way of the server, which says who the user is.
func TestStoryThroughBotBonnie(t *testing.T) {
	for _, channel := range []string{"vision-hr", "vision-hr-messenger"} {
		t.Run(channel, func(t *testing.T) {
			c := enter(t, channel)
			prompt := c.button(c.says("leave balance"))
			if prompt.Action != chatsim.StartModule {
				t.Fatalf("who is not linked gets %+v, want a button that starts the linking", prompt)
			}
			c.linkThroughBotBonnie(prompt)
			c.asksForLeave()
			if !c.state().Linked {
				t.Error("the platform does not call the accounts linked")
			}
			if !samplehrSaw(t, publicURL(channel)) {
				t.Error("the leave service has verified no assertion of this server")
			}

			logout := c.button(c.says("log out"))
			c.press(logout)
			if again := c.button(c.says("and my leave balance?")); again.Action != chatsim.StartModule {
				t.Errorf("logged out, the user gets %+v", again)
			}
		})
	}
}

// linkThroughBotBonnie starts the linking, logs in, and waits for the bot to say so.
func (c *chat) linkThroughBotBonnie(start chatsim.Button) {
	c.t.Helper()
	before := c.newest()
	if open := c.press(start); open != "" {
		c.t.Fatalf("a module opens %s", open)
	}
	c.logInWith(c.button(c.hears(before)))
}

// logInWith logs in by the button, and waits for the bot to say so.
func (c *chat) logInWith(login chatsim.Button) {
	c.t.Helper()
	before := c.newest()
	c.person.logIn(c.press(login))
	c.hears(before) // the module "linked", or the company's own bot
}

// samplehrSaw reports whether the leave service's log tells of an assertion of the issuer that it believed.
func samplehrSaw(t *testing.T, issuer string) bool {
	t.Helper()
	log, err := kubectl(t.Context(), "-n", companyNamespace, "logs", "deployment/samplehr")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(log) {
		var said struct{ Msg, Issuer, Audience string }
		if json.Unmarshal([]byte(line), &said) == nil && said.Msg == "leave asked for with an assertion" &&
			said.Issuer == issuer && said.Audience == "hr" {
			return true
		}
	}
	return false
}

// The first source document's story: the bot that was there before gets the signed event of the linking, and presents code and
// user to the leave service, which asks the server.
func TestStoryWithTheCompanysOwnBot(t *testing.T) {
	for _, channel := range []string{"vision-messenger", "vision-line"} {
		t.Run(channel, func(t *testing.T) {
			c := enter(t, channel)
			login := c.button(c.says("leave balance"))
			before := c.newest()
			c.person.logIn(c.press(login))
			if welcome := c.hears(before); !strings.Contains(welcome.Text, "logged in") {
				t.Errorf("linked, the bot says %+v", welcome)
			}
			c.asksForLeave()
			code := c.state().Code
			if !c.introspect(code, c.user.ID) {
				t.Error("code and user are not active")
			}
			if c.introspect(code, otherUser(c.user.ID)) {
				t.Error("the code is active for another user")
			}
			asked := func(r chatsim.Request) bool {
				return r.From == "samplehr" && r.Path == "/introspect" && r.Status == http.StatusOK
			}
			NewWithT(t).Eventually(func() []chatsim.Request { return requests(t, channel) }).
				WithTimeout(answerTime).WithPolling(poll).Should(ContainElement(Satisfy(asked)), "the leave service believes nobody")

			logout := c.button(c.says("log out"))
			before = c.newest()
			c.press(logout)
			if goodbye := c.hears(before); !strings.Contains(goodbye.Text, "logged out") {
				t.Errorf("logged out, the bot says %+v", goodbye)
			}
			if c.introspect(code, c.user.ID) {
				t.Error("after Log Out the same pair is active still")
			}
			if again := c.button(c.says("and my leave balance?")); again.Action != login.Action {
				t.Errorf("logged out, the user gets %+v", again)
			}
		})
	}
}

// introspect asks the channel's server whether the pair is active.
func (c *chat) introspect(code, userID string) bool {
	c.t.Helper()
	form := url.Values{"token": {code}, "user_id": {userID}}
	status, said, err := send(c.t, http.MethodPost, publicURL(c.channel)+"/introspect", "application/x-www-form-urlencoded",
		"demo-introspection-token", []byte(form.Encode()))
	if err != nil || status != http.StatusOK {
		c.t.Fatalf("introspection: %d %s %v", status, said, err)
	}
	var answer struct{ Active bool }
	if err := json.Unmarshal(said, &answer); err != nil {
		c.t.Fatal(err)
	}
	return answer.Active
}

// otherUser is an id of the same form.
func otherUser(id string) string {
	last := "1"
	if strings.HasSuffix(id, last) {
		last = "2"
	}
	return id[:len(id)-1] + last
}
