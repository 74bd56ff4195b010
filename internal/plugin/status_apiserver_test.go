//go:build apiserver

package plugin_test

import (
	"encoding/json"
	"strings"
	"testing"

	"channellink.dev/operator/api/v1alpha1"
)

func TestStatus(t *testing.T) {
	d := newDesk(t, "vision-hr", "vision-shop", "vision-line")
	d.golden(t, "status", "status vision-hr", nil)
	d.golden(t, "status-not-ready", "status vision-shop", nil)
	d.golden(t, "status-json", "status vision-line -o json", nil)
}

// A spec that the operator has not looked at yet is told as such, and so is a name that is none.
func TestStatusOfWhatIsNotThere(t *testing.T) {
	d := newDesk(t, "vision-line")
	var l v1alpha1.ChannelLink
	d.object(t, "vision-line", &l)
	l.Spec.DisplayName = "Vision"
	if err := env.Client.Update(t.Context(), &l); err != nil {
		t.Fatal(err)
	}
	if got := d.run(t, "status vision-line"); !strings.Contains(got.out, "The operator has not looked at this spec yet") {
		t.Errorf("a newer spec: %q", got.out)
	}
	got := d.run(t, "status nobody")
	if got.failure == nil || !strings.Contains(got.failure.Error(), `no ChannelLink "nobody"`) {
		t.Errorf("a name that is none: %v", got.failure)
	}
	for _, line := range []string{"status", "status a b", "status a -o yaml", "simulate a b c", "cure vision-line"} {
		if got := d.run(t, line); got.failure == nil {
			t.Errorf("%q is taken:\n%s", line, got.out)
		}
	}
}

// What programs read has the same in it.
func TestDoctorJSON(t *testing.T) {
	d := newDesk(t, "vision-hr")
	wellServed(d)
	var found struct {
		Name   string
		Well   bool
		Checks []struct{ Name, Result string }
	}
	got := d.run(t, "doctor vision-hr -o json")
	if err := json.Unmarshal([]byte(got.out), &found); err != nil || got.failure != nil {
		t.Fatalf("%v, %v:\n%s", err, got.failure, got.out)
	}
	if !found.Well || found.Name != "vision-hr" || len(found.Checks) < 10 {
		t.Errorf("found %+v", found)
	}
}
