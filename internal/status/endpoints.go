package status

import (
	"strings"

	"channellink.dev/operator/api/v1alpha1"
)

// Endpoints are the URLs to enter at BotBonnie, at the chat platform and at the identity provider. A URL that the server
// would answer with 404, because the spec leaves that part off, is left out.
func Endpoints(link *v1alpha1.ChannelLink) *v1alpha1.Endpoints {
	spec := &link.Spec
	root := strings.TrimSuffix(string(spec.PublicURL), "/")
	endpoints := &v1alpha1.Endpoints{
		Authorize: root + "/authorize",
		Callback:  root + "/callback",
	}
	if opensExternalBrowser(spec) {
		endpoints.Authorize += "?openExternalBrowser=1"
	}
	if hearsPlatform(spec) {
		endpoints.Webhook = root + "/webhook"
	}
	// BotBonnie's calls are refused without the secret that signs them.
	if spec.BotBonnie != nil && spec.BotBonnie.APISecretRef != nil {
		endpoints.Linked = root + "/botbonnie/linked"
		endpoints.Unlinked = root + "/botbonnie/unlinked"
	}
	if spec.API != nil && spec.API.IntrospectionTokenSecretRef != nil {
		endpoints.Introspect = root + "/introspect"
	}
	for _, service := range spec.Services {
		endpoints.Services = append(endpoints.Services, v1alpha1.ServiceEndpoint{
			Name: service.Name,
			URL:  root + "/services/" + service.Name,
		})
	}
	return endpoints
}

// opensExternalBrowser says whether LINE is to leave its own webview for the login; Messenger knows no such way.
func opensExternalBrowser(spec *v1alpha1.ChannelLinkSpec) bool {
	return spec.Platform == v1alpha1.PlatformLINE && spec.OIDC.ExternalBrowser == v1alpha1.ExternalBrowserAuto
}

// hearsPlatform says whether the server can verify the platform's own events: directly always, behind BotBonnie when the
// secret is there for those that are relayed.
func hearsPlatform(spec *v1alpha1.ChannelLinkSpec) bool {
	return (spec.Messenger != nil && spec.Messenger.AppSecretRef != nil) ||
		(spec.LINE != nil && spec.LINE.ChannelSecretRef != nil)
}
