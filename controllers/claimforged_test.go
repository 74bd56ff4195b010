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

// Whoever may edit the Service of his own ChannelLink cannot have it say that another's host is served there, and so take that
// host away from who was granted it.
func TestAnEditedServiceTakesNoHost(t *testing.T) {
	of := func(namespace, publicURL string, born int64) (*v1alpha1.ChannelLink, *corev1.Service) {
		link := &v1alpha1.ChannelLink{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: namespace, Name: "hr", UID: types.UID(namespace), CreationTimestamp: metav1.NewTime(time.Unix(born, 0)),
			},
			Spec: v1alpha1.ChannelLinkSpec{Platform: v1alpha1.PlatformLINE, PageID: namespace, PublicURL: v1alpha1.URL(publicURL)},
		}
		return link, &corev1.Service{ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: names.Base(link), Labels: names.Labels(link),
			Annotations: map[string]string{names.AnnotationPublicURL: publicURL},
		}}
	}
	victim, served := of("vision", "https://link.vision.example/hr", 2)
	mallory, edited := of("mallory", "https://mallory.example", 1)
	r := newArbitrary(schemeOrFail(t), nil, victim, served, mallory, edited)
	for _, link := range []*v1alpha1.ChannelLink{victim, mallory} {
		if err := r.claim(t.Context(), link); err != nil {
			t.Fatal(err)
		}
	}

	edited.Annotations[names.AnnotationPublicURL] = "https://link.vision.example"
	if err := r.Client.Update(t.Context(), edited); err != nil {
		t.Fatal(err)
	}
	if err := r.claim(t.Context(), victim); err != nil {
		t.Errorf("the host is lost to an annotation: %v", err)
	}
	mallory.Spec.PublicURL = "https://link.vision.example"
	if err := r.Client.Update(t.Context(), mallory); err != nil {
		t.Fatal(err)
	}
	if err := r.claim(t.Context(), mallory); err == nil {
		t.Error("the host is granted to who has edited his Service, and is the older")
	}
	if err := r.claim(t.Context(), victim); err != nil {
		t.Errorf("the host is lost: %v", err)
	}
}
