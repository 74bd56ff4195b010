//go:build apiserver

package controllers_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/names"
)

// at names a ChannelLink and gives it page and public URL.
func at(name, page, publicURL string) func(*v1alpha1.ChannelLink) {
	return func(link *v1alpha1.ChannelLink) {
		link.Name, link.Spec.PageID, link.Spec.PublicURL = name, page, v1alpha1.URL(publicURL)
	}
}

// waitASecond passes when the API server's clock is in another second than the object's creation, so that what is created
// next is younger.
func waitASecond(t *testing.T, link *v1alpha1.ChannelLink) {
	t.Helper()
	NewWithT(t).Eventually(func() bool { return time.Since(link.CreationTimestamp.Time) > time.Second }).Should(BeTrue())
}

// expectConflict waits until the ChannelLink is refused for a conflict and returns the message.
func expectConflict(t *testing.T, link *v1alpha1.ChannelLink) string {
	t.Helper()
	eventually(t, link, condition{v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonConflict})
	eventually(t, link, condition{v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonConflict})
	return eventually(t, link, condition{v1alpha1.ConditionAccepted, metav1.ConditionFalse, v1alpha1.ReasonConflict}).Message
}

// Each way in which two ChannelLinks can collide: the younger is refused, says how, names the other only within its own
// namespace, makes nothing, and takes over when the older is gone.
func TestTheYoungerOfTwoCollidingIsRefused(t *testing.T) {
	o := startOperator(t)
	for i, tc := range []struct {
		name           string
		page           string
		older, younger string // publicURL; HOST stands for a name of the case's own
		elsewhere      bool   // the younger is in another namespace
		how            string
	}{
		{name: "same page", page: "a", older: "https://HOST", younger: "https://other-HOST", how: "the same page"},
		{name: "same page elsewhere", page: "a", older: "https://HOST", younger: "https://other-HOST", elsewhere: true, how: "the same page"},
		{name: "same URL", older: "https://HOST/hr", younger: "https://HOST/hr", how: "an overlapping publicURL"},
		{name: "below it", older: "https://HOST/hr", younger: "https://HOST/hr/line", how: "an overlapping publicURL"},
		{name: "above it", older: "https://HOST/hr", younger: "https://HOST", how: "an overlapping publicURL"},
		{name: "same URL elsewhere", older: "https://HOST/hr", younger: "https://HOST/hr", elsewhere: true, how: "an overlapping publicURL"},
		{name: "same host elsewhere", older: "https://HOST/hr", younger: "https://HOST/shop", elsewhere: true, how: "the same host in another namespace"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			host := fmt.Sprintf("case-%d.vision.example", i)
			pages := [2]string{"older-" + host, "younger-" + host}
			if tc.page != "" {
				pages = [2]string{host, host}
			}
			namespace := env.Namespace(t)
			older := create(t, "line", namespace, at("older", pages[0], strings.Replace(tc.older, "HOST", host, 1)))
			o.ready(t, older)
			waitASecond(t, older)
			if tc.elsewhere {
				namespace = env.Namespace(t)
			}
			younger := create(t, "line", namespace, at("younger", pages[1], strings.Replace(tc.younger, "HOST", host, 1)))

			message := expectConflict(t, younger)
			NewWithT(t).Expect(message).To(ContainSubstring(tc.how))
			if tc.elsewhere {
				NewWithT(t).Expect(message).NotTo(ContainSubstring("older\""), "names nothing of another namespace")
				NewWithT(t).Expect(message).NotTo(ContainSubstring(older.Namespace), "names nothing of another namespace")
			} else {
				NewWithT(t).Expect(message).To(ContainSubstring(`ChannelLink "older"`))
			}
			for _, object := range children(t, namespace) {
				if metav1.IsControlledBy(object, younger) || object.GetName() == names.Volume(younger) {
					t.Errorf("was made although refused: %T %s", object, object.GetName())
				}
			}
			eventually(t, older, condition{v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady})

			if err := env.Client.Delete(t.Context(), older); err != nil {
				t.Fatal(err)
			}
			o.ready(t, younger)
		})
	}
}

