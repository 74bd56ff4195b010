package v1alpha1

// Exposure says how the outside reaches the server. Host and path come from `publicURL`.
//
// +kubebuilder:validation:XValidation:rule="!(has(self.ingress) && has(self.gateway))",message="set exposure.ingress or exposure.gateway, not both (neither: expose the Service yourself)"
type Exposure struct {
	// Ingress makes an Ingress. Absent: no Ingress.
	//
	// +optional
	Ingress *IngressExposure `json:"ingress,omitempty"`
	// Gateway makes an HTTPRoute of the Gateway API. Absent: no HTTPRoute.
	//
	// +optional
	Gateway *GatewayExposure `json:"gateway,omitempty"`
}

// IngressExposure are the settings of the Ingress.
type IngressExposure struct {
	// ClassName is the IngressClass, for example `nginx`. Absent: the cluster's default class.
	//
	// +optional
	ClassName ObjectName `json:"className,omitempty"`
	// Annotations are copied onto the Ingress, for controllers that are configured that way. Absent: none.
	//
	// +optional
	// +kubebuilder:validation:XValidation:rule="self.all(k, !k.startsWith('channellink.dev/'))",message="annotations must not use the prefix channellink.dev/"
	Annotations Annotations `json:"annotations,omitempty"`
	// TLSSecretName is the Secret with the certificate for the host. Absent: the Ingress has no TLS section (TLS ends
	// elsewhere, or the controller has a default certificate).
	//
	// +optional
	TLSSecretName ObjectName `json:"tlsSecretName,omitempty"`
}

// GatewayExposure are the settings of the HTTPRoute.
type GatewayExposure struct {
	// ParentRefs are the Gateways that the route attaches to.
	//
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	ParentRefs []GatewayReference `json:"parentRefs"`
}

// GatewayReference names a Gateway, or one listener of it.
type GatewayReference struct {
	// Name of the Gateway.
	Name ObjectName `json:"name"`
	// Namespace of the Gateway. Absent: that of the ChannelLink.
	//
	// +optional
	Namespace NamespaceName `json:"namespace,omitempty"`
	// SectionName is a listener of the Gateway. Absent: every listener that fits.
	//
	// +optional
	SectionName ObjectName `json:"sectionName,omitempty"`
	// Port of the listener. Absent: every listener that fits.
	//
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port *int32 `json:"port,omitempty"`
}
