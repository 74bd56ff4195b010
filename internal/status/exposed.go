package status

import (
	"fmt"

	"channellink.dev/operator/api/v1alpha1"
)

// exposed follows the route's own status: an Ingress has an address once a controller has taken it up, an HTTPRoute a
// verdict of each Gateway.
func exposed(link *v1alpha1.ChannelLink, seen Observed) verdict {
	if link.Spec.Exposure.Gateway != nil {
		return routeExposed(link, seen.Route)
	}
	const kind = v1alpha1.ConditionExposed
	if seen.Ingress == nil && !seen.Applied {
		return no(kind, v1alpha1.ReasonExposurePending, "The Ingress does not exist")
	}
	if seen.Ingress == nil || len(seen.Ingress.Status.LoadBalancer.Ingress) == 0 {
		return no(kind, v1alpha1.ReasonExposurePending, "No ingress controller has taken up the Ingress yet: check spec.exposure.ingress.className")
	}
	return yes(kind, v1alpha1.ReasonExposed, "The Ingress has an address")
}

func routeExposed(link *v1alpha1.ChannelLink, route Route) verdict {
	const kind = v1alpha1.ConditionExposed
	if route.APIMissing {
		return no(kind, v1alpha1.ReasonGatewayAPIMissing, "The cluster has no HTTPRoute (gateway.networking.k8s.io/v1): install the Gateway API, or use spec.exposure.ingress")
	}
	for _, parent := range route.Parents {
		if !parent.Accepted || !parent.ResolvedRefs {
			return no(kind, v1alpha1.ReasonRouteNotAccepted, fmt.Sprintf("A Gateway does not accept the HTTPRoute (%s): check spec.exposure.gateway.parentRefs and the Gateway's allowedRoutes", parent.Reason))
		}
	}
	if len(route.Parents) < len(link.Spec.Exposure.Gateway.ParentRefs) {
		return no(kind, v1alpha1.ReasonExposurePending, "A Gateway has not looked at the HTTPRoute yet: check spec.exposure.gateway.parentRefs")
	}
	return yes(kind, v1alpha1.ReasonExposed, "Every Gateway has accepted the HTTPRoute")
}
