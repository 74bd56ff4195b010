package chatsim

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
)

// Kind is the chat platform of a channel.
type Kind string

// The platforms.
const (
	LINE      Kind = "line"
	Messenger Kind = "messenger"
)

// Config is what the simulator plays.
type Config struct {
	// URL is the simulator's own base URL, as browsers and the server reach it.
	URL string `json:"url"`
	// APIURL is its base URL as the server reaches it, where that is another.
	APIURL string `json:"apiURL,omitempty"`
	// Channels have unique names.
	Channels []Channel `json:"channels"`
	// Shell prepares a terminal for the page's kubectl commands, for example by setting KUBECONFIG; empty for nothing to do.
	Shell string `json:"shell,omitempty"`
	// RecordBodies keeps the bodies of requests, for tests.
	RecordBodies bool `json:"recordBodies,omitempty"`
}

// Channel is one LINE Official Account or one Facebook Page.
type Channel struct {
	Name string `json:"name"`
	// DisplayName is what the chat app calls the company; empty for Name.
	DisplayName string `json:"displayName,omitempty"`
	Kind        Kind   `json:"kind"`
	// PageID is the Facebook Page id, or what BotBonnie calls the pageId of a LINE Official Account.
	PageID string `json:"pageID"`
	// BotUserID is the `destination` of LINE's webhooks.
	BotUserID string `json:"botUserID,omitempty"`
	// Secret is the channel secret or the app secret: the key of the webhooks' signatures.
	Secret string `json:"secret"`
	// AccessToken is the channel access token or the page access token.
	AccessToken string `json:"accessToken"`
	// VerifyToken is what Messenger's GET verification presents.
	VerifyToken string `json:"verifyToken,omitempty"`
	// RequireProof has Graph refuse calls without appsecret_proof, as the setting of that name in Meta's console does.
	RequireProof bool `json:"requireProof,omitempty"`
	// BotBonnie is set where BotBonnie stands in front: it gets the platform's webhooks then.
	BotBonnie *BotBonnie `json:"botBonnie,omitempty"`
	// Resource is NAMESPACE/NAME of the ChannelLink that serves it, for the page; empty where there is no Kubernetes.
	Resource string `json:"resource,omitempty"`
	// Server is the public URL of the server under test, without a final slash.
	Server string `json:"server"`
	// Users are there from the start.
	Users []User `json:"users,omitempty"`
}

// BotBonnie is a bot at BotBonnie.
type BotBonnie struct {
	BotID string `json:"botID"`
	// APIToken is the bearer that its API wants.
	APIToken string `json:"apiToken"`
	// APISecret is the key of X-Hub-Signature on the calls of its modules.
	APISecret string `json:"apiSecret"`
	// URLKey goes into the modules' URLs as the parameter k; empty for none.
	URLKey string `json:"urlKey,omitempty"`
	// Tags are the ids of those that exist in the console.
	Tags []string `json:"tags,omitempty"`
	// Modules are the bot's script.
	Modules []Module `json:"modules,omitempty"`
}

// User is somebody in the chat.
type User struct {
	// ID is the LINE user id or the PSID; empty has one made.
	ID   string `json:"id,omitempty"`
	Name string `json:"name,omitempty"`
	// Hidden users have no profile: blocked on LINE, signed up by telephone on Messenger.
	Hidden bool `json:"hidden,omitempty"`
}

// ReadConfig reads a configuration as JSON. A field that it does not know is an error.
func ReadConfig(r io.Reader) (Config, error) {
	var c Config
	dec := json.NewDecoder(r)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&c); err != nil {
		return Config{}, fmt.Errorf("reading the simulator's configuration: %w", err)
	}
	return c, nil
}

func (c Config) validate() error {
	if !absolute(c.URL) {
		return fmt.Errorf("url %q: want an absolute http or https URL", c.URL)
	}
	if c.APIURL != "" && !absolute(c.APIURL) {
		return fmt.Errorf("apiURL %q: want an absolute http or https URL", c.APIURL)
	}
	names := map[string]bool{}
	for _, ch := range c.Channels {
		if ch.Name == "" || names[ch.Name] {
			return fmt.Errorf("channel %q: want a name of its own", ch.Name)
		}
		names[ch.Name] = true
		if err := ch.validate(); err != nil {
			return fmt.Errorf("channel %q: %w", ch.Name, err)
		}
	}
	return nil
}

func (c Channel) validate() error {
	switch {
	case c.Kind != LINE && c.Kind != Messenger:
		return fmt.Errorf("kind %q: want line or messenger", c.Kind)
	case c.PageID == "" || c.Secret == "" || c.AccessToken == "":
		return errors.New("want pageID, secret and accessToken")
	case c.Kind == LINE && c.BotUserID == "":
		return errors.New("want botUserID, the destination of LINE's webhooks")
	case !absolute(c.Server):
		return fmt.Errorf("server %q: want an absolute http or https URL", c.Server)
	case c.BotBonnie != nil && (c.BotBonnie.BotID == "" || c.BotBonnie.APIToken == "" || c.BotBonnie.APISecret == ""):
		return errors.New("want botBonnie.botID, apiToken and apiSecret")
	case c.BotBonnie != nil:
		return c.BotBonnie.validate()
	}
	return nil
}

func (b *BotBonnie) validate() error {
	ids := map[string]bool{}
	for _, m := range b.Modules {
		if m.ID == "" || ids[m.ID] {
			return fmt.Errorf("botBonnie.modules: id %q: want one of its own", m.ID)
		}
		ids[m.ID] = true
		switch m.Kind {
		case StartLinking, StopLinking:
			if m.Text == "" || m.Button == "" {
				return fmt.Errorf("botBonnie.modules: %s: want text and button", m.ID)
			}
		case JSONAPI:
			if m.Path == "" || m.Path[0] != '/' {
				return fmt.Errorf("botBonnie.modules: %s: want a path", m.ID)
			}
		case Words:
			if m.Text == "" {
				return fmt.Errorf("botBonnie.modules: %s: want text", m.ID)
			}
		default:
			return fmt.Errorf("botBonnie.modules: %s: kind %q: want startLinking, stopLinking, jsonAPI or words", m.ID, m.Kind)
		}
	}
	return nil
}

// displayName is what the chat app calls the company.
func (c Channel) displayName() string { return cmp.Or(c.DisplayName, c.Name) }

func absolute(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}
