package desired

import (
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/names"
)

// Children lists every object that the ChannelLink may have but the Volume, with no more than namespace and name, in the
// order to delete them: first what leads people to the server, then the Deployment, and after it what the server needs to be
// asked. So a deletion that broke off finds either a server that answers, or none.
func Children(link *v1alpha1.ChannelLink) []Object {
	meta := metav1.ObjectMeta{Namespace: link.Namespace, Name: names.Base(link)}
	admin := metav1.ObjectMeta{Namespace: link.Namespace, Name: names.AdminService(link)}
	return []Object{
		&networkingv1.Ingress{ObjectMeta: meta},
		&gatewayv1.HTTPRoute{ObjectMeta: meta},
		&autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: meta},
		&policyv1.PodDisruptionBudget{ObjectMeta: meta},
		&corev1.Service{ObjectMeta: meta},
		&appsv1.Deployment{ObjectMeta: meta},
		&corev1.Service{ObjectMeta: admin},
		&networkingv1.NetworkPolicy{ObjectMeta: meta},
		&corev1.ConfigMap{ObjectMeta: meta},
		&corev1.ServiceAccount{ObjectMeta: meta},
	}
}

// VolumeOf is the claim of the ChannelLink's volume, with no more than namespace and name.
func VolumeOf(link *v1alpha1.ChannelLink) Object {
	return &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: link.Namespace, Name: names.Volume(link)}}
}
