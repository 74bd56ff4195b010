package controllers

import (
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"channellink.dev/operator/internal/names"
	"channellink.dev/operator/webhookserver/adminapi"
)

const keyedServer = "0b7c1f52-0a51-4c0e-9d5c-8f2a6f1f9a11"

// keyedServerTest is a server as the operator's keys see it: it takes what is signed with a key of the file that the kubelet
// brought last, and its answer says which these are.
type keyedServerTest struct {
	*adminapi.Verifier
	known []string // what the operator has heard of it
}

// kubelet brings the file that the operator publishes now.
func (s *keyedServerTest) kubelet(t *testing.T, k *keyringTest) {
	t.Helper()
	data, err := k.Published(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	set, err := adminapi.ParseKeys(data)
	if err != nil {
		t.Fatal(err)
	}
	s.SetKeys(set)
}

// takes reports whether the server takes a request that is signed so.
func (s *keyedServerTest) takes(t *testing.T, signer *adminapi.Signer, now time.Time) error {
	t.Helper()
	token, err := signer.Sign(now, adminapi.Request{Audience: keyedServer, Method: http.MethodGet, Path: adminapi.StatusPath})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Verify(now, token, http.MethodGet, adminapi.StatusPath, nil)
	return err
}

// ask asks as the operator does, and returns the signer that it chose.
func (s *keyedServerTest) ask(t *testing.T, k *keyringTest) (*adminapi.Signer, error) {
	t.Helper()
	signer, err := k.SignerFor(t.Context(), s.known, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.takes(t, signer, k.now); err != nil {
		return signer, err
	}
	s.known = s.KeyIDs()
	return signer, nil
}

// mustAsk is ask, where nothing may be refused.
func (s *keyedServerTest) mustAsk(t *testing.T, k *keyringTest, when string) *adminapi.Signer {
	t.Helper()
	signer, err := s.ask(t, k)
	if err != nil {
		t.Errorf("%s: %v", when, err)
	}
	return signer
}

// restart is the operator's next process, with the same Secret.
func (k *keyringTest) restart(now time.Time) *keyringTest {
	next := newKeyring(k.secrets)
	next.now = now
	return next
}

// newKeyedServer is a server that the operator has asked already.
func newKeyedServer(t *testing.T) (*keyringTest, *keyedServerTest) {
	t.Helper()
	k, server := newKeyring(noSecrets()), &keyedServerTest{Verifier: adminapi.NewVerifier(keyedServer)}
	server.kubelet(t, k)
	server.mustAsk(t, k, "at the start")
	return k, server
}

// The runbook's change of the signing key before its time: the key is renamed as if it were old, and the operator started
// anew. It is replaced as it would be after 90 days, and no request is refused on the way.
func TestKeyRotationAhead(t *testing.T) {
	k, server := newKeyedServer(t)
	former := k.published(t)

	now := k.now.Add(10 * 24 * time.Hour)
	rename := `[{"op": "move", "from": "/data/` + k.files(t)[0] + `", "path": "/data/0.pem"}]`
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: k.Namespace, Name: names.KeySecret}}
	if err := k.secrets.Patch(t.Context(), secret, client.RawPatch(types.JSONPatchType, []byte(rename))); err != nil {
		t.Fatal(err)
	}
	k = k.restart(now)
	if both := k.published(t); len(both) != 2 || !slices.Contains(both, former[0]) {
		t.Fatalf("the former key is %v, published are %v", former, both)
	}
	if got := server.mustAsk(t, k, "before the kubelet has brought the new key").KeyID(); got != former[0] {
		t.Errorf("signed with %s, which the server does not know yet", got)
	}
	server.kubelet(t, k)
	server.mustAsk(t, k, "when the file has come")
	renewed := server.mustAsk(t, k, "when the server has said so").KeyID()
	if renewed == former[0] {
		t.Error("the server knows the new key, and the former one signs")
	}

	k.after(t, keyOverlap)
	server.mustAsk(t, k, "after the overlap, with both in the server's file")
	server.kubelet(t, k)
	server.mustAsk(t, k, "with the new one alone")
	if diff := cmp.Diff([]string{renewed}, server.KeyIDs()); diff != "" {
		t.Errorf("what the server takes in the end (-want +got):\n%s", diff)
	}
}

// The runbook's change of a signing key that somebody else may have: the Secret is deleted, and the operator started anew.
// The server goes on taking the former key, and refuses the new one, until the kubelet has brought the file.
func TestKeyRotationAtOnce(t *testing.T) {
	k, server := newKeyedServer(t)
	stolen := server.mustAsk(t, k, "with the key that is stolen")

	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: k.Namespace, Name: names.KeySecret}}
	if err := k.secrets.Delete(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	k = k.restart(k.now.Add(time.Hour))
	if _, err := server.ask(t, k); !errors.Is(err, adminapi.RefusedKey) {
		t.Errorf("before the kubelet has brought the new key: got %v, want %v", err, adminapi.RefusedKey)
	}
	if err := server.takes(t, stolen, k.now); err != nil {
		t.Errorf("docs/operations.md says that the stolen key is good until then, and it is refused: %v", err)
	}
	server.kubelet(t, k)
	server.mustAsk(t, k, "when the file has come")
	if err := server.takes(t, stolen, k.now); !errors.Is(err, adminapi.RefusedKey) {
		t.Errorf("the stolen key afterwards: got %v, want %v", err, adminapi.RefusedKey)
	}
}
