package desired

import (
	coreac "k8s.io/client-go/applyconfigurations/core/v1"

	"channellink.dev/operator/internal/names"
	"channellink.dev/operator/webhookserver/config"
)

// configMap holds what the server reads. The settings are hashed into the pod template, so a change of them rolls the
// pods; the operator's keys are not, because the server reloads them.
func configMap(in Input, settings []byte) *coreac.ConfigMapApplyConfiguration {
	return child(in.Link, coreac.ConfigMap(names.Base(in.Link), in.Link.Namespace)).
		WithData(map[string]string{
			config.SettingsFile:     string(settings),
			config.OperatorKeysFile: string(in.OperatorKeys),
		})
}
