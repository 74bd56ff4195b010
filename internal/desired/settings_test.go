package desired_test

import (
	"crypto/sha256"
	"encoding/hex"
	"path"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"channellink.dev/operator/internal/desired"
	"channellink.dev/operator/internal/names"
	"channellink.dev/operator/webhookserver/config"
)

// The server reads what the operator wrote, and both give it the same hash.
func TestTheServerReadsTheSettings(t *testing.T) {
	forEachCase(t, func(t *testing.T, _ string, in desired.Input) {
		objects := build(t, in)
		file := objects.ConfigMap.Data[config.SettingsFile]
		got, err := config.Parse([]byte(file))
		if err != nil {
			t.Fatalf("Parse: %v", err)
		}
		want, err := desired.Settings(in)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the file says something else than Settings (-settings +file):\n%s", diff)
		}
		sum := sha256.Sum256([]byte(file))
		hash := hex.EncodeToString(sum[:])
		if objects.SettingsHash != hash {
			t.Errorf("SettingsHash = %s, the file's is %s", objects.SettingsHash, hash)
		}
		if annotated := objects.Deployment.Spec.Template.Annotations[names.AnnotationSettingsHash]; annotated != hash {
			t.Errorf("the pod template bears the hash %s, the file's is %s", annotated, hash)
		}
	})
}

// Every reference of the spec is a file of the pod, at the path that the settings give, and a missing one keeps no pod
// from starting. C57 adds one that no field names.
func TestEveryReferenceIsMounted(t *testing.T) {
	forEachCase(t, func(t *testing.T, _ string, in desired.Input) {
		var deployment appsv1.Deployment
		convert(t, build(t, in).Deployment, &deployment)
		mounted := map[string]string{}
		mount := func(kind, name string, items []corev1.KeyToPath, optional *bool) {
			for _, item := range items {
				mounted[item.Path] = kind + " " + name + " " + item.Key
			}
			if optional == nil || !*optional {
				t.Errorf("%s %s is not optional", kind, name)
			}
		}
		for _, volume := range deployment.Spec.Template.Spec.Volumes {
			if volume.Projected == nil {
				continue
			}
			for _, source := range volume.Projected.Sources {
				if s := source.Secret; s != nil {
					mount("Secret", s.Name, s.Items, s.Optional)
				}
				if c := source.ConfigMap; c != nil {
					mount("ConfigMap", c.Name, c.Items, c.Optional)
				}
			}
		}
		want := map[string]string{}
		for _, ref := range in.Link.Spec.References() {
			want[names.ReferenceFile(ref.Field)] = string(ref.Kind) + " " + ref.Name + " " + ref.Key
		}
		if secret := in.Link.Spec.OIDC.ClientSecretRef; secret != nil {
			want["oidc-clientsecretref-issuer"] = "Secret " + string(secret.Name) + " issuer"
		}
		if diff := cmp.Diff(want, mounted); diff != "" {
			t.Errorf("(-spec +pod):\n%s", diff)
		}
		for _, file := range filesIn(t, in) {
			if _, ok := mounted[path.Base(file.Path)]; !ok || path.Dir(file.Path) != config.ReferencesDir {
				t.Errorf("the settings look for %s in %s, where nothing is mounted", file.Field, file.Path)
			}
		}
	})
}

// filesIn are the files that the settings name, wherever they stand.
func filesIn(t *testing.T, in desired.Input) []config.File {
	t.Helper()
	settings, err := desired.Settings(in)
	if err != nil {
		t.Fatal(err)
	}
	var found []config.File
	var walk func(value any)
	walk = func(value any) {
		switch value := value.(type) {
		case map[string]any:
			field, isFile := value["field"].(string)
			if file, ok := value["path"].(string); ok && isFile {
				found = append(found, config.File{Field: field, Path: file})
			}
			for _, v := range value {
				walk(v)
			}
		case []any:
			for _, v := range value {
				walk(v)
			}
		}
	}
	walk(generic(t, settings))
	return found
}

func TestCallsAreSharedAmongReplicas(t *testing.T) {
	for _, tc := range []struct {
		dir    string
		want   float64
		reason string
	}{
		{"botbonnie-line-full", 20, "one replica has the whole bound"},
		{"postgres-replicas", 3.333, "three thirds, rounded down, never exceed it"},
		{"postgres-autoscaling", 1.25, "divided by the most replicas, so that scaling rolls no pod"},
	} {
		settings, err := desired.Settings(read(t, "testdata/"+tc.dir+"/in.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		if got := settings.Channels[0].BotBonnie.MaxCallsPerSecond; got != tc.want {
			t.Errorf("%s: maxCallsPerSecond = %v, want %v: %s", tc.dir, got, tc.want, tc.reason)
		}
	}
}

// A rotation of the operator's keys, or of a user's secret, must not roll a pod; what the autoscaler does must not either.
func TestWhatDoesNotRollThePods(t *testing.T) {
	in := read(t, "testdata/postgres-autoscaling/in.yaml")
	before := build(t, in)
	in.OperatorKeys = []byte(`{"keys":[{"kid":"next"}]}`)
	in.ObservedReplicas = new(int32(7))
	after := build(t, in)
	if diff := cmp.Diff(generic(t, before.Deployment.Spec.Template), generic(t, after.Deployment.Spec.Template)); diff != "" {
		t.Errorf("the pod template changed (-before +after):\n%s", diff)
	}
	if got := after.ConfigMap.Data[config.OperatorKeysFile]; got != string(in.OperatorKeys) {
		t.Errorf("the server gets the keys %s", got)
	}
}

// C70: what the autoscaler has set is rendered, so that applying it takes nothing back.
func TestTheAutoscalersReplicasStay(t *testing.T) {
	for _, tc := range []struct {
		observed *int32
		want     int32
		reason   string
	}{
		{nil, 2, "no Deployment yet: the least"},
		{new(int32(5)), 5, "what was observed"},
		{new(int32(0)), 0, "scaled to zero by hand, which switches an autoscaler off"},
	} {
		in := read(t, "testdata/postgres-autoscaling/in.yaml")
		in.ObservedReplicas = tc.observed
		if got := *build(t, in).Deployment.Spec.Replicas; got != tc.want {
			t.Errorf("replicas = %d, want %d: %s", got, tc.want, tc.reason)
		}
	}
}
