package desired

import (
	networkingv1 "k8s.io/api/networking/v1"
	networkingac "k8s.io/client-go/applyconfigurations/networking/v1"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/names"
)

// ingress routes host and path of publicURL to the Service; nil where none is asked for.
func ingress(link *v1alpha1.ChannelLink, at publicAddress) *networkingac.IngressApplyConfiguration {
	exposure := orEmpty(link.Spec.Exposure).Ingress
	if exposure == nil {
		return nil
	}
	backend := networkingac.IngressBackend().WithService(networkingac.IngressServiceBackend().
		WithName(names.Base(link)).
		WithPort(networkingac.ServiceBackendPort().WithName(names.PortHTTP)))
	spec := networkingac.IngressSpec().
		WithRules(networkingac.IngressRule().
			WithHost(at.host).
			WithHTTP(networkingac.HTTPIngressRuleValue().
				WithPaths(networkingac.HTTPIngressPath().
					WithPath(at.path).
					WithPathType(networkingv1.PathTypePrefix).
					WithBackend(backend))))
	if exposure.ClassName != "" {
		spec.WithIngressClassName(string(exposure.ClassName))
	}
	if exposure.TLSSecretName != "" {
		spec.WithTLS(networkingac.IngressTLS().WithHosts(at.host).WithSecretName(string(exposure.TLSSecretName)))
	}
	return child(link, networkingac.Ingress(names.Base(link), link.Namespace)).
		WithAnnotations(plainMap(exposure.Annotations)).
		WithSpec(spec)
}
