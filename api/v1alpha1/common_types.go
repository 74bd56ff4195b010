package v1alpha1

// Platform names the chat platform whose users a ChannelLink links.
//
// +kubebuilder:validation:Enum=Facebook;LINE
// +kubebuilder:validation:MaxLength=8
type Platform string

// The platforms. Their spelling is that of the chat companies.
const (
	PlatformFacebook Platform = "Facebook"
	PlatformLINE     Platform = "LINE"
)

// ObjectName is the name of an object in the same namespace: a DNS subdomain (RFC 1123), as Kubernetes demands.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=253
// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
type ObjectName string

// NamespaceName is the name of a namespace: a DNS label (RFC 1123).
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=63
// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
type NamespaceName string

// DataKey is a key in the data of a Secret or a ConfigMap. Like Kubernetes it refuses `.`, `..` and what begins with
// two dots, because the key becomes a file's name.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=253
// +kubebuilder:validation:Pattern=`^\.?[-_a-zA-Z0-9][-._a-zA-Z0-9]*$`
type DataKey string

// SecretKeyReference names one key of a Secret in the namespace of the object that carries it. There is no namespace
// field, so that nobody can reach into another team's namespace through the operator. The operator never reads the
// Secret: the kubelet mounts it into the server's pod. Where several values are accepted at once (rotation), write
// one a line, the newest first.
//
// +structType=atomic
type SecretKeyReference struct {
	// Name of the Secret, for example `vision-botbonnie`.
	Name ObjectName `json:"name"`
	// Key within the Secret's data, for example `apiToken`.
	Key DataKey `json:"key"`
}

// ConfigMapKeyReference names one key of a ConfigMap in the namespace of the object that carries it.
//
// +structType=atomic
type ConfigMapKeyReference struct {
	// Name of the ConfigMap, for example `company-ca`.
	Name ObjectName `json:"name"`
	// Key within the ConfigMap's data, for example `ca.crt`.
	Key DataKey `json:"key"`
}

// URL is an absolute http or https URL without user information and without a fragment. Plain http passes for
// localhost and *.localhost only.
//
// +kubebuilder:validation:MinLength=8
// +kubebuilder:validation:MaxLength=1024
// +kubebuilder:validation:XValidation:rule="isURL(self) && url(self).getScheme() in ['http', 'https'] && size(url(self).getHostname()) > 0",message="must be an absolute URL such as https://sso.vision.example"
// +kubebuilder:validation:XValidation:rule="!self.contains('@') && !self.contains('#') && !self.contains(' ') && !self.contains('\\\\')",message="must carry no user information (@), fragment (#), space or backslash"
// +kubebuilder:validation:XValidation:rule="!isURL(self) || url(self).getScheme() != 'http' || url(self).getHostname() == 'localhost' || url(self).getHostname().endsWith('.localhost')",message="must use https (plain http is for localhost and *.localhost only)"
type URL string

// BackendURL is an absolute http or https URL of a service of the company itself, often inside the cluster, where
// plain http is usual. Plain http passes for Services by their whole name, and for localhost and *.localhost.
//
// +kubebuilder:validation:MinLength=8
// +kubebuilder:validation:MaxLength=1024
// +kubebuilder:validation:XValidation:rule="isURL(self) && url(self).getScheme() in ['http', 'https'] && size(url(self).getHostname()) > 0",message="must be an absolute http or https URL such as http://hr.vision.svc/leave"
// +kubebuilder:validation:XValidation:rule="!self.contains('@') && !self.contains('#') && !self.contains(' ') && !self.contains('\\\\')",message="must carry no user information (@), fragment (#), space or backslash"
// +kubebuilder:validation:XValidation:rule="!isURL(self) || url(self).getScheme() != 'http' || self.matches('^http://(([-a-z0-9]+[.])*localhost|([-a-z0-9]+[.]){2,}svc([.][-a-z0-9]+)*)([:/?].*)?$')",message="must use https, or name a Service in full, such as http://hr.vision.svc/leave (plain http is for SERVICE.NAMESPACE.svc, localhost and *.localhost only)"
type BackendURL string

// HostName is a DNS name in lower case, without scheme, port or path.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=253
// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
type HostName string

// ClaimName is the name of a claim of the ID token.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=128
// +kubebuilder:validation:Pattern=`^[A-Za-z0-9_:/.-]+$`
type ClaimName string

// Labels are Kubernetes labels.
//
// +kubebuilder:validation:MaxProperties=32
// +kubebuilder:validation:XValidation:rule="self.all(k, k.matches('^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$'))",message="a label's key must be a name of at most 63 letters, digits, '-', '_' and '.', with or without a DNS name and a slash before it"
type Labels map[string]LabelValue

// LabelValue is a Kubernetes label value.
//
// +kubebuilder:validation:MaxLength=63
// +kubebuilder:validation:Pattern=`^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$`
type LabelValue string

// Annotations are Kubernetes annotations that are passed on to a child object.
//
// +kubebuilder:validation:MaxProperties=32
// +kubebuilder:validation:XValidation:rule="self.all(k, k.matches('^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$'))",message="an annotation's key must be a name of at most 63 letters, digits, '-', '_' and '.', with or without a DNS name and a slash before it"
type Annotations map[string]AnnotationValue

// AnnotationValue is the value of an annotation. 32 of them stay within the API server's 256 KiB for one object.
//
// +kubebuilder:validation:MaxLength=4096
type AnnotationValue string
