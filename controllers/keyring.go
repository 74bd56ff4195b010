package controllers

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"channellink.dev/operator/internal/names"
	"channellink.dev/operator/webhookserver/adminapi"
)

// +kubebuilder:rbac:groups="",namespace=system,resources=secrets,verbs=create
// +kubebuilder:rbac:groups="",namespace=system,resources=secrets,resourceNames=channellink-operator-keys,verbs=get;update

const (
	// keyLife is the age at which a new signing key is made.
	keyLife = 90 * 24 * time.Hour
	// keyOverlap is how long the former key is kept, published and good beside the new one: time for every server's
	// kubelet to bring the new one, many times over.
	keyOverlap = 24 * time.Hour
	// keyCheck is how often the Secret is read again.
	keyCheck = time.Hour
	// keySuffix ends the Secret's keys; before it stands when the signing key was made, in Unix seconds.
	keySuffix = ".pem"
)

// errKeys marks a Secret whose keys cannot be used.
var errKeys = errors.New("the operator's signing keys cannot be used")

// Keyring holds the keys with which the operator signs its requests to servers. They are kept in one Secret of the
// operator's own namespace, the only one that it may read.
type Keyring struct {
	// Live reads past the cache: no Secret is ever cached.
	Live client.Reader
	// Client creates and updates the Secret.
	Client client.Writer
	// Namespace of the operator.
	Namespace string
	Now       func() time.Time
	// Changed is called after the keys have changed, so that every server's ConfigMap follows.
	Changed func()

	mu   sync.Mutex
	keys []signingKey // newest first
	jwks []byte
}

type signingKey struct {
	made   time.Time
	signer *adminapi.Signer
	key    ed25519.PrivateKey
}

// Published is the JWK set of all public keys, for the servers' ConfigMaps.
func (k *Keyring) Published(ctx context.Context) ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.ensure(ctx); err != nil {
		return nil, err
	}
	return k.jwks, nil
}

// SignerFor gives the newest key that the server is known to know. Of a server that has not told yet, the oldest key is the
// likeliest known; each refusal leads to the next.
func (k *Keyring) SignerFor(ctx context.Context, known []string, refusals int) (*adminapi.Signer, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.ensure(ctx); err != nil {
		return nil, err
	}
	for _, key := range k.keys {
		if slices.Contains(known, key.signer.KeyID()) {
			return key.signer, nil
		}
	}
	return k.keys[len(k.keys)-1-refusals%len(k.keys)].signer, nil
}

