package plugin

import (
	"context"
	"fmt"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/meta"

	"channellink.dev/operator/api/v1alpha1"
)

// checkIngressClass says which classes the cluster has when nobody has taken up the channel's Ingress. A class of which the
// cluster has no object is no failure by itself: some controllers want none.
func (s *session) checkIngressClass(ctx context.Context, l *v1alpha1.ChannelLink) []check {
	if l.Spec.Exposure == nil || l.Spec.Exposure.Ingress == nil || !meta.IsStatusConditionFalse(l.Status.Conditions, v1alpha1.ConditionExposed) {
		return nil
	}
	var classes networkingv1.IngressClassList
	if s.client.List(ctx, &classes) != nil {
		return nil // they are the cluster's, which not everybody may read
	}
	wanted := string(l.Spec.Exposure.Ingress.ClassName)
	var names []string
	for _, class := range classes.Items {
		byDefault := class.Annotations[networkingv1.AnnotationIsDefaultIngressClass] == "true"
		if class.Name == wanted || wanted == "" && byDefault {
			return nil
		}
		names = append(names, class.Name)
	}
	c := check{Name: "Ingress class", Result: failedResult, Do: "Install an ingress controller."}
	if len(names) > 0 {
		c.Do = "Set spec.exposure.ingress.className to one that is there: " + strings.Join(names, ", ")
	}
	c.Message = fmt.Sprintf("the cluster has no IngressClass %s", wanted)
	if wanted == "" {
		c.Message = "the cluster has no default IngressClass, and the spec names none"
	}
	return []check{c}
}

// reachable tells whether the operator says that the server runs and is reached from outside. If not, what is seen from here
// follows from that.
func reachable(l *v1alpha1.ChannelLink) bool {
	return !meta.IsStatusConditionFalse(l.Status.Conditions, v1alpha1.ConditionAvailable) &&
		!meta.IsStatusConditionFalse(l.Status.Conditions, v1alpha1.ConditionExposed)
}
