package status_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/status"
)

var update = flag.Bool("update", false, "write the golden files anew")

// now is the time of every case.
var now = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

// state is one case: a ChannelLink and what was observed of it.
type state struct {
	Link *v1alpha1.ChannelLink
	Seen status.Observed
}

// states are the cases in testdata by name. What a case says of its ChannelLink is laid over a channel on LINE.
func states(t *testing.T) map[string]state {
	t.Helper()
	files, err := filepath.Glob("testdata/*/in.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases in testdata: %v", err)
	}
	found := map[string]state{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		s := state{Link: line()}
		if err := yaml.UnmarshalStrict(data, &s); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		found[filepath.Base(filepath.Dir(file))] = s
	}
	return found
}

func line() *v1alpha1.ChannelLink {
	return &v1alpha1.ChannelLink{
		ObjectMeta: metav1.ObjectMeta{Name: "vision-hr", Namespace: "vision", Generation: 3},
		Spec: v1alpha1.ChannelLinkSpec{
			Platform: v1alpha1.PlatformLINE, PageID: "507oftxz", PublicURL: "https://link.vision.example",
			LINE: &v1alpha1.LINE{ChannelSecretRef: &v1alpha1.SecretKeyReference{Name: "vision-line", Key: "channelSecret"}},
			OIDC: v1alpha1.OIDC{
				IssuerURL: "https://sso.vision.example", ClientID: "chatbot",
				ClientSecretRef: &v1alpha1.SecretKeyReference{Name: "vision-oidc", Key: "clientSecret"},
			},
		},
	}
}

// Every state that a ChannelLink can be in, with the very words that people read.
func TestConditions(t *testing.T) {
	for name, s := range states(t) {
		t.Run(name, func(t *testing.T) {
			var got bytes.Buffer
			for _, c := range status.Conditions(s.Link, s.Seen, now) {
				fmt.Fprintf(&got, "%s=%s %s: %s\n", c.Type, c.Status, c.Reason, c.Message)
				if c.ObservedGeneration != s.Link.Generation || !c.LastTransitionTime.Time.Equal(now) {
					t.Errorf("%s speaks of generation %d at %s", c.Type, c.ObservedGeneration, c.LastTransitionTime)
				}
			}
			golden := filepath.Join("testdata", name, "out.txt")
			if *update {
				if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got.String()); diff != "" {
				t.Errorf("%s (-want +got; -update writes it anew):\n%s", golden, diff)
			}
		})
	}
}

// The same facts give the same conditions, whenever they are asked for: nothing in them counts or tells the time. What
// changes between any two states changes its transition time only when its status does.
func TestConditionsAreStable(t *testing.T) {
	all := states(t)
	for name, before := range all {
		link := before.Link.DeepCopy()
		link.Status.Conditions = status.Conditions(link, before.Seen, now)
		later := now.Add(time.Hour)
		if diff := cmp.Diff(link.Status.Conditions, status.Conditions(link, before.Seen, later)); diff != "" {
			t.Errorf("%s, an hour later (-before +after):\n%s", name, diff)
		}
		for next, after := range all {
			after.Link = after.Link.DeepCopy()
			after.Link.Status.Conditions = link.Status.Conditions
			for _, c := range status.Conditions(after.Link, after.Seen, later) {
				old := meta.FindStatusCondition(link.Status.Conditions, c.Type)
				want := later
				if old != nil && old.Status == c.Status {
					want = now
				}
				if !c.LastTransitionTime.Time.Equal(want) {
					t.Errorf("from %s to %s: %s changed at %s, want %s", name, next, c.Type, c.LastTransitionTime, want)
				}
			}
		}
	}
}

// Ready is true only if every condition that applies is, and then nothing is stalled; what is stalled is not reconciling;
// and who waits or has failed says so, unless it is suspended.
func TestConditionsAgree(t *testing.T) {
	for name, s := range states(t) {
		is := map[string]metav1.Condition{}
		for _, c := range status.Conditions(s.Link, s.Seen, now) {
			is[c.Type] = c
		}
		ready := true
		for kind, c := range is {
			switch kind {
			case v1alpha1.ConditionReady, v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled, v1alpha1.ConditionConfirmationSeen:
			default:
				ready = ready && c.Status == metav1.ConditionTrue
			}
		}
		stalled := is[v1alpha1.ConditionStalled].Status == metav1.ConditionTrue
		reconciling := is[v1alpha1.ConditionReconciling].Status == metav1.ConditionTrue
		suspended := s.Link.Spec.Suspend != nil && *s.Link.Spec.Suspend
		switch {
		case ready != (is[v1alpha1.ConditionReady].Status == metav1.ConditionTrue):
			t.Errorf("%s: Ready is %s", name, is[v1alpha1.ConditionReady].Status)
		case stalled && (ready || reconciling):
			t.Errorf("%s: stalled, and ready %t, reconciling %t", name, ready, reconciling)
		case !ready && !stalled && !reconciling && !suspended:
			t.Errorf("%s: neither ready nor reconciling nor stalled: a generic tool could not tell what to do", name)
		}
	}
}
