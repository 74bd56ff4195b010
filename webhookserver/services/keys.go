package services

import (
	"time"

	"channellink.dev/operator/webhookserver/link"
)

// The life of a key: made, published at once, signing a day later, and published for a day after another one has taken
// over. Whoever verifies may keep the published keys for almost a day and still knows every signature that he meets;
// replicas, which look every [RefreshEvery], all know a key long before one of them signs with it.
const (
	// KeyPeriod is how long a key is the newest.
	KeyPeriod = 30 * 24 * time.Hour
	// KeyLead is how long a key is published before it signs.
	KeyLead = 24 * time.Hour
	// KeyRest is how long a key is published after it has signed for the last time.
	KeyRest = 24 * time.Hour
)

// The functions below take the keys of a channel, newest first, as the store gives them. They agree on every replica.

// due tells whether it is time for a new key.
func due(keys []link.Key, now time.Time) bool {
	return len(keys) == 0 || !now.Before(keys[0].CreatedAt.Add(KeyPeriod))
}

// signsAt is when the key begins to sign. The first one of a channel does so at once: nobody can have kept keys of before.
func signsAt(key link.Key) time.Time {
	if key.Generation == 1 {
		return key.CreatedAt
	}
	return key.CreatedAt.Add(KeyLead)
}

// signing is the index of the key that signs now: the newest one whose time has come, or else the oldest.
func signing(keys []link.Key, now time.Time) int {
	for i, key := range keys {
		if !now.Before(signsAt(key)) {
			return i
		}
	}
	return len(keys) - 1
}

// published is the number of keys that verifiers are told: all but those whose successor has been signing for KeyRest.
func published(keys []link.Key, now time.Time) int {
	for i := 1; i < len(keys); i++ {
		if !now.Before(signsAt(keys[i-1]).Add(KeyRest)) {
			return i
		}
	}
	return len(keys)
}
