package linkscmd

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"channellink.dev/operator/webhookserver/link"
)

// recordVersion is the version of the shape of a line. An import refuses any other: half of a link is worse than none.
const recordVersion = 1

// Record is an active link as `export` writes and `import` reads it.
type Record struct {
	Version int `json:"version"`
	// Channel is platform/pageID; an import into a server of one channel may leave it out.
	Channel link.ChannelID `json:"channel,omitempty"`
	// ID names the link in the audit trail; an import gives one where there is none.
	ID        string `json:"id,omitempty"`
	UserID    string `json:"userID"`
	Issuer    string `json:"issuer"`
	Subject   string `json:"subject"`
	Account   string `json:"account,omitempty"`
	Confirmed bool   `json:"confirmed"`
	// CodeHash and PlatformToken are hashes, in hex. Links from elsewhere have none. With StableCode the code is a pseudonym,
	// and no credential.
	CodeHash      string    `json:"codeHash,omitempty"`
	StableCode    bool      `json:"stableCode,omitempty"`
	PlatformToken string    `json:"platformToken,omitempty"`
	LoginAt       time.Time `json:"loginAt,omitzero"`
	ConsentAt     time.Time `json:"consentAt,omitzero"`
	ExpiresAt     time.Time `json:"expiresAt,omitzero"`
	LinkedAt      time.Time `json:"linkedAt"`
}

// Row is an active link as `list` shows it.
type Row struct {
	Version   int            `json:"version"`
	Channel   link.ChannelID `json:"channel"`
	User      string         `json:"user"` // masked, as are subject and account
	Issuer    string         `json:"issuer"`
	Subject   string         `json:"subject"`
	Account   string         `json:"account,omitempty"`
	Confirmed bool           `json:"confirmed"`
	LinkedAt  time.Time      `json:"linkedAt"`
}

func newRecord(l link.Link) Record {
	r := Record{
		Version: recordVersion, Channel: l.Channel, ID: l.ID, UserID: l.UserID,
		Issuer: l.Identity.Issuer, Subject: l.Identity.Subject, Account: l.Identity.Account,
		Confirmed: l.Confirmed, StableCode: l.StableCode, PlatformToken: l.PlatformToken,
		LoginAt: l.LoginAt, ConsentAt: l.ConsentAt, ExpiresAt: l.ExpiresAt, LinkedAt: l.LinkedAt,
	}
	if l.CodeHash != (link.CodeHash{}) {
		r.CodeHash = hex.EncodeToString(l.CodeHash[:])
	}
	return r
}

func newRow(l link.Link) Row {
	return Row{
		Version: recordVersion, Channel: l.Channel, User: mask(l.UserID),
		Issuer: l.Identity.Issuer, Subject: mask(l.Identity.Subject), Account: mask(l.Identity.Account),
		Confirmed: l.Confirmed, LinkedAt: l.LinkedAt,
	}
}

// mask leaves enough to tell two ids apart and too little to use one: U206…7cb8, or nothing but … of a short one.
func mask(id string) string {
	const ends = 4
	runes := []rune(id)
	switch {
	case len(runes) == 0:
		return ""
	case len(runes) < 3*ends:
		return "…"
	}
	return string(runes[:ends]) + "…" + string(runes[len(runes)-ends:])
}

// Bounds of what a record may hold: the platforms' and OpenID Connect's own, with room.
const (
	maxID      = 255
	maxIssuer  = 2048
	maxSkew    = time.Minute // how far a link's own time may lie in the future
	hashLength = len(link.CodeHash{})
)

// parse reads a line and checks it. The error names the field and holds no value.
func parse(line []byte, channels []link.ChannelID, now time.Time) (link.Link, error) {
	var r Record
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&r); err != nil {
		return link.Link{}, errors.New("not a JSON object of the shape that export writes")
	}
	if r.Version != recordVersion {
		return link.Link{}, fmt.Errorf("version is %d, this command reads %d", r.Version, recordVersion)
	}
	if r.Channel == "" && len(channels) == 1 {
		r.Channel = channels[0]
	}
	if err := r.check(channels, now); err != nil {
		return link.Link{}, err
	}
	l := link.Link{
		ID: r.ID, Channel: r.Channel, UserID: r.UserID, State: link.Active, Confirmed: r.Confirmed,
		Identity:   link.Identity{Issuer: r.Issuer, Subject: r.Subject, Account: r.Account},
		StableCode: r.StableCode, PlatformToken: r.PlatformToken,
		LoginAt: r.LoginAt, ConsentAt: r.ConsentAt, ExpiresAt: r.ExpiresAt, LinkedAt: r.LinkedAt,
	}
	hash, err := hex.DecodeString(r.CodeHash)
	if err != nil || len(hash) != 0 && len(hash) != hashLength {
		return link.Link{}, fmt.Errorf("codeHash is not %d bytes in hex", hashLength)
	}
	copy(l.CodeHash[:], hash)
	return l, nil
}

func (r Record) check(channels []link.ChannelID, now time.Time) error {
	known := false
	for _, channel := range channels {
		known = known || r.Channel == channel
	}
	if !known {
		return errors.New("channel is not one that is served here: it is platform/pageID, as list shows it")
	}
	for _, field := range []struct {
		name, value string
		required    bool
		length      int
	}{
		{"id", r.ID, false, maxID},
		{"userID", r.UserID, true, maxID},
		{"issuer", r.Issuer, true, maxIssuer},
		{"subject", r.Subject, true, maxID},
		{"account", r.Account, false, maxIssuer},
		{"platformToken", r.PlatformToken, false, maxID},
	} {
		if field.required && field.value == "" {
			return fmt.Errorf("%s is missing", field.name)
		}
		if len(field.value) > field.length {
			return fmt.Errorf("%s is longer than %d bytes", field.name, field.length)
		}
	}
	switch {
	case r.LinkedAt.IsZero():
		return errors.New("linkedAt is missing")
	case r.LinkedAt.After(now.Add(maxSkew)): // no unlinking of today could end it
		return errors.New("linkedAt is in the future")
	}
	return nil
}
