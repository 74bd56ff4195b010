//go:build cluster && soak

package cluster

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// startDex starts a dex as the demo's, which knows more people and these channels.
func (w *soakWorld) startDex(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "hack", "dex", "deploy.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range objectsOf(t, string(text), "namespace: dex", "namespace: "+w.namespace,
		"dex.localhost", "dex-"+w.namespace+".localhost", "${CLUSTER_PORT}", port) {
		if object.GetKind() == "Namespace" {
			continue
		}
		if object.GetKind() == "ConfigMap" {
			w.introduce(t, object)
		}
		create(t, object)
	}
	w.scaleDex(t, 1)
}

// scaleDex waits until dex is there, or is gone.
func (w *soakWorld) scaleDex(t *testing.T, replicas int) {
	t.Helper()
	scale(t.Context(), t, deploymentOf(w.namespace, "dex"), replicas)
}

// introduce lets dex know the people, each with the password of the first, and the channels.
func (w *soakWorld) introduce(t *testing.T, object *unstructured.Unstructured) {
	t.Helper()
	text, _, err := unstructured.NestedString(object.Object, "data", "config.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		Clients   []map[string]any `json:"staticClients"`
		Passwords []map[string]any `json:"staticPasswords"`
	}
	whole := map[string]any{}
	for _, into := range []any{&config, &whole} {
		if err := yaml.Unmarshal([]byte(text), into); err != nil {
			t.Fatal(err)
		}
	}
	var known []map[string]any
	for n := range int64(accounts) {
		known = append(known, map[string]any{
			"email": accountOf(n), "username": accountOf(n), "name": "Somebody", "userID": accountOf(n), "hash": config.Passwords[0]["hash"],
		})
	}
	var callbacks []string
	for _, name := range []string{"messenger", "line", "botbonnie"} {
		callbacks = append(callbacks, fmt.Sprintf("http://%s-%s.localhost:%s/callback", name, w.namespace, port))
	}
	config.Clients[0]["redirectURIs"] = callbacks
	whole["staticPasswords"], whole["staticClients"] = known, config.Clients
	changed, err := yaml.Marshal(whole)
	if err != nil {
		t.Fatal(err)
	}
	if err := unstructured.SetNestedField(object.Object, string(changed), "data", "config.yaml"); err != nil {
		t.Fatal(err)
	}
}
