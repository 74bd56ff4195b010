package samplebot

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// The platforms.
const (
	onMessenger = "messenger"
	onLINE      = "line"
)

// Config is what the bot knows.
type Config struct {
	Channels []Channel `json:"channels"`
	Leave    Leave     `json:"leave"`
	// Simulator is the base URL of a chat simulator that is told what goes over the wire; empty for none.
	Simulator string `json:"simulator,omitempty"`
}

// Channel is a page or an official account that the bot speaks for. Its webhook is served at /NAME.
type Channel struct {
	Name string `json:"name"`
	// Platform is messenger or line.
	Platform string `json:"platform"`
	// Secret is the app secret or channel secret, AccessToken that of the page or channel.
	Secret      string `json:"secret"`
	AccessToken string `json:"accessToken"`
	// API is the platform's: Graph with its version, or LINE's without.
	API string `json:"api"`
	// Server is the base URL of the ChannelLink's server, ServerToken the bearer token of its /api/v1.
	Server      string `json:"server"`
	ServerToken string `json:"serverToken"`
}

// Leave is the company's leave service.
type Leave struct {
	URL string `json:"url"`
	Key string `json:"key"`
}

// ReadConfig reads a configuration as JSON. A field that it does not know is an error.
func ReadConfig(r io.Reader) (Config, error) {
	var c Config
	dec := json.NewDecoder(r)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&c); err != nil {
		return Config{}, fmt.Errorf("reading the bot's configuration: %w", err)
	}
	return c, nil
}

func (c Config) validate() error {
	if c.Leave.URL == "" || c.Leave.Key == "" {
		return errors.New("want leave.url and leave.key")
	}
	for _, ch := range c.Channels {
		switch {
		case ch.Platform != onMessenger && ch.Platform != onLINE:
			return fmt.Errorf("channel %q: platform %q: want messenger or line", ch.Name, ch.Platform)
		case ch.Name == "" || ch.Secret == "" || ch.AccessToken == "" || ch.API == "" || ch.Server == "" || ch.ServerToken == "":
			return fmt.Errorf("channel %q: want name, secret, accessToken, api, server and serverToken", ch.Name)
		}
	}
	return nil
}
