package desired

import (
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayac "sigs.k8s.io/gateway-api/applyconfiguration/apis/v1"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/names"
)

// httpRoute routes host and path of publicURL from the Gateways to the Service; nil where none is asked for.
func httpRoute(link *v1alpha1.ChannelLink, at publicAddress) *gatewayac.HTTPRouteApplyConfiguration {
	exposure := orEmpty(link.Spec.Exposure).Gateway
	if exposure == nil {
		return nil
	}
	spec := gatewayac.HTTPRouteSpec().
		WithHostnames(gatewayv1.Hostname(at.host)).
		WithRules(gatewayac.HTTPRouteRule().
			WithMatches(gatewayac.HTTPRouteMatch().WithPath(gatewayac.HTTPPathMatch().
				WithType(gatewayv1.PathMatchPathPrefix).
				WithValue(at.path))).
			WithBackendRefs(gatewayac.HTTPBackendRef().
				WithName(gatewayv1.ObjectName(names.Base(link))).
				WithPort(servicePort)))
	for _, ref := range exposure.ParentRefs {
		spec.WithParentRefs(parentRef(ref))
	}
	return child(link, gatewayac.HTTPRoute(names.Base(link), link.Namespace)).WithSpec(spec)
}

// parentRef names a Gateway, or one listener of it.
func parentRef(ref v1alpha1.GatewayReference) *gatewayac.ParentReferenceApplyConfiguration {
	parent := gatewayac.ParentReference().WithName(gatewayv1.ObjectName(ref.Name))
	if ref.Namespace != "" {
		parent.WithNamespace(gatewayv1.Namespace(ref.Namespace))
	}
	if ref.SectionName != "" {
		parent.WithSectionName(gatewayv1.SectionName(ref.SectionName))
	}
	if ref.Port != nil {
		parent.WithPort(*ref.Port)
	}
	return parent
}
