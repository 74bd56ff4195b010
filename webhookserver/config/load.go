package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// MarshalText writes the duration as time.Duration's String does.
func (d Duration) MarshalText() ([]byte, error) {
	return []byte(time.Duration(d).String()), nil
}

// UnmarshalText reads what time.ParseDuration reads.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("duration %q: want a number with a unit, such as 1m30s", text)
	}
	*d = Duration(parsed)
	return nil
}

// ErrVersion is returned by Parse for a settings file of another release.
var ErrVersion = errors.New("settings are of another version")

// Parse reads and validates a settings file. Unknown fields are errors: a setting that a server does not know is one that
// it would not enforce.
func Parse(data []byte) (Settings, error) {
	var probe struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(data, &probe); err != nil {
		return Settings{}, fmt.Errorf("reading settings: %w", err)
	}
	if probe.Version != Version {
		return Settings{}, fmt.Errorf("settings have version %d, this server reads %d: run operator and server of one release: %w",
			probe.Version, Version, ErrVersion)
	}

	var s Settings
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&s); err != nil {
		return Settings{}, fmt.Errorf("reading settings: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return Settings{}, errors.New("reading settings: more than one JSON document")
	}
	if err := s.Validate(); err != nil {
		return Settings{}, err
	}
	return s, nil
}
