package store

import (
	"encoding/json"
	"fmt"

	"channellink.dev/operator/webhookserver/link"
)

// sessionColumns are in the order of [Store.scanSession].
const sessionColumns = `channel, flow, step, state_hash, cookie_hash, nonce_hash, form_hash, platform_token,
	user_id, user_verified, locale, issuer, subject, account, secrets, sealed_with, started_at, expires_at`

// sessionSecrets are what of a session is worth sealing: PKCE's verifier, the platform's parameters with its token, and
// a person's claims. Values of parameters are bytes, since what a browser sends need not be UTF-8 and JSON would mend it.
type sessionSecrets struct {
	Verifier string            `json:"v,omitempty"`
	Params   map[string][]byte `json:"p,omitempty"`
	Display  []link.Claim      `json:"d,omitempty"`
}

func (s *Store) sealSession(session link.Session) (value []byte, keyID string, err error) {
	secrets := sessionSecrets{Verifier: session.Verifier, Display: session.Display}
	if session.Params != nil {
		secrets.Params = make(map[string][]byte, len(session.Params))
		for name, param := range session.Params {
			secrets.Params[name] = []byte(param)
		}
	}
	plain, err := json.Marshal(secrets)
	if err != nil {
		return nil, "", fmt.Errorf("store: encode session: %w", err)
	}
	value, keyID, err = s.sealer.seal(plain, sessionContext(session))
	if err != nil {
		return nil, "", fmt.Errorf("store: seal session: %w", err)
	}
	return value, keyID, nil
}

// scanner is a *sql.Row or *sql.Rows.
type scanner interface{ Scan(...any) error }

// scanSession reads a row of sessionColumns.
func (s *Store) scanSession(r scanner) (link.Session, error) {
	var session link.Session
	var state, cookie, nonce, form, value []byte
	var sealedWith string
	var started, expires int64
	err := r.Scan(&session.Channel, &session.Flow, &session.Step, &state, &cookie, &nonce, &form, &session.PlatformToken,
		&session.UserID, &session.Verified, &session.Locale,
		&session.Identity.Issuer, &session.Identity.Subject, &session.Identity.Account,
		&value, &sealedWith, &started, &expires)
	if err != nil {
		return link.Session{}, err
	}
	copy(session.StateHash[:], state)
	copy(session.CookieHash[:], cookie)
	copy(session.NonceHash[:], nonce)
	copy(session.FormHash[:], form)
	session.StartedAt, session.ExpiresAt = fromMicros(started), fromMicros(expires)
	if len(value) == 0 { // done
		return session, nil
	}
	plain, _, err := s.sealer.open(value, sealedWith, sessionContext(session))
	if err != nil {
		return link.Session{}, fmt.Errorf("store: read session: %w", err)
	}
	var secrets sessionSecrets
	if err := json.Unmarshal(plain, &secrets); err != nil {
		return link.Session{}, &Error{Op: "decode session", Reason: Corrupt}
	}
	session.Verifier, session.Display = secrets.Verifier, secrets.Display
	if secrets.Params != nil {
		session.Params = make(map[string]string, len(secrets.Params))
		for name, param := range secrets.Params {
			session.Params[name] = string(param)
		}
	}
	return session, nil
}

// sessionContext is what sealed secrets are bound to.
func sessionContext(session link.Session) []byte {
	context, _ := json.Marshal([]any{"sessions", session.Channel, session.Flow}) // strings: cannot fail
	return context
}
