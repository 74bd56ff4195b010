package unlink

import (
	"crypto/sha256"
	"sync"
	"time"

	"channellink.dev/operator/webhookserver/secretfile"
)

// rest remembers why a platform is left alone: a credential that it has refused, or a while that it has asked for. Every
// revocation of the channel keeps to it. A process that begins anew finds out with one call.
type rest struct {
	mu      sync.Mutex
	refused [sha256.Size]byte // hash of the credential
	until   time.Time
}

// cause returns why no call is made now, and how long the platform wants to be left alone; nothing if one can be made.
func (r *rest) cause(credential secretfile.Secret, now time.Time) (Cause, time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refused == hash(credential) {
		return CredentialsRejected, 0
	}
	r.refused = [sha256.Size]byte{} // should it come back, that is somebody's decision: it is tried once more
	if now.Before(r.until) {
		return RateLimited, r.until.Sub(now)
	}
	return "", 0
}

// note takes up what a call has come to.
func (r *rest) note(failure *CallError, credential secretfile.Secret, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if failure.Cause == CredentialsRejected {
		r.refused = hash(credential)
	}
	if until := now.Add(failure.RetryAfter); failure.RetryAfter > 0 && until.After(r.until) {
		r.until = until
	}
}

func hash(credential secretfile.Secret) [sha256.Size]byte {
	return sha256.Sum256([]byte(credential.Reveal()))
}
