package webhookserver_test

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"io"
	"maps"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"channellink.dev/operator/webhookserver/config"
	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/store"
)

const (
	psid       = "7051340731987654"
	pageID     = "1234779123812"
	lineUser   = "U206d25c2ea6bd87c17655609a1c37cb8"
	oaID       = "507oftxz"
	aliceCode  = "kVh3cX0a1ZbQ2mYt5oPq8wRr7uSs6vTt4xUu9yVv0zA"
	appSecret  = canary + "-app"
	lineSecret = canary + "-channel"
	apiSecret  = canary + "-api"
)

// links is the store of a world, opened beside its server.
type links struct {
	link.Store
	channel link.ChannelID
}

// keepStore has the world's store opened beside the server; call links once the server is ready.
func keepStore(dir *string) option {
	return func(_ *world, s *config.Settings) { *dir = s.Store.SQLite.Dir }
}

func openLinks(t testing.TB, dir, platform, page string) *links {
	t.Helper()
	opened, err := store.OpenSQLite(t.Context(), store.SQLiteOptions{Options: store.Options{Beside: true}, Path: filepath.Join(dir, "links.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := opened.Close(); err != nil {
			t.Error(err)
		}
	})
	return &links{opened, link.NewChannelID(platform, page)}
}

// pending leaves a login whose consent was given at the given time: it waits for its confirmation.
func (l *links) pending(t *testing.T, userID, code string, consentAt time.Time, life time.Duration) {
	t.Helper()
	s := link.Session{
		Flow: "flow-" + code, Channel: l.channel, Step: link.Started, StateHash: link.HashCode("state" + code),
		CookieHash: link.HashCode("cookie" + code), NonceHash: link.HashCode("nonce" + code), FormHash: link.HashCode("form" + code),
		Params: map[string]string{}, UserID: userID, StartedAt: consentAt, ExpiresAt: consentAt.Add(life),
	}
	if err := l.PutSession(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	s, err := l.TakeCallback(t.Context(), l.channel, s.StateHash, consentAt)
	if err != nil {
		t.Fatal(err)
	}
	s.Step, s.Identity = link.Identified, link.Identity{Issuer: "https://sso.vision.example", Subject: "00u1", Account: "j.dupont"}
	if err := l.Identify(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	err = l.Consent(t.Context(), s.Flow, link.Link{
		ID: rand.Text(), Channel: l.channel, UserID: userID, Identity: s.Identity, State: link.Pending,
		CodeHash: link.HashCode(code), LoginAt: consentAt, ConsentAt: consentAt, ExpiresAt: consentAt.Add(life),
	}, 0, false)
	if err != nil {
		t.Fatal(err)
	}
}

// active reports whether the user's link is active.
func (l *links) active(t *testing.T, userID string) bool {
	t.Helper()
	_, err := l.ActiveLink(t.Context(), l.channel, userID, time.Time{})
	return err == nil
}

// onFacebook makes the world's channel one of Messenger.
func onFacebook(w *world, s *config.Settings) {
	c := &s.Channels[0]
	c.Platform, c.PageID, c.LINE = "Facebook", pageID, nil
	c.Messenger = &config.Messenger{
		AppSecret:     &config.File{Field: "messenger.appSecretRef", Path: w.References.Path("messenger.appSecretRef")},
		VerifyToken:   &config.File{Field: "messenger.verifyTokenSecretRef", Path: w.References.Path("messenger.verifyTokenSecretRef")},
		RedirectHosts: []string{"www.facebook.com"},
		GraphEndpoint: "https://graph.facebook.com/v23.0",
	}
	delete(w.files, fieldChannelSecret)
	w.files["messenger.appSecretRef"] = "new\n" + appSecret + "\n"
	w.files["messenger.verifyTokenSecretRef"] = canary + "-verify\n"
}

// behindBotBonnie puts BotBonnie in front of the world's LINE channel, with its API at the given address.
func behindBotBonnie(api string) option {
	return func(w *world, s *config.Settings) {
		c := &s.Channels[0]
		file := func(field, value string) *config.File {
			w.files[field] = value
			return &config.File{Field: field, Path: w.References.Path(field)}
		}
		c.BotBonnie = &config.BotBonnie{
			BotID:              "bot-M-BOieOXZ",
			APIToken:           *file("botBonnie.apiTokenSecretRef", canary+"-token\n"),
			APISecret:          file("botBonnie.apiSecretRef", apiSecret+"\n"),
			URLKey:             file("botBonnie.urlKeySecretRef", "urlkey\n"),
			StartLinkingModule: "module-ry49xXQU2", MaxCallsPerSecond: 10,
			APIEndpoint: api, RedirectEndpoint: "https://rd.botbonnie.com/account/link",
		}
		c.LINE = &config.LINE{AccountLinkEndpoint: "https://access.line.me/dialog/bot/accountLink"}
		delete(w.files, fieldChannelSecret)
	}
}

func mac(newHash func() hash.Hash, secret, body string) []byte {
	h := hmac.New(newHash, []byte(secret))
	h.Write([]byte(body))
	return h.Sum(nil)
}

// The headers with which each sender signs.
func byMeta(body string) http.Header {
	return http.Header{"X-Hub-Signature-256": {"sha256=" + hex.EncodeToString(mac(sha256.New, appSecret, body))}}
}

func byLINE(body string) http.Header { return signedByLINE(lineSecret, body) }

func signedByLINE(secret, body string) http.Header {
	return http.Header{"X-Line-Signature": {base64.StdEncoding.EncodeToString(mac(sha256.New, secret, body))}}
}

func byBotBonnie(body string) http.Header { return byBotBonnieWith(apiSecret, body) }

func byBotBonnieWith(secret, body string) http.Header {
	return http.Header{"X-Hub-Signature": {"sha1=" + hex.EncodeToString(mac(sha1.New, secret, body))}}
}

// post sends a body as a platform does.
func (w *world) post(t *testing.T, path, body string, header http.Header) answer {
	t.Helper()
	return do(t, http.MethodPost, w.Public+path, func(r *http.Request) {
		r.Host = visionHost
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
		maps.Copy(r.Header, header)
	})
}
