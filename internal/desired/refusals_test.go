package desired_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/desired"
	"channellink.dev/operator/webhookserver/config"
)

// C49, C52
func TestURLsThatAreRefused(t *testing.T) {
	for _, tc := range []struct {
		name   string
		reason string
		change func(*desired.Input)
		want   *desired.URLError
	}{
		{
			name:   "public endpoints",
			reason: "the platforms' own hosts need no flag",
			change: func(in *desired.Input) {
				in.Link.Spec.BotBonnie = botBonnie("https://api.botbonnie.com", "https://RD.botbonnie.com:443/account/link")
				in.Link.Spec.LINE.Endpoints = &v1alpha1.LINEEndpoints{API: "https://api.line.me", AccountLink: "https://access.line.me/dialog/bot/accountLink"}
				in.Link.Spec.Messenger = &v1alpha1.Messenger{GraphEndpoint: "https://graph.facebook.com/v24.0"}
			},
		},
		{
			name:   "foreign endpoint",
			reason: "the token would go to a host of the tenant's choice",
			change: func(in *desired.Input) { in.Link.Spec.BotBonnie = botBonnie("https://evil.example", "") },
			want:   &desired.URLError{Reason: desired.ErrEndpointNotAllowed, Field: "botBonnie.endpoints.api", Host: "evil.example"},
		},
		{
			name:   "another platform's host",
			reason: "each endpoint has a host of its own",
			change: func(in *desired.Input) {
				in.Link.Spec.LINE.Endpoints = &v1alpha1.LINEEndpoints{API: "https://access.line.me"}
			},
			want: &desired.URLError{Reason: desired.ErrEndpointNotAllowed, Field: "line.endpoints.api", Host: "access.line.me"},
		},
		{
			name:   "host that ends like the platform's",
			reason: "hosts are compared whole",
			change: func(in *desired.Input) {
				in.Link.Spec.LINE.Endpoints = &v1alpha1.LINEEndpoints{AccountLink: "https://not-access.line.me/x"}
			},
			want: &desired.URLError{Reason: desired.ErrEndpointNotAllowed, Field: "line.endpoints.accountLink", Host: "not-access.line.me"},
		},
		{
			name:   "another port of the platform's host",
			reason: "what listens there is not the platform's API",
			change: func(in *desired.Input) {
				in.Link.Spec.Messenger = &v1alpha1.Messenger{GraphEndpoint: "https://graph.facebook.com:8443"}
			},
			want: &desired.URLError{Reason: desired.ErrEndpointNotAllowed, Field: "messenger.graphEndpoint", Host: "graph.facebook.com:8443"},
		},
		{
			name:   "allowed host",
			reason: "an entry without a port covers every port",
			change: func(in *desired.Input) {
				in.Link.Spec.BotBonnie = botBonnie("https://chatsim.example:8443", "")
				in.Operator.AllowEndpointHosts = []string{"ChatSim.example"}
			},
		},
		{
			name:   "allowed host and port",
			reason: "an entry with a port covers that port alone",
			change: func(in *desired.Input) {
				in.Link.Spec.BotBonnie = botBonnie("https://chatsim.example:8443", "https://chatsim.example/link")
				in.Operator.AllowEndpointHosts = []string{"chatsim.example:8443"}
			},
			want: &desired.URLError{Reason: desired.ErrEndpointNotAllowed, Field: "botBonnie.endpoints.redirect", Host: "chatsim.example"},
		},
		{
			name:   "http publicURL",
			reason: "localhost passes the schema and needs the flag",
			change: func(in *desired.Input) { in.Link.Spec.PublicURL = "http://link.localhost:8088" },
			want:   &desired.URLError{Reason: desired.ErrInsecureURL, Field: "publicURL", Host: "link.localhost:8088", Local: true},
		},
		{
			name:   "http issuer",
			reason: "tokens would travel in the clear",
			change: func(in *desired.Input) { in.Link.Spec.OIDC.IssuerURL = "http://localhost:5556" },
			want:   &desired.URLError{Reason: desired.ErrInsecureURL, Field: "oidc.issuerURL", Host: "localhost:5556", Local: true},
		},
		{
			name:   "http endpoint",
			reason: "an allowed host does not make plain http good",
			change: func(in *desired.Input) {
				in.Link.Spec.BotBonnie = botBonnie("http://chatsim.localhost", "")
				in.Operator.AllowEndpointHosts = []string{"chatsim.localhost"}
			},
			want: &desired.URLError{Reason: desired.ErrInsecureURL, Field: "botBonnie.endpoints.api", Host: "chatsim.localhost", Local: true},
		},
		{
			name:   "http to localhost, allowed",
			reason: "the demo",
			change: func(in *desired.Input) {
				in.Link.Spec.PublicURL = "http://link.localhost:8088"
				in.Link.Spec.OIDC.IssuerURL = "http://LocalHost:5556"
				in.Operator.Network.AllowLocal = true
			},
		},
		{
			name:   "http to a Service",
			reason: "the company's backends are in the cluster",
			change: func(in *desired.Input) {
				in.Link.Spec.Webhook = &v1alpha1.Webhook{ForwardTo: "http://bot.vision.svc/webhook"}
				in.Link.Spec.Services = []v1alpha1.Service{{Name: "leave", URL: "http://hr.vision.svc/leave"}}
			},
		},
		{
			name:   "http bot on localhost",
			reason: "in a pod that is the pod itself: for demos",
			change: func(in *desired.Input) {
				in.Link.Spec.Webhook = &v1alpha1.Webhook{ForwardTo: "http://bot.localhost/webhook"}
			},
			want: &desired.URLError{Reason: desired.ErrInsecureURL, Field: "webhook.forwardTo", Host: "bot.localhost", Local: true},
		},
		{
			name:   "http service on localhost",
			reason: "each service is judged",
			change: func(in *desired.Input) {
				in.Link.Spec.Services = []v1alpha1.Service{{Name: "leave", URL: "http://hr.vision.svc/"}, {Name: "pay", URL: "http://localhost:8080/"}}
			},
			want: &desired.URLError{Reason: desired.ErrInsecureURL, Field: "services[pay].url", Host: "localhost:8080", Local: true},
		},
		{
			name:   "http elsewhere",
			reason: "the flag is for this machine only, whatever the schema let through",
			change: func(in *desired.Input) {
				in.Link.Spec.OIDC.IssuerURL = "http://localhost.evil.example"
				in.Operator.Network.AllowLocal = true
			},
			want: &desired.URLError{Reason: desired.ErrInsecureURL, Field: "oidc.issuerURL", Host: "localhost.evil.example"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			in := read(t, "testdata/line-direct/in.yaml")
			tc.change(&in)
			_, err := desired.Build(in)
			var got *desired.URLError
			if err != nil && !errors.As(err, &got) {
				t.Fatalf("Build: %v, want a URLError", err)
			}
			if diff := cmp.Diff(valueOf(tc.want), valueOf(got), cmpopts.EquateErrors()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
			if tc.want != nil && !errors.Is(err, tc.want.Reason) {
				t.Errorf("the error %q is not %q", err, tc.want.Reason)
			}
		})
	}
}

// What an administrator has to do stands in the message.
func TestURLErrorsSayWhatHelps(t *testing.T) {
	for _, tc := range []struct {
		err  desired.URLError
		want string
	}{
		{
			err:  desired.URLError{Reason: desired.ErrEndpointNotAllowed, Field: "line.endpoints.api", Host: "x.example"},
			want: `spec.line.endpoints.api: host "x.example" is not the platform's own; remove the field, or have the operator started with --allow-endpoint-hosts=x.example`,
		},
		{
			err:  desired.URLError{Reason: desired.ErrInsecureURL, Field: "publicURL", Host: "localhost", Local: true},
			want: `spec.publicURL: plain http to "localhost"; use https, or have the operator started with --allow-local-addresses`,
		},
		{
			err:  desired.URLError{Reason: desired.ErrInsecureURL, Field: "publicURL", Host: "x.example"},
			want: `spec.publicURL: plain http to "x.example"; use https (plain http is for localhost and *.localhost only)`,
		},
	} {
		if got := tc.err.Error(); got != tc.want {
			t.Errorf("Error() = %s\nwant      %s", got, tc.want)
		}
	}
}

func TestExpressionsAreCompiledBeforeAnythingIsRendered(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*v1alpha1.ChannelLinkSpec)
		field  string
	}{
		{
			name:   "claims",
			change: func(spec *v1alpha1.ChannelLinkSpec) { spec.OIDC.RequiredClaims = `claims.email ==` },
			field:  "oidc.requiredClaims",
		},
		{
			name: "template",
			change: func(spec *v1alpha1.ChannelLinkSpec) {
				spec.Services = []v1alpha1.Service{{Name: "leave", Template: "{{ .days"}}
			},
			field: "services[leave].template",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			in := read(t, "testdata/line-direct/in.yaml")
			tc.change(&in.Link.Spec)
			_, err := desired.Build(in)
			if !errors.Is(err, config.ErrInvalidExpression) {
				t.Fatalf("Build: %v, want ErrInvalidExpression", err)
			}
			var expression *config.ExpressionError
			if !errors.As(err, &expression) || expression.Field != tc.field {
				t.Errorf("the error is of field %+v, want %s", expression, tc.field)
			}
		})
	}
}

// valueOf is what the error holds, which is compared field by field; the zero value stands for none.
func valueOf(err *desired.URLError) desired.URLError {
	if err == nil {
		return desired.URLError{}
	}
	return *err
}

func botBonnie(api, redirect v1alpha1.URL) *v1alpha1.BotBonnie {
	return &v1alpha1.BotBonnie{
		BotID:             "bot-M-BOieOXZ",
		APITokenSecretRef: v1alpha1.SecretKeyReference{Name: "vision-botbonnie", Key: "apiToken"},
		Endpoints:         &v1alpha1.BotBonnieEndpoints{API: api, Redirect: redirect},
	}
}