// Start keeps the keys fresh until the context ends. The manager runs it on the leader alone.
func (k *Keyring) Start(ctx context.Context) error {
	ticker := time.NewTicker(keyCheck)
	defer ticker.Stop()
	for {
		if err := k.Refresh(ctx); err != nil && ctx.Err() == nil {
			log.FromContext(ctx).Error(err, "Could not refresh the signing keys; the present ones stay in use")
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// Refresh reads the Secret again and rotates its keys when that is due.
func (k *Keyring) Refresh(ctx context.Context) error {
	k.mu.Lock()
	before := string(k.jwks)
	err := k.load(ctx)
	changed := err == nil && before != "" && before != string(k.jwks)
	k.mu.Unlock()
	if changed {
		k.Changed()
	}
	return err
}

func (k *Keyring) ensure(ctx context.Context) error {
	if len(k.keys) > 0 {
		return nil
	}
	return k.load(ctx)
}

// load reads the Secret, creates it when there is none, and replaces what is due. Whoever creates it first wins; the
// others read again.
func (k *Keyring) load(ctx context.Context) error {
	secret := &corev1.Secret{}
	key := types.NamespacedName{Namespace: k.Namespace, Name: names.KeySecret}
	err := k.Live.Get(ctx, key, secret)
	if apierrors.IsNotFound(err) {
		secret = &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: k.Namespace, Name: names.KeySecret,
				Labels: map[string]string{names.LabelManagedBy: names.ManagedBy},
			},
			Data: map[string][]byte{},
		}
		if err = rotate(secret, k.Now()); err == nil {
			err = k.Client.Create(ctx, secret, client.FieldOwner(names.FieldOwner))
		}
		if apierrors.IsAlreadyExists(err) {
			err = k.Live.Get(ctx, key, secret)
		}
	}
	if err != nil {
		return fmt.Errorf("reading Secret %q with the operator's signing keys: %w", key, err)
	}

	keys, err := parseKeys(secret)
	if err != nil {
		return err
	}
	if due(keys, k.Now()) {
		if err := rotate(secret, k.Now()); err != nil {
			return err
		}
		if err := k.Client.Update(ctx, secret, client.FieldOwner(names.FieldOwner)); err != nil {
			return fmt.Errorf("rotating the operator's signing keys: %w", err)
		}
		if keys, err = parseKeys(secret); err != nil {
			return err
		}
	}
	return k.use(keys)
}

func (k *Keyring) use(keys []signingKey) error {
	public := make([]ed25519.PublicKey, 0, len(keys))
	for _, key := range keys {
		public = append(public, key.key.Public().(ed25519.PublicKey))
	}
	set, err := adminapi.NewKeySet(public...)
	if err != nil {
		return err
	}
	jwks, err := adminapi.MarshalKeys(set)
	if err != nil {
		return err
	}
	k.keys, k.jwks = keys, jwks
	return nil
}

// due tells whether a new key is needed, or a former one has outlived its overlap.
func due(keys []signingKey, now time.Time) bool {
	if len(keys) == 0 || now.Sub(keys[0].made) >= keyLife {
		return true
	}
	return len(keys) > 1 && now.Sub(keys[0].made) >= keyOverlap
}

// rotate changes the Secret's data to what is due: a new key beside the newest, or the newest alone.
func rotate(secret *corev1.Secret, now time.Time) error {
	keys, err := parseKeys(secret)
	if err != nil {
		return err
	}
	keep := map[string][]byte{}
	if len(keys) > 0 {
		name := keyName(keys[0].made)
		keep[name] = secret.Data[name]
	}
	if len(keys) == 0 || now.Sub(keys[0].made) >= keyLife {
		key, err := adminapi.GenerateKey()
		if err != nil {
			return err
		}
		encoded, err := adminapi.EncodePrivateKey(key)
		if err != nil {
			return err
		}
		keep[keyName(now)] = encoded
	}
	secret.Data = keep
	return nil
}

func keyName(made time.Time) string { return strconv.FormatInt(made.Unix(), 10) + keySuffix }

// parseKeys reads the Secret's keys, newest first. An entry that is none is an error: it would be lost at the next
// rotation.
func parseKeys(secret *corev1.Secret) ([]signingKey, error) {
	keys := make([]signingKey, 0, len(secret.Data))
	for name, data := range secret.Data {
		seconds, err := strconv.ParseInt(strings.TrimSuffix(name, keySuffix), 10, 64)
		if err != nil || !strings.HasSuffix(name, keySuffix) {
			return nil, fmt.Errorf("%w: key %q of Secret %q is not named by the time in Unix seconds and %s: remove it", errKeys, name, secret.Name, keySuffix)
		}
		key, err := adminapi.DecodePrivateKey(data)
		if err != nil {
			return nil, fmt.Errorf("%w: key %q of Secret %q: %w", errKeys, name, secret.Name, err)
		}
		signer, err := adminapi.NewSigner(key)
		if err != nil {
			return nil, fmt.Errorf("%w: key %q of Secret %q: %w", errKeys, name, secret.Name, err)
		}
		keys = append(keys, signingKey{made: time.Unix(seconds, 0), signer: signer, key: key})
	}
	slices.SortFunc(keys, func(a, b signingKey) int { return b.made.Compare(a.made) })
	return keys, nil
}
