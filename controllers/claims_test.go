package controllers

import (
	"fmt"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"

	"channellink.dev/operator/api/v1alpha1"
)

func TestCollision(t *testing.T) {
	line := func(page, publicURL string) claim { return claimOf(v1alpha1.PlatformLINE, page, publicURL) }
	for _, tc := range []struct {
		name      string
		a, b      claim
		elsewhere bool // in another namespace
		shared    bool
		want      string
	}{
		{name: "nothing in common", a: line("1", "https://a.example"), b: line("2", "https://b.example")},
		{name: "page", a: line("1", "https://a.example"), b: line("1", "https://b.example"), want: "the same page"},
		{name: "page of another platform", a: line("1", "https://a.example"), b: claimOf(v1alpha1.PlatformFacebook, "1", "https://b.example")},
		{name: "URL", a: line("1", "https://a.example/x"), b: line("2", "https://a.example/x"), want: "an overlapping publicURL"},
		{name: "prefix", a: line("1", "https://a.example/x"), b: line("2", "https://a.example/x/y"), want: "an overlapping publicURL"},
		{name: "root", a: line("1", "https://a.example"), b: line("2", "https://a.example/x"), want: "an overlapping publicURL"},
		{name: "prefix of a name only", a: line("1", "https://a.example/x"), b: line("2", "https://a.example/xy")},
		{name: "case of the host", a: line("1", "https://A.example/x"), b: line("2", "https://a.example/x"), want: "an overlapping publicURL"},
		{name: "scheme", a: line("1", "http://a.localhost"), b: line("2", "https://a.localhost"), want: "an overlapping publicURL"},
		{name: "port", a: line("1", "https://a.example:8443"), b: line("2", "https://a.example"), want: "an overlapping publicURL"},
		{name: "port of the scheme", a: line("1", "https://a.example:443/x"), b: line("2", "https://a.example/x"), want: "an overlapping publicURL"},
		{name: "port elsewhere", a: line("1", "https://a.example:444/x/callback"), b: line("2", "https://a.example/y"), elsewhere: true, want: "the same host in another namespace"},
		{name: "host elsewhere", a: line("1", "https://a.example/x"), b: line("2", "https://a.example/y"), elsewhere: true, want: "the same host in another namespace"},
		{name: "shared host elsewhere", a: line("1", "https://a.example/x"), b: line("2", "https://a.example/y"), elsewhere: true, shared: true},
		{name: "shared host, same URL", a: line("1", "https://a.example/x"), b: line("2", "https://a.example/x"), elsewhere: true, shared: true, want: "an overlapping publicURL"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, pair := range [][2]claim{{tc.a, tc.b}, {tc.b, tc.a}} {
				if got := pair[0].collision(pair[1], !tc.elsewhere, tc.shared); got != tc.want {
					t.Errorf("%+v and %+v: %q, want %q", pair[0], pair[1], got, tc.want)
				}
			}
		})
	}
}

func TestYields(t *testing.T) {
	at := func(path string) claim { return claimOf("", path, "https://a.example/"+path) }
	// Pages differ whenever paths do, so that only the URLs collide.
	page := func(c claim, page string) claim { c.page = page; return c }
	one := func(age int, wants claim, holds ...claim) claimant {
		return claimant{wants: wants, holds: holds, link: &v1alpha1.ChannelLink{ObjectMeta: metav1.ObjectMeta{
			UID: types.UID(fmt.Sprint(age)), CreationTimestamp: metav1.NewTime(time.Unix(int64(1000-age), 0)),
		}}}
	}
	x, y := at("x"), at("y")
	for _, tc := range []struct {
		reason string
		old    claimant
		young  claimant
		// which of the two yields
		oldYields, youngYields bool
	}{
		{"nobody holds it: the older has it", one(2, page(x, "1")), one(1, page(x, "2")), false, true},
		{"the younger holds it", one(2, page(x, "1")), one(1, page(x, "2"), page(x, "2")), true, false},
		{"the older holds it", one(2, page(x, "1"), page(x, "1")), one(1, page(x, "2")), false, true},
		{"both hold it, which only a race or a flag can bring about: the older has it", one(2, page(x, "1"), page(x, "1")), one(1, page(x, "2"), page(x, "2")), false, true},
		{"the older was edited onto the younger's", one(2, page(y, "1"), page(x, "1")), one(1, page(y, "2"), page(y, "2")), true, false},
		{"and the younger wants what the older still holds: neither is free", one(2, page(y, "1"), page(x, "1")), one(1, page(x, "2"), page(y, "2")), true, true},
		{"the younger is leaving, and still there", one(2, page(x, "1")), one(1, page(y, "2"), page(x, "2")), true, false},
		{"the younger has left", one(2, page(x, "1")), one(1, page(y, "2"), page(y, "2")), false, false},
		{"each is on its own path", one(2, page(x, "1"), page(x, "1")), one(1, page(y, "2"), page(y, "2")), false, false},
	} {
		if _, got := tc.old.yields(tc.young, false); got != tc.oldYields {
			t.Errorf("%s: the older yields: %t", tc.reason, got)
		}
		if _, got := tc.young.yields(tc.old, false); got != tc.youngYields {
			t.Errorf("%s: the younger yields: %t", tc.reason, got)
		}
	}
}

