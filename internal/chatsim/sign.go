package chatsim

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // BotBonnie signs with it
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
)

// signLINE is the value of X-Line-Signature (LINE, verify-webhook-signature).
func signLINE(secret string, body []byte) string {
	return base64.StdEncoding.EncodeToString(sum256(secret, body))
}

// signMeta is the value of X-Hub-Signature-256 (Graph API webhooks, getting started).
func signMeta(secret string, body []byte) string {
	return "sha256=" + hex.EncodeToString(sum256(secret, body))
}

// signBotBonnie is the value of X-Hub-Signature on the calls of BotBonnie's modules.
func signBotBonnie(secret string, body []byte) string {
	mac := hmac.New(sha1.New, []byte(secret))
	mac.Write(body)
	return "sha1=" + hex.EncodeToString(mac.Sum(nil))
}

// appSecretProof is Graph's parameter of that name.
func appSecretProof(secret, accessToken string) string {
	return hex.EncodeToString(sum256(secret, []byte(accessToken)))
}

func sum256(key string, message []byte) []byte {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write(message)
	return mac.Sum(nil)
}
