package controllers

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/names"
)

// What a ChannelLink was granted once counts no more when it was refused something else meanwhile: who got the claim since
// keeps it, however old the other is, and wherever.
func TestAGrantEndsWithARefusal(t *testing.T) {
	const host = "https://link.vision.example"
	link := func(namespace, name, publicURL string, born int64) *v1alpha1.ChannelLink {
		return &v1alpha1.ChannelLink{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: namespace, Name: name, UID: types.UID(name), CreationTimestamp: metav1.NewTime(time.Unix(born, 0)),
			},
			Spec: v1alpha1.ChannelLinkSpec{Platform: v1alpha1.PlatformLINE, PageID: name, PublicURL: v1alpha1.URL(publicURL)},
		}
	}
	for _, tc := range []struct {
		reason string
		// elsewhere is the namespace of the younger one.
		elsewhere string
		// served: the older one has a Service, which somebody takes away from it while it is refused.
		served bool
	}{
		{"it never had a server", "vision", false},
		{"the other is in another namespace", "sales", false},
		{"its Service was taken away by hand", "vision", true},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			x, inTheWay := host+"/x", "https://other.vision.example"
			first := link("vision", "first", inTheWay, 1)
			older, younger := link("vision", "older", x, 2), link(tc.elsewhere, "younger", x, 3)
			service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{
				Namespace: "vision", Name: names.Base(older), Labels: names.Labels(older),
				Annotations: map[string]string{names.AnnotationPublicURL: x},
			}}
			r := newArbitrary(schemeOrFail(t), nil, first, older)
			if tc.served {
				if err := r.Client.Create(t.Context(), service); err != nil {
					t.Fatal(err)
				}
			}
			expect := func(link *v1alpha1.ChannelLink, granted bool, when string) {
				t.Helper()
				if err := r.claim(t.Context(), link); (err == nil) != granted {
					t.Errorf("%s: %s is granted: %v", when, link.Name, err)
				}
			}
			wants := func(publicURL string) {
				t.Helper()
				older.Spec.PublicURL = v1alpha1.URL(publicURL)
				if err := r.Client.Update(t.Context(), older); err != nil {
					t.Fatal(err)
				}
			}
			expect(first, true, "at first")
			expect(older, true, "at first")
			wants(inTheWay)
			expect(older, false, "edited onto what another has")
			if err := r.Client.Create(t.Context(), younger); err != nil {
				t.Fatal(err)
			}
			if tc.served {
				expect(younger, false, "while the older one's server stands there")
				service.Labels = nil
				if err := r.Client.Update(t.Context(), service); err != nil {
					t.Fatal(err)
				}
			}
			expect(younger, true, "when nobody wants or holds it")
			wants(x)
			expect(older, false, "edited back")
			expect(younger, true, "afterwards")
		})
	}
}
