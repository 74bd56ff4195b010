//go:build cluster

package cluster

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"channellink.dev/operator/internal/chatsim"
)

// companyNamespace is the demo's company (hack/demo/vision.yaml, company.yaml).
const companyNamespace = "vision"

// balance is what samplehr says of the account.
const balance = account + ": 12 days of leave left."

// chat is somebody new in one of the demo's channels.
type chat struct {
	t       *testing.T
	channel string
	user    chatsim.User
	person  *person
}

// enter lets somebody new into a channel's chat, in a browser that LINE knows.
func enter(t *testing.T, channel string) *chat {
	t.Helper()
	c := &chat{t: t, channel: channel, person: newPerson(t)}
	var state chatsim.UserState
	control(t, http.MethodPost, "channels/"+channel+"/users", chatsim.User{Name: "Julien Dupont"}, &state)
	c.user = state.User
	c.person.open(simulator()+"/sim/browser?user="+c.user.ID, nil)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the chat of %s: %+v\n%+v", channel, c.state(), c.messages())
			explain(t, companyNamespace)
		}
	})
	return c
}

func simulator() string { return "http://chatsim.localhost:" + port }

// control calls the simulator's control API.
func control(t *testing.T, method, path string, in, out any) {
	t.Helper()
	if err := tryControl(t, method, path, in, out); err != nil {
		t.Fatal(err)
	}
}

func tryControl(t *testing.T, method, path string, in, out any) error {
	t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	status, said, err := send(t, method, simulator()+"/sim/"+path, "application/json", "", body)
	if err != nil {
		return err
	}
	if status > 299 {
		return fmt.Errorf("simulator: %s %s: %d %s", method, path, status, said)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(said, out)
}

// send makes a request of a program's.
func send(t *testing.T, method, address, contentType, bearer string, body []byte) (int, []byte, error) {
	t.Helper()
	// Without cancel: clean-ups send, too.
	req, err := http.NewRequest(method, address, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", contentType)
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	resp, err := loopback.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	said, err := io.ReadAll(io.LimitReader(resp.Body, 1<<24)) // the whole record, at the most
	return resp.StatusCode, said, err
}

func (c *chat) path() string { return "channels/" + c.channel + "/users/" + c.user.ID }

func (c *chat) state() chatsim.UserState {
	c.t.Helper()
	var s chatsim.UserState
	control(c.t, http.MethodGet, c.path(), nil, &s)
	return s
}

func (c *chat) messages() []chatsim.Message {
	c.t.Helper()
	var all []chatsim.Message
	control(c.t, http.MethodGet, c.path()+"/messages", nil, &all)
	return all
}

// says has the user say something, and returns the bot's answer.
func (c *chat) says(text string) chatsim.Message {
	c.t.Helper()
	before := c.newest()
	control(c.t, http.MethodPost, c.path()+"/messages", chatsim.Said{Text: text}, nil)
	return c.hears(before)
}

// newest is the number of the last message.
func (c *chat) newest() int {
	c.t.Helper()
	all := c.messages()
	if len(all) == 0 {
		return 0
	}
	return all[len(all)-1].ID
}

// answerTime bounds how long a bot thinks.
const answerTime = 20 * time.Second

// hears waits for the bot's first message after the one of that number.
func (c *chat) hears(after int) chatsim.Message {
	c.t.Helper()
	var heard chatsim.Message
	NewWithT(c.t).Eventually(func() error {
		for _, m := range c.messages() {
			if m.ID > after && m.By == chatsim.ByBot {
				heard = m
				return nil
			}
		}
		return errors.New("the bot has said nothing")
	}).WithTimeout(answerTime).WithPolling(poll).Should(Succeed())
	return heard
}

// press taps a button and returns what that opens.
func (c *chat) press(b chatsim.Button) string {
	c.t.Helper()
	var pressed chatsim.Pressed
	control(c.t, http.MethodPost, c.path()+"/press", chatsim.Press{Button: b.ID}, &pressed)
	return pressed.Open
}

// button is the one button of a message.
func (c *chat) button(m chatsim.Message) chatsim.Button {
	c.t.Helper()
	buttons := m.Buttons
	for _, card := range m.Cards {
		buttons = append(buttons, card.Buttons...)
	}
	if len(buttons) != 1 {
		c.t.Fatalf("want a message with one button, got %+v", m)
	}
	return buttons[0]
}

// asksForLeave asks until the answer is the balance: a link that goes through BotBonnie is confirmed in a moment, not at once.
func (c *chat) asksForLeave() {
	c.t.Helper()
	NewWithT(c.t).Eventually(func() string { return c.says("my leave balance, please").Text }).
		WithTimeout(answerTime).WithPolling(time.Second).Should(Equal(balance))
}

// requests are what went over the wire of a channel.
func requests(t *testing.T, channel string) []chatsim.Request {
	t.Helper()
	var all, ours []chatsim.Request
	control(t, http.MethodGet, "requests", nil, &all)
	for _, r := range all {
		if r.Channel == channel || r.Channel == "" {
			ours = append(ours, r)
		}
	}
	return ours
}