// Neighbours on one host of one namespace are no conflict, and with --shared-hosts none of two namespaces either.
func TestWhatDoesNotCollide(t *testing.T) {
	t.Run("paths of one namespace", func(t *testing.T) {
		startOperator(t)
		namespace := env.Namespace(t)
		for _, path := range []string{"hr", "shop", "hr2"} {
			link := create(t, "line", namespace, at(path, "page-"+path, "https://one.vision.example/"+path))
			eventually(t, link, condition{v1alpha1.ConditionAccepted, metav1.ConditionTrue, v1alpha1.ReasonAccepted})
		}
	})
	t.Run("shared hosts", func(t *testing.T) {
		o := newOperator(t)
		o.options.SharedHosts = true
		o.start()
		a := create(t, "line", env.Namespace(t), at("a", "page-a", "https://shared.vision.example/a"))
		b := create(t, "line", env.Namespace(t), at("b", "page-b", "https://shared.vision.example/b"))
		eventually(t, a, condition{v1alpha1.ConditionAccepted, metav1.ConditionTrue, v1alpha1.ReasonAccepted})
		eventually(t, b, condition{v1alpha1.ConditionAccepted, metav1.ConditionTrue, v1alpha1.ReasonAccepted})
	})
}

// A public URL is mutable, but an old ChannelLink cannot be edited onto the URL of another that serves it: not within a
// namespace, not from another path of the same host, and not after the operator has started anew.
func TestAnOldChannelLinkCannotBeEditedOntoAnothersURL(t *testing.T) {
	o := startOperator(t)
	namespace := env.Namespace(t)
	old := create(t, "line", namespace, at("old", "page-old", "https://edit.vision.example/old"))
	o.ready(t, old)
	waitASecond(t, old)
	young := create(t, "line", namespace, at("young", "page-young", "https://edit.vision.example/young"))
	o.ready(t, young)

	edit(t, old, func(spec *v1alpha1.ChannelLinkSpec) { spec.PublicURL = young.Spec.PublicURL })
	expectConflict(t, old)
	o.stop()
	o.start()
	touch(t, young, "look again")
	touch(t, old, "look again")
	expectConflict(t, old)
	eventually(t, young, condition{v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady})

	service := &corev1.Service{}
	if err := env.Client.Get(t.Context(), childOf(old), service); err != nil {
		t.Fatal(err)
	}
	if got := service.Annotations[names.AnnotationPublicURL]; got != "https://edit.vision.example/old" {
		t.Errorf("the refused one serves %s now", got)
	}

	t.Run("its own URL stays its own while it is refused", func(t *testing.T) {
		third := create(t, "line", namespace, at("third", "page-third", "https://edit.vision.example/old"))
		expectConflict(t, third)
		if err := env.Client.Delete(t.Context(), third); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("it takes over when the claim is freed by an edit", func(t *testing.T) {
		edit(t, young, func(spec *v1alpha1.ChannelLinkSpec) { spec.PublicURL = "https://edit.vision.example/elsewhere" })
		o.ready(t, young)
		o.ready(t, old)
		if err := env.Client.Get(t.Context(), childOf(old), service); err != nil {
			t.Fatal(err)
		}
		if got := service.Annotations[names.AnnotationPublicURL]; got != "https://edit.vision.example/young" {
			t.Errorf("it serves %s", got)
		}
	})
}

// Of many that are made at once with one claim, exactly one gets it, however the workers race.
func TestOfManyAtOnceOneWins(t *testing.T) {
	startOperator(t)
	namespace := env.Namespace(t)
	links := make([]*v1alpha1.ChannelLink, 12)
	for i := range links {
		links[i] = create(t, "line", namespace, at(fmt.Sprintf("racer-%d", i), "race", fmt.Sprintf("https://race-%d.vision.example", i)))
	}
	accepted := 0
	for _, link := range links {
		NewWithT(t).Eventually(func(g Gomega) {
			g.Expect(env.Client.Get(t.Context(), client.ObjectKeyFromObject(link), link)).To(Succeed())
			g.Expect(link.Status.ObservedGeneration).To(Equal(link.Generation))
		}).Should(Succeed())
		for _, c := range link.Status.Conditions {
			if c.Type == v1alpha1.ConditionAccepted && c.Status == metav1.ConditionTrue {
				accepted++
			}
		}
	}
	deployments := &appsv1.DeploymentList{}
	if err := env.Client.List(t.Context(), deployments, client.InNamespace(namespace)); err != nil {
		t.Fatal(err)
	}
	if accepted != 1 || len(deployments.Items) != 1 {
		t.Errorf("%d accepted, %d Deployments, want one of each", accepted, len(deployments.Items))
	}
}
