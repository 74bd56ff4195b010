package status_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/status"
)

func TestEndpoints(t *testing.T) {
	secret := &v1alpha1.SecretKeyReference{Name: "vision", Key: "key"}
	for _, tc := range []struct {
		name   string
		reason string
		spec   v1alpha1.ChannelLinkSpec
		want   v1alpha1.Endpoints
	}{
		{
			name:   "LINE directly",
			reason: "no call of BotBonnie, no introspection without its token",
			spec: v1alpha1.ChannelLinkSpec{
				Platform:  v1alpha1.PlatformLINE,
				PublicURL: "https://link.vision.example",
				LINE:      &v1alpha1.LINE{ChannelSecretRef: secret},
			},
			want: v1alpha1.Endpoints{
				Authorize: "https://link.vision.example/authorize",
				Callback:  "https://link.vision.example/callback",
				Webhook:   "https://link.vision.example/webhook",
			},
		},
		{
			name:   "Facebook directly, everything under a path",
			reason: "the path of publicURL stands before every route",
			spec: v1alpha1.ChannelLinkSpec{
				Platform:  v1alpha1.PlatformFacebook,
				PublicURL: "https://link.vision.example/fb",
				Messenger: &v1alpha1.Messenger{AppSecretRef: secret},
				OIDC:      v1alpha1.OIDC{ExternalBrowser: v1alpha1.ExternalBrowserAuto},
				API:       &v1alpha1.API{TokenSecretRef: secret, IntrospectionTokenSecretRef: secret},
			},
			want: v1alpha1.Endpoints{
				Authorize:  "https://link.vision.example/fb/authorize",
				Callback:   "https://link.vision.example/fb/callback",
				Webhook:    "https://link.vision.example/fb/webhook",
				Introspect: "https://link.vision.example/fb/introspect",
			},
		},
		{
			name:   "LINE behind BotBonnie",
			reason: "without the channel secret no event is relayed, so there is no webhook",
			spec: v1alpha1.ChannelLinkSpec{
				Platform:  v1alpha1.PlatformLINE,
				PublicURL: "https://link.vision.example/hr",
				BotBonnie: &v1alpha1.BotBonnie{APISecretRef: secret},
				OIDC:      v1alpha1.OIDC{ExternalBrowser: v1alpha1.ExternalBrowserAuto},
				API:       &v1alpha1.API{TokenSecretRef: secret},
				Services:  []v1alpha1.Service{{Name: "leave-balance"}, {Name: "orders"}},
			},
			want: v1alpha1.Endpoints{
				Authorize: "https://link.vision.example/hr/authorize?openExternalBrowser=1",
				Callback:  "https://link.vision.example/hr/callback",
				Linked:    "https://link.vision.example/hr/botbonnie/linked",
				Unlinked:  "https://link.vision.example/hr/botbonnie/unlinked",
				Services: []v1alpha1.ServiceEndpoint{
					{Name: "leave-balance", URL: "https://link.vision.example/hr/services/leave-balance"},
					{Name: "orders", URL: "https://link.vision.example/hr/services/orders"},
				},
			},
		},
		{
			name:   "BotBonnie without its secret, the platform's events relayed",
			reason: "BotBonnie's calls would be refused; the platform's can be verified",
			spec: v1alpha1.ChannelLinkSpec{
				Platform:  v1alpha1.PlatformLINE,
				PublicURL: "https://link.vision.example",
				BotBonnie: &v1alpha1.BotBonnie{},
				LINE:      &v1alpha1.LINE{ChannelSecretRef: secret},
			},
			want: v1alpha1.Endpoints{
				Authorize: "https://link.vision.example/authorize",
				Callback:  "https://link.vision.example/callback",
				Webhook:   "https://link.vision.example/webhook",
			},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := status.Endpoints(&v1alpha1.ChannelLink{Spec: tc.spec})
			if diff := cmp.Diff(&tc.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}
