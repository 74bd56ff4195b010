package names_test

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"pgregory.net/rapid"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/names"
)

func link(name string) *v1alpha1.ChannelLink {
	return &v1alpha1.ChannelLink{ObjectMeta: metav1.ObjectMeta{Name: name}}
}

func TestBaseKeepsAPlainName(t *testing.T) {
	if got := names.Base(link("vision-hr")); got != "vision-hr" {
		t.Errorf("Base = %q, a plain name should stay as it is", got)
	}
}

// C68
func TestBaseTellsNamesApart(t *testing.T) {
	long := "a-name-of-more-than-fifty-two-characters-that-is-cut-somewhere"
	for _, pair := range []struct{ a, b, reason string }{
		{"vision.hr", "vision-hr", "dots become dashes"},
		{"vision", "vision-admin", "one's admin Service would be the other's Service"},
		{"vision", "vision-data", "a suffix of our own"},
		{long + "-1", long + "-2", "both are cut at the same place"},
		{"1abc", "cl-1abc", "a digit gets a prefix"},
	} {
		taken := map[string]string{}
		for _, name := range []string{pair.a, pair.b} {
			l := link(name)
			for _, child := range []string{names.Base(l), names.AdminService(l), names.Volume(l)} {
				if other, ok := taken[child]; ok && other != name {
					t.Errorf("%s and %s share the object %s: %s", pair.a, pair.b, child, pair.reason)
				}
				taken[child] = name
			}
		}
	}
}

// C68
func TestChildrenOfAnyNameAreValid(t *testing.T) {
	nameOf := rapid.StringMatching(`[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?`).
		Filter(func(s string) bool { return len(validation.IsDNS1123Subdomain(s)) == 0 })
	rapid.Check(t, func(t *rapid.T) {
		a, b := link(nameOf.Draw(t, "a")), link(nameOf.Draw(t, "b"))
		for _, service := range []string{names.Base(a), names.AdminService(a)} {
			if problems := validation.IsDNS1035Label(service); len(problems) > 0 {
				t.Fatalf("%q of %q is no Service name: %v", service, a.Name, problems)
			}
		}
		for key, value := range names.Labels(a) {
			if problems := validation.IsValidLabelValue(value); len(problems) > 0 {
				t.Fatalf("label %s=%q: %v", key, value, problems)
			}
		}
		if a.Name != b.Name && names.Base(a) == names.Base(b) {
			t.Fatalf("%q and %q share the base %q", a.Name, b.Name, names.Base(a))
		}
	})
}

func TestPageLabelIsALabelValue(t *testing.T) {
	for _, page := range []string{"507oftxz", "@507oftxz", "-", "1234779123812"} {
		l := link("x")
		l.Spec.PageID = page
		value := names.VolumeLabels(l)[names.LabelPage]
		if problems := validation.IsValidLabelValue(value); len(problems) > 0 || value == "" {
			t.Errorf("page %q gives the label %q: %v", page, value, problems)
		}
	}
}
