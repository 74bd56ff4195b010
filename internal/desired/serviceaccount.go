package desired

import (
	coreac "k8s.io/client-go/applyconfigurations/core/v1"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/names"
)

// serviceAccount is an identity of the server's own with no right at all and no token: it keeps the pods off the
// namespace's default one, which somebody may have given rights to.
func serviceAccount(link *v1alpha1.ChannelLink) *coreac.ServiceAccountApplyConfiguration {
	return child(link, coreac.ServiceAccount(names.Base(link), link.Namespace)).
		WithAutomountServiceAccountToken(false)
}