// Whatever a set of ChannelLinks wants and holds: those that yield to none never want colliding claims, of two that want
// colliding claims one yields, nobody is made to yield by one that it does not collide with, and the order in which they
// are looked at does not matter. Once every holder holds what it wants, each claim that is wanted has exactly one winner
// among any two.
func TestClaimsProperties(t *testing.T) {
	namespaces := rapid.SampledFrom([]string{"a", "b"})
	paths := rapid.SampledFrom([]string{"", "/x", "/x/y", "/z"})
	hosts := rapid.SampledFrom([]string{"one.example", "two.example"})
	rapid.Check(t, func(rt *rapid.T) {
		shared := rapid.Bool().Draw(rt, "shared hosts")
		claimants := make([]claimant, rapid.IntRange(2, 6).Draw(rt, "number"))
		for i := range claimants {
			page := fmt.Sprint(rapid.IntRange(0, 3).Draw(rt, "page"))
			draw := func(what string) claim {
				return claimOf(v1alpha1.PlatformLINE, page, "https://"+hosts.Draw(rt, "host "+what)+paths.Draw(rt, "path "+what))
			}
			claimants[i] = claimant{wants: draw("wanted"), link: &v1alpha1.ChannelLink{ObjectMeta: metav1.ObjectMeta{
				Namespace: namespaces.Draw(rt, "namespace"), Name: fmt.Sprint(i), UID: types.UID(fmt.Sprint(i)),
				CreationTimestamp: metav1.NewTime(time.Unix(int64(rapid.IntRange(0, 2).Draw(rt, "age")), 0)),
			}}}
			switch rapid.SampledFrom([]string{"nothing", "what it wants", "something"}).Draw(rt, "holds") {
			case "what it wants":
				claimants[i].holds = []claim{claimants[i].wants}
			case "something":
				claimants[i].holds = []claim{draw("held")}
			}
		}
		collide := func(a, b claimant, ours, theirs []claim) bool {
			return slices.ContainsFunc(ours, func(x claim) bool {
				return slices.ContainsFunc(theirs, func(y claim) bool {
					return x.collision(y, a.link.Namespace == b.link.Namespace, shared) != ""
				})
			})
		}
		for i, a := range claimants {
			for j, b := range claimants {
				if i == j {
					continue
				}
				how, aYields := a.yields(b, shared)
				_, bYields := b.yields(a, shared)
				wanting := collide(a, b, []claim{a.wants}, []claim{b.wants})
				theyHold := collide(a, b, []claim{a.wants}, b.holds)
				if wanting && !aYields && !bYields {
					rt.Errorf("both go on wanting the same: %+v and %+v", a, b)
				}
				if aYields && !wanting && !theyHold {
					rt.Errorf("yields to one that it does not collide with: %+v to %+v", a, b)
				}
				if aYields && how == "" {
					rt.Errorf("yields and does not say how: %+v to %+v", a, b)
				}
				settled := func(c claimant) bool { return len(c.holds) == 0 || c.holds[0] == c.wants }
				if wanting && settled(a) && settled(b) && aYields == bYields {
					rt.Errorf("one of two has to win: %+v and %+v", a, b)
				}
			}
		}
	})
}

// A grant is for one ChannelLink and for what it wanted then.
func TestGrants(t *testing.T) {
	link := &v1alpha1.ChannelLink{
		ObjectMeta: metav1.ObjectMeta{Namespace: "vision", Name: "hr", UID: "1"},
		Spec:       v1alpha1.ChannelLinkSpec{PageID: "1", PublicURL: "https://a.example"},
	}
	var g grants
	if g.has(link) {
		t.Error("granted before anything was")
	}
	g.give(link)
	if !g.has(link) {
		t.Error("not granted")
	}
	edited := link.DeepCopy()
	edited.Spec.PublicURL = "https://b.example"
	again := link.DeepCopy()
	again.UID = "2"
	if g.has(edited) || g.has(again) {
		t.Error("granted to another spec, or to another object of the name")
	}
	g.forget(types.NamespacedName{Namespace: "vision", Name: "hr"})
	if g.has(link) {
		t.Error("still granted")
	}
}
