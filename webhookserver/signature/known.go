package signature

import (
	"crypto/sha256"
	"crypto/subtle"

	"channellink.dev/operator/webhookserver/secretfile"
)

// Known reports whether given is one of the secrets, for schemes in which the secret
// itself is sent: Meta's hub.verify_token, the key in BotBonnie's URLs. Both sides
// are hashed first, so that the time taken does not tell the secret's length.
func Known(given string, secrets []secretfile.Secret) bool {
	sum := sha256.Sum256([]byte(given))
	found := 0
	for _, secret := range secrets {
		each := sha256.Sum256([]byte(secret.Reveal()))
		found |= subtle.ConstantTimeCompare(sum[:], each[:])
	}
	return found == 1
}
