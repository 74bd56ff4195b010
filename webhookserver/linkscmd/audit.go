package linkscmd

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"channellink.dev/operator/webhookserver/link"
)

// AuditRow is a row of the audit trail as `audit` shows it. It says no more than what is stored: whom it is about is told in
// keyed hashes, in hex.
type AuditRow struct {
	Version int            `json:"version"`
	Channel link.ChannelID `json:"channel"`
	At      time.Time      `json:"at"`
	What    string         `json:"what"`
	Link    string         `json:"link"`
	User    string         `json:"user"`
	Subject string         `json:"subject"`
	Account string         `json:"account"`
	By      string         `json:"by"`
	Why     string         `json:"why"`
}

// audit prints the audit trail, of everybody or of the one user whose id stands on standard input. An argument would be worse
// a place for it: the API server's own audit log keeps the arguments of `kubectl exec`.
func audit(ctx context.Context, s link.Store, channels []link.ChannelID, env Env, oneUser bool) error {
	var userID string
	if oneUser {
		var err error
		if userID, err = readUser(env.In); err != nil {
			return err
		}
	}
	buffered := bufio.NewWriter(env.Out)
	lines := json.NewEncoder(buffered)
	lines.SetEscapeHTML(false)
	for _, channel := range channels {
		err := s.Audit(ctx, channel, userID, func(r link.AuditRow) error {
			return lines.Encode(AuditRow{
				Version: recordVersion, Channel: r.Channel, At: r.At, What: r.What, Link: r.LinkID,
				User:    hex.EncodeToString(r.UserHash),
				Subject: hex.EncodeToString(r.SubjectHash),
				Account: hex.EncodeToString(r.AccountHash),
				By:      r.By, Why: r.Why,
			})
		})
		if err != nil {
			return err
		}
	}
	return buffered.Flush()
}

func readUser(in io.Reader) (string, error) {
	raw, err := io.ReadAll(io.LimitReader(in, maxID+2))
	if err != nil {
		return "", fmt.Errorf("links audit: read the user's id: %w", err)
	}
	id := string(bytes.TrimSpace(raw))
	if id == "" || len(id) > maxID {
		return "", errors.New("links audit: -one-user wants one id on standard input")
	}
	return id, nil
}
