package samplehr

import (
	"encoding/json"
	"fmt"
	"io"
)

// Config is what the service knows.
type Config struct {
	// Audience is the service's own name in assertions.
	Audience string `json:"audience"`
	// Issuers are the public URLs of the servers whose assertions it takes, with the names of their channels.
	Issuers map[string]string `json:"issuers,omitempty"`
	// BotKey is the bearer token of the company's bot.
	BotKey string `json:"botKey,omitempty"`
	// Channels say, by the name that the bot uses, where a code is checked.
	Channels map[string]Introspection `json:"channels,omitempty"`
	// Days of leave that are left, by account.
	Days map[string]int `json:"days"`
	// Simulator is the base URL of a chat simulator that is told what goes over the wire; empty for none.
	Simulator string `json:"simulator,omitempty"`
}

// Introspection is where and how one channel's codes are checked (RFC 7662).
type Introspection struct {
	URL   string `json:"url"`
	Token string `json:"token"`
}

// ReadConfig reads a configuration as JSON. A field that it does not know is an error.
func ReadConfig(r io.Reader) (Config, error) {
	var c Config
	dec := json.NewDecoder(r)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&c); err != nil {
		return Config{}, fmt.Errorf("reading the leave service's configuration: %w", err)
	}
	return c, nil
}
