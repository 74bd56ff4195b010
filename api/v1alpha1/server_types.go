package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
)

// Server are the settings of the Deployment that serves the channel.
type Server struct {
	// Replicas of the server; more than one needs `store.postgres`. Ignored while `autoscaling` is set. Absent: 1.
	//
	// +optional
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	Replicas *int32 `json:"replicas,omitempty"`
	// Autoscaling makes a HorizontalPodAutoscaler; needs `store.postgres`. Absent: the number of replicas is fixed.
	//
	// +optional
	Autoscaling *Autoscaling `json:"autoscaling,omitempty"`
	// Resources of the server's container. Absent: requests of 10m CPU and 32Mi memory, a limit of 256Mi memory.
	//
	// +optional
	Resources *corev1.ResourceRequirements `json:"resources,omitempty"`
	// Image of the server. Absent: the one that belongs to the operator's version.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:Pattern=`^[^\s]+$`
	Image string `json:"image,omitempty"`
	// ImagePullSecrets for the server's image. Absent: none.
	//
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=8
	ImagePullSecrets []ImagePullSecret `json:"imagePullSecrets,omitempty"`
	// NodeSelector of the pods. Absent: any node.
	//
	// +optional
	NodeSelector Labels `json:"nodeSelector,omitempty"`
	// Tolerations of the pods. Absent: none.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	Tolerations []corev1.Toleration `json:"tolerations,omitempty"`
	// Affinity of the pods. Absent: none.
	//
	// +optional
	Affinity *corev1.Affinity `json:"affinity,omitempty"`
	// TopologySpreadConstraints of the pods. Absent: spread over nodes and zones where that is possible.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=8
	TopologySpreadConstraints []corev1.TopologySpreadConstraint `json:"topologySpreadConstraints,omitempty"`
	// PriorityClassName of the pods. Absent: the cluster's default.
	//
	// +optional
	PriorityClassName ObjectName `json:"priorityClassName,omitempty"`
	// PodLabels are added to the pods, for example `{team: hr}`. Keys of `app.kubernetes.io/` and `channellink.dev/`
	// are refused. Absent: none.
	//
	// +optional
	// +kubebuilder:validation:XValidation:rule="self.all(k, !k.startsWith('app.kubernetes.io/') && !k.startsWith('channellink.dev/'))",message="podLabels must not use the prefixes app.kubernetes.io/ and channellink.dev/, which the operator sets"
	PodLabels Labels `json:"podLabels,omitempty"`
	// PodAnnotations are added to the pods, for example `{sidecar.istio.io/inject: "true"}`. Keys of
	// `app.kubernetes.io/` and `channellink.dev/` are refused. Absent: none.
	//
	// +optional
	// +kubebuilder:validation:XValidation:rule="self.all(k, !k.startsWith('app.kubernetes.io/') && !k.startsWith('channellink.dev/'))",message="podAnnotations must not use the prefixes app.kubernetes.io/ and channellink.dev/, which the operator sets"
	PodAnnotations Annotations `json:"podAnnotations,omitempty"`
	// LogLevel of the server. Absent: `info`.
	//
	// +optional
	// +kubebuilder:default=info
	LogLevel LogLevel `json:"logLevel,omitempty"`
	// NetworkPolicy restricts who reaches the pods. Absent: on, with the public port open to all.
	//
	// +optional
	// +kubebuilder:default={}
	NetworkPolicy *NetworkPolicy `json:"networkPolicy,omitempty"`
	// TrustedProxyHops is the number of proxies in front of the server whose `X-Forwarded-For` entries count as the
	// client's address. That address is told in the log at `logLevel: debug` and nothing depends on it. Absent or 0:
	// the peer's address counts.
	//
	// +optional
	// +kubebuilder:default=0
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=16
	TrustedProxyHops *int32 `json:"trustedProxyHops,omitempty"`
}

// Autoscaling are the bounds of the HorizontalPodAutoscaler.
//
// +kubebuilder:validation:XValidation:rule="self.minReplicas <= self.maxReplicas",message="autoscaling.minReplicas must not be greater than maxReplicas"
type Autoscaling struct {
	// MinReplicas is the least number of replicas. Absent: 2.
	//
	// +optional
	// +kubebuilder:default=2
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	MinReplicas *int32 `json:"minReplicas,omitempty"`
	// MaxReplicas is the greatest number of replicas.
	//
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	MaxReplicas int32 `json:"maxReplicas"`
	// TargetCPUUtilizationPercentage is the average CPU use, in percent of the request, that the autoscaler aims for.
	// Absent: 80.
	//
	// +optional
	// +kubebuilder:default=80
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	TargetCPUUtilizationPercentage *int32 `json:"targetCPUUtilizationPercentage,omitempty"`
}

// ImagePullSecret names a Secret with registry credentials.
type ImagePullSecret struct {
	// Name of the Secret.
	Name ObjectName `json:"name"`
}

// NetworkPolicy are the settings of the server's NetworkPolicy. It restricts who may connect to the pods and leaves
// their own connections alone.
type NetworkPolicy struct {
	// Enabled makes the NetworkPolicy. Absent: true.
	//
	// +optional
	// +kubebuilder:default=true
	Enabled *bool `json:"enabled,omitempty"`
	// IngressFrom says who reaches the public port, for example the namespace of the ingress controller. Absent:
	// everybody.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	IngressFrom []networkingv1.NetworkPolicyPeer `json:"ingressFrom,omitempty"`
}

// LogLevel is the least severity that is logged.
//
// +kubebuilder:validation:Enum=debug;info;warn;error
// +kubebuilder:validation:MaxLength=8
type LogLevel string
