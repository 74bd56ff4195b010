package desired

import (
	"strings"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	appsac "k8s.io/client-go/applyconfigurations/apps/v1"
	autoscalingac "k8s.io/client-go/applyconfigurations/autoscaling/v2"
	coreac "k8s.io/client-go/applyconfigurations/core/v1"
	networkingac "k8s.io/client-go/applyconfigurations/networking/v1"
	policyac "k8s.io/client-go/applyconfigurations/policy/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayac "sigs.k8s.io/gateway-api/applyconfiguration/apis/v1"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/webhookserver/config"
)

// Input is everything that the objects of one ChannelLink depend on.
type Input struct {
	// Link is the ChannelLink. It is not changed.
	Link *v1alpha1.ChannelLink
	// Operator is what the operator's own flags and surroundings add.
	Operator Operator
	// OperatorKeys is the JWK set with which servers verify admin requests, passed through as it is.
	OperatorKeys []byte
	// Siblings are the servers for other pages of the same Facebook app, sorted.
	Siblings []Sibling
	// ObservedReplicas is, with autoscaling, what the autoscaler has set on the Deployment; nil when it
	// has set none yet. It is rendered as it is, so that the operator never takes the number back.
	ObservedReplicas *int32
	// ObservedStorage is the request of the volume claim that is already there; nil when there is none. A claim that an
	// earlier ChannelLink left may be larger than this one's spec, and a claim cannot shrink.
	ObservedStorage *resource.Quantity
	// ObservedStorageClass is the class of that claim; nil when there is none. A claim keeps its class, whatever this
	// spec says.
	ObservedStorageClass *string
}

// Sibling is the server for another page of the same Facebook app.
type Sibling struct {
	// ServiceURL is where webhook calls are handed on to.
	ServiceURL string
	// WebhookURL is where Meta would send them.
	WebhookURL string
}

// SiblingOf is what the server of a ChannelLink is to its siblings, at the public URL that it serves. That need not be the
// spec's: an edit may not have been carried out, and may never be.
func SiblingOf(link *v1alpha1.ChannelLink, served string) Sibling {
	return Sibling{ServiceURL: serviceURL(link, served), WebhookURL: strings.TrimRight(served, "/") + "/webhook"}
}

// Operator is what an operator's flags and its own pod say; it is the same for every ChannelLink.
type Operator struct {
	// ServerImage is the image of servers whose ChannelLink names none.
	ServerImage string
	// Namespace and PodLabels are those of the operator's pods, which alone may reach the admin port.
	Namespace string
	PodLabels map[string]string
	// Network is what servers may call, and whether plain http to this machine passes.
	Network config.Network
	// AllowEndpointHosts are the hosts, each with or without a port, that may stand in for a chat platform's own.
	AllowEndpointHosts []string
	// OTLPEndpoint is the base URL of the collector that servers send spans to; empty turns tracing off.
	OTLPEndpoint string
}

// Objects are the objects that should exist. A nil one must not, but for the Volume: a nil Volume is left alone, because
// it holds people's links.
type Objects struct {
	ServiceAccount      *coreac.ServiceAccountApplyConfiguration
	ConfigMap           *coreac.ConfigMapApplyConfiguration
	Volume              *coreac.PersistentVolumeClaimApplyConfiguration
	Service             *coreac.ServiceApplyConfiguration
	AdminService        *coreac.ServiceApplyConfiguration
	Deployment          *appsac.DeploymentApplyConfiguration
	NetworkPolicy       *networkingac.NetworkPolicyApplyConfiguration
	PodDisruptionBudget *policyac.PodDisruptionBudgetApplyConfiguration
	Autoscaler          *autoscalingac.HorizontalPodAutoscalerApplyConfiguration
	Ingress             *networkingac.IngressApplyConfiguration
	HTTPRoute           *gatewayac.HTTPRouteApplyConfiguration

	// VolumeGrows says that the Volume asks for more than the claim that is there has.
	VolumeGrows bool
	// SettingsHash is the SHA-256, in lower-case hex, of the settings file. A server that runs with these settings
	// reports the same.
	SettingsHash string
}

// Object is an object as controller-runtime's client takes it.
type Object interface {
	metav1.Object
	runtime.Object
}

// InOrder lists the objects to apply, in the order to apply them: what a pod mounts comes before the Deployment, and the
// NetworkPolicy before the pods that it guards.
func (o *Objects) InOrder() []runtime.ApplyConfiguration {
	var list []runtime.ApplyConfiguration
	list = present(list, o.ServiceAccount)
	list = present(list, o.ConfigMap)
	list = present(list, o.Volume)
	list = present(list, o.NetworkPolicy)
	list = present(list, o.Service)
	list = present(list, o.AdminService)
	list = present(list, o.Deployment)
	list = present(list, o.PodDisruptionBudget)
	list = present(list, o.Autoscaler)
	list = present(list, o.Ingress)
	list = present(list, o.HTTPRoute)
	return list
}

// present appends the configuration unless it is nil; a typed nil must not end up in a list of interfaces.
func present[T any, P interface {
	*T
	runtime.ApplyConfiguration
}](list []runtime.ApplyConfiguration, object P) []runtime.ApplyConfiguration {
	if object == nil {
		return list
	}
	return append(list, object)
}

// Absent lists the objects that must not exist, with no more than namespace and name: every optional kind that is not
// asked for. The Volume is never among them.
func (o *Objects) Absent() []Object {
	meta := metav1.ObjectMeta{Namespace: *o.ServiceAccount.GetNamespace(), Name: *o.ServiceAccount.GetName()}
	var list []Object
	for _, optional := range []struct {
		wanted bool
		object Object
	}{
		{o.NetworkPolicy != nil, &networkingv1.NetworkPolicy{ObjectMeta: meta}},
		{o.PodDisruptionBudget != nil, &policyv1.PodDisruptionBudget{ObjectMeta: meta}},
		{o.Autoscaler != nil, &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: meta}},
		{o.Ingress != nil, &networkingv1.Ingress{ObjectMeta: meta}},
		{o.HTTPRoute != nil, &gatewayv1.HTTPRoute{ObjectMeta: meta}},
	} {
		if !optional.wanted {
			list = append(list, optional.object)
		}
	}
	return list
}
