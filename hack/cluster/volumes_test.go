package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
)

func waiting() claim {
	c := claim{Metadata: metadata{
		Name: "data", Namespace: "tenant", UID: "0001",
		Annotations: map[string]string{wantedFrom: provisionerName, selectedNode: nodeName},
	}}
	c.Spec.AccessModes = []string{"ReadWriteOnce"}
	c.Spec.Resources.Requests = map[string]string{"storage": "1Gi"}
	return c
}

func TestWants(t *testing.T) {
	p := &provisioner{node: nodeName}
	tests := []struct {
		reason string
		change func(*claim)
		want   bool
	}{
		{reason: "A claim whose pod is scheduled here.", change: func(*claim) {}, want: true},
		{reason: "No pod uses it yet.", change: func(c *claim) { delete(c.Metadata.Annotations, selectedNode) }},
		{reason: "Its pod is on another node.", change: func(c *claim) { c.Metadata.Annotations[selectedNode] = "other" }},
		{reason: "Another provisioner's class.", change: func(c *claim) { c.Metadata.Annotations[wantedFrom] = "other" }},
		{reason: "It is bound.", change: func(c *claim) { c.Spec.VolumeName = "pvc-0001" }},
		{reason: "It is being deleted.", change: func(c *claim) { c.Metadata.DeletionTimestamp = "2026-01-01T00:00:00Z" }},
		{reason: "A folder is no block device.", change: func(c *claim) { c.Spec.VolumeMode = "Block" }},
	}
	for _, tc := range tests {
		t.Run(tc.reason, func(t *testing.T) {
			c := waiting()
			tc.change(&c)
			if got := p.wants(c); got != tc.want {
				t.Errorf("wants() = %t, want %t", got, tc.want)
			}
		})
	}
}

func TestMayWipe(t *testing.T) {
	p := &provisioner{dir: "/state/volumes", node: nodeName}
	tests := []struct {
		reason string
		change func(*volume)
		want   bool
	}{
		{reason: "Its claim has gone.", change: func(*volume) {}, want: true},
		{reason: "It is in use.", change: func(v *volume) { v.Status.Phase = "Bound" }},
		{reason: "Its data shall stay.", change: func(v *volume) { v.Spec.ReclaimPolicy = "Retain" }},
		{reason: "Somebody else made it.", change: func(v *volume) { delete(v.Metadata.Annotations, provisionedBy) }},
		{reason: "Its folder is not the one that was made for it.", change: func(v *volume) { v.Spec.Local.Path = "/home" }},
	}
	for _, tc := range tests {
		t.Run(tc.reason, func(t *testing.T) {
			v := p.volumeFor(waiting())
			v.Status.Phase = "Released"
			tc.change(&v)
			if got := p.mayWipe(v); got != tc.want {
				t.Errorf("mayWipe() = %t, want %t", got, tc.want)
			}
		})
	}
}

// TestVolumeLife plays the API server's side of a volume's life: a claim waits,
// a volume is posted; the claim goes, data and volume go.
func TestVolumeLife(t *testing.T) {
	var posted volume
	var deleted string
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/persistentvolumeclaims", func(w http.ResponseWriter, _ *http.Request) {
		encode(t, w, map[string]any{"type": "ADDED", "object": waiting()})
	})
	mux.HandleFunc("POST /api/v1/persistentvolumes", func(w http.ResponseWriter, r *http.Request) {
		if err := json.NewDecoder(r.Body).Decode(&posted); err != nil {
			t.Error(err)
		}
		w.WriteHeader(http.StatusCreated)
	})
	mux.HandleFunc("DELETE /api/v1/persistentvolumes/{name}", func(_ http.ResponseWriter, r *http.Request) {
		deleted = r.PathValue("name")
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	p := &provisioner{
		api:  &api{base: server.URL, client: server.Client()},
		dir:  t.TempDir(),
		node: nodeName,
		log:  slog.New(slog.DiscardHandler),
	}

	// The fake server ends the watch after one event, as a real one may.
	var seen []claim
	_ = watch(t.Context(), p.api, "/api/v1/persistentvolumeclaims", collect(&seen))
	if len(seen) != 1 || !p.wants(seen[0]) {
		t.Fatalf("the watch saw %+v", seen)
	}
	if err := p.provision(t.Context(), seen[0]); err != nil {
		t.Fatal(err)
	}
	if posted.Metadata.Name != "pvc-0001" || posted.Spec.ClaimRef["uid"] != "0001" || posted.Spec.Capacity["storage"] != "1Gi" {
		t.Errorf("posted %+v", posted)
	}
	secret := filepath.Join(posted.Spec.Local.Path, "secret")
	if err := os.WriteFile(secret, []byte("of this tenant"), 0o600); err != nil {
		t.Fatal(err)
	}

	posted.Status.Phase = "Released"
	if !p.mayWipe(posted) {
		t.Fatal("the released volume may not be wiped")
	}
	if err := p.wipe(t.Context(), posted); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(posted.Spec.Local.Path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the data is still there: %v", err)
	}
	if deleted != "pvc-0001" {
		t.Errorf("deleted volume %q", deleted)
	}
}

func collect[T any](into *[]T) func(context.Context, T) {
	return func(_ context.Context, object T) { *into = append(*into, object) }
}

func encode(t *testing.T, w io.Writer, object any) {
	t.Helper()
	if err := json.NewEncoder(w).Encode(object); err != nil {
		t.Error(err)
	}
}
