package controllers

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"channellink.dev/operator/internal/names"
	"channellink.dev/operator/webhookserver/adminapi"
)

// keyringTest is a keyring with a clock of its own.
type keyringTest struct {
	*Keyring
	secrets client.WithWatch
	now     time.Time
	changes int
}

func newKeyring(secrets client.WithWatch) *keyringTest {
	k := &keyringTest{secrets: secrets, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	k.Keyring = &Keyring{
		Live: secrets, Client: secrets, Namespace: "operator",
		Now: func() time.Time { return k.now }, Changed: func() { k.changes++ },
	}
	return k
}

func noSecrets() client.WithWatch {
	return fake.NewClientBuilder().WithScheme(clientgoscheme.Scheme).Build()
}

// files are the names of the keys in the Secret.
func (k *keyringTest) files(t *testing.T) []string {
	t.Helper()
	secret := &corev1.Secret{}
	if err := k.secrets.Get(t.Context(), client.ObjectKey{Namespace: "operator", Name: names.KeySecret}, secret); err != nil {
		t.Fatal(err)
	}
	return slices.Sorted(maps.Keys(secret.Data))
}

// published are the ids of the published keys.
func (k *keyringTest) published(t *testing.T) []string {
	t.Helper()
	data, err := k.Published(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	set, err := adminapi.ParseKeys(data)
	if err != nil {
		t.Fatal(err)
	}
	return set.IDs()
}

// signs is the id of the key that signs for a server.
func (k *keyringTest) signs(t *testing.T, known []string, refusals int) string {
	t.Helper()
	signer, err := k.SignerFor(t.Context(), known, refusals)
	if err != nil {
		t.Fatal(err)
	}
	return signer.KeyID()
}

func (k *keyringTest) after(t *testing.T, d time.Duration) {
	t.Helper()
	k.now = k.now.Add(d)
	if err := k.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// A key is made when there is none, replaced at the age of 90 days, and kept beside its successor for a day; each change
// is told.
func TestKeyringRotates(t *testing.T) {
	const day = 24 * time.Hour
	k := newKeyring(noSecrets())
	k.after(t, 0)
	first := k.published(t)
	if len(first) != 1 || k.changes != 0 {
		t.Fatalf("%d keys at the start, %d changes", len(first), k.changes)
	}

	k.after(t, 90*day-time.Second)
	if diff := cmp.Diff(first, k.published(t)); diff != "" || k.changes != 0 {
		t.Errorf("before its 90th day (-want +got):\n%s", diff)
	}
	k.after(t, time.Second)
	both := k.published(t)
	if len(both) != 2 || !slices.Contains(both, first[0]) || k.changes != 1 {
		t.Errorf("on its 90th day: %v, %d changes", both, k.changes)
	}

	t.Run("a server knows", func(t *testing.T) {
		second := both[0]
		if second == first[0] {
			second = both[1]
		}
		for _, tc := range []struct {
			reason   string
			known    []string
			refusals int
			want     string
		}{
			{"of a server that has said nothing, the oldest key is the likeliest known", nil, 0, first[0]},
			{"a refusal leads to the next", nil, 1, second},
			{"and round again", nil, 2, first[0]},
			{"only the former one", first, 0, first[0]},
			{"both: the newest", both, 0, second},
			{"a key that is none of ours", []string{"strange"}, 0, first[0]},
		} {
			if got := k.signs(t, tc.known, tc.refusals); got != tc.want {
				t.Errorf("%s: got %s, want %s", tc.reason, got, tc.want)
			}
		}
	})

	k.after(t, day-time.Second)
	if got := k.published(t); len(got) != 2 {
		t.Errorf("the former key went before its day was over: %v", got)
	}
	k.after(t, time.Second)
	last := k.published(t)
	if len(last) != 1 || last[0] == first[0] || k.changes != 2 || len(k.files(t)) != 1 {
		t.Errorf("after the overlap: %v, %d changes, files %v", last, k.changes, k.files(t))
	}
}

// Of several replicas that start at once one makes the key, and the others use it.
func TestKeyringRace(t *testing.T) {
	secrets := noSecrets()
	winner := newKeyring(secrets)
	loser := newKeyring(interceptor.NewClient(secrets, interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.CreateOption) error {
			winner.published(t)
			return c.Create(ctx, object, options...)
		},
	}))
	if diff := cmp.Diff(loser.published(t), winner.published(t)); diff != "" {
		t.Errorf("two keys:\n%s", diff)
	}
}

// What is not a key is named, by the Secret's key and never by its value, and not overwritten.
func TestKeyringGarbage(t *testing.T) {
	const canary = "canary-51c7"
	for name, data := range map[string]map[string][]byte{
		"another name":  {"tls.key": []byte(canary)},
		"another value": {"1767225600.pem": []byte(canary)},
		"another kind":  {"1767225600.pem": []byte("-----BEGIN CERTIFICATE-----\n" + canary + "\n-----END CERTIFICATE-----\n")},
	} {
		t.Run(name, func(t *testing.T) {
			secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "operator", Name: names.KeySecret}, Data: data}
			k := newKeyring(fake.NewClientBuilder().WithScheme(clientgoscheme.Scheme).WithObjects(secret).Build())
			_, err := k.Published(t.Context())
			if !errors.Is(err, errKeys) {
				t.Fatalf("got %v", err)
			}
			if key := k.files(t)[0]; !strings.Contains(err.Error(), key) || strings.Contains(err.Error(), canary) {
				t.Errorf("want the key %q named and its value kept: %v", key, err)
			}
			if _, ok := data[k.files(t)[0]]; !ok || len(k.files(t)) != 1 {
				t.Errorf("the Secret was changed: %v", k.files(t))
			}
		})
	}
}

// When the Secret cannot be read, the keys that are known stay in use.
func TestKeyringKeepsItsKeys(t *testing.T) {
	down := false
	k := newKeyring(interceptor.NewClient(noSecrets(), interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
			if down {
				return errors.New("connection refused")
			}
			return c.Get(ctx, key, object, options...)
		},
	}))
	before := k.published(t)
	down = true
	k.now = k.now.Add(keyLife)
	if err := k.Refresh(t.Context()); err == nil {
		t.Error("no error")
	}
	if diff := cmp.Diff(before, k.published(t)); diff != "" || k.changes != 0 {
		t.Errorf("keys (-before +after):\n%s", diff)
	}
}

// A Secret that was emptied, or removed, gets a new key, and servers hear of it.
func TestKeyringRecovers(t *testing.T) {
	k := newKeyring(noSecrets())
	before := k.published(t)
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "operator", Name: names.KeySecret}}
	if err := k.secrets.Delete(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	k.after(t, time.Hour)
	if after := k.published(t); slices.Equal(before, after) || k.changes != 1 {
		t.Errorf("keys %v, %d changes", after, k.changes)
	}
}
