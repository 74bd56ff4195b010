package chatsim

import (
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	aLink = `{"status": {"conditions": [
		{"type": "Ready", "status": "False", "reason": "SecretMissing", "message": "key missing", "lastTransitionTime": "2026-01-31T00:00:00Z"}
	]}}`
	someUnlinks = `{"items": [
		{"metadata": {"name": "leaver", "creationTimestamp": "2026-01-31T00:00:00Z"},
		 "spec": {"channelLinkRef": {"name": "hr"}, "user": {"userID": "U1"}},
		 "status": {"summary": "1/1 unlinked", "conditions": [
		   {"type": "Complete", "status": "True", "reason": "Unlinked"}, {"type": "Failed", "status": "False", "reason": "Unlinked"}]}},
		{"metadata": {"name": "other"}, "spec": {"channelLinkRef": {"name": "shop"}}},
		{"metadata": {"name": "by-selector"}, "spec": {"channelLinkSelector": {}}}
	]}`
)

func TestKubernetesIsRead(t *testing.T) {
	folder := t.TempDir()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("Authorization") != "Bearer t0ken":
			w.WriteHeader(http.StatusUnauthorized)
		case r.URL.Path == "/apis/channellink.dev/v1alpha1/namespaces/vision/channellinks/hr":
			_, _ = io.WriteString(w, aLink)
		case r.URL.Path == "/apis/channellink.dev/v1alpha1/namespaces/vision/accountunlinks":
			_, _ = io.WriteString(w, someUnlinks)
		default:
			w.WriteHeader(http.StatusForbidden)
		}
	}))
	t.Cleanup(server.Close)
	write := func(name string, data []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(folder, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("ca.crt", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	write("token", []byte("old"))
	at, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	host, port, err := net.SplitHostPort(at.Host)
	if err != nil {
		t.Fatal(err)
	}
	k, err := InCluster(host, port, folder)
	if err != nil {
		t.Fatal(err)
	}

	if _, err := k.ChannelLink(t.Context(), "vision", "hr"); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("with a token that is no good: %v", err)
	}
	write("token", []byte("t0ken")) // as the kubelet renews it
	got, err := k.ChannelLink(t.Context(), "vision", "hr")
	if err != nil {
		t.Fatal(err)
	}
	want := Resource{
		Namespace: "vision", Name: "hr",
		Conditions: []Condition{{Type: "Ready", Status: "False", Reason: "SecretMissing", Message: "key missing", Since: got.Conditions[0].Since}},
		Unlinks: []Unlink{{
			Name: "leaver", Created: got.Unlinks[0].Created, Complete: true, Reason: "Unlinked", Summary: "1/1 unlinked", userID: "U1",
		}},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(Unlink{})); diff != "" {
		t.Error(diff)
	}
	if _, err := k.ChannelLink(t.Context(), "kube-system", "hr"); err == nil || !strings.Contains(err.Error(), "403") {
		t.Errorf("where the account may not read: %v", err)
	}
}

func TestInClusterWantsACertificate(t *testing.T) {
	folder := t.TempDir()
	if _, err := InCluster("localhost", "1", folder); !os.IsNotExist(err) {
		t.Errorf("without a certificate: %v", err)
	}
	if err := os.WriteFile(filepath.Join(folder, "ca.crt"), []byte("none"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := InCluster("localhost", "1", folder); err == nil {
		t.Error("a file that holds no certificate was taken")
	}
}
