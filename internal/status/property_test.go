package status_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"
	"sigs.k8s.io/yaml"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/status"
)

// statusSchema validates a ChannelLink's status as the API server does.
func statusSchema(t *testing.T) validation.SchemaValidator {
	t.Helper()
	return schemaOf(t, "channellinks")
}

// schemaOf validates the status of a kind, by its plural.
func schemaOf(t *testing.T, plural string) validation.SchemaValidator {
	t.Helper()
	data, err := os.ReadFile("../../config/crd/channellink.dev_" + plural + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	var crd apiextensionsv1.CustomResourceDefinition
	if err := yaml.Unmarshal(data, &crd); err != nil {
		t.Fatal(err)
	}
	external := crd.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["status"]
	var schema apiextensions.JSONSchemaProps
	if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(&external, &schema, nil); err != nil {
		t.Fatal(err)
	}
	validator, _, err := validation.NewSchemaValidator(&schema)
	if err != nil {
		t.Fatal(err)
	}
	return validator
}

// drawSeen draws anything that could be observed, by whoever wrote it.
func drawSeen(t *rapid.T) status.Observed {
	text := func(label string) string { return rapid.String().Draw(t, label) }
	number := func(label string) int32 { return rapid.Int32Range(0, 5).Draw(t, label) }
	yes := func(label string) bool { return rapid.Bool().Draw(t, label) }
	fact := func(label string, reasons ...string) status.Fact {
		switch rapid.IntRange(0, 2).Draw(t, label) {
		case 1:
			return status.Fact{True: true, Reason: reasons[0]}
		case 2:
			return status.Fact{False: true, Reason: rapid.SampledFrom(reasons[1:]).Draw(t, label+" reason"), HTTPStatus: int(number(label + " status"))}
		default:
			return status.Fact{}
		}
	}
	seen := status.Observed{
		Applied: yes("applied"), SettingsHash: text("hash"),
		Server: status.Server{
			Contact: rapid.SampledFrom([]status.Contact{status.NotAsked, status.Answered, status.Unreachable, status.Refused}).Draw(t, "contact"),
			Report: status.Report{
				Issuer:       fact("issuer", v1alpha1.ReasonDiscovered, v1alpha1.ReasonIssuerBadStatus, v1alpha1.ReasonPKCEUnsupported),
				Store:        fact("store", v1alpha1.ReasonStoreOpen, v1alpha1.ReasonStoreFull, v1alpha1.ReasonStoreKeyInvalid),
				Registration: fact("registration", v1alpha1.ReasonRegistered, v1alpha1.ReasonOtherWebhookURL, v1alpha1.ReasonWebhookBadStatus),
			},
		},
		Route: status.Route{APIMissing: yes("no Gateway API")},
	}
	if yes("same settings") {
		seen.Server.Report.SettingsHash = seen.SettingsHash
	}
	if yes("problem") {
		seen.Problem = &status.Problem{
			Condition: rapid.SampledFrom([]string{v1alpha1.ConditionAccepted, v1alpha1.ConditionAvailable, v1alpha1.ConditionStoreReady}).Draw(t, "condition"),
			Reason:    v1alpha1.ReasonApplyFailed, Message: rapid.StringN(0, 40000, -1).Draw(t, "message"), Final: yes("final"),
		}
	}
	if yes("deployment") {
		seen.Deployment = &appsv1.Deployment{
			Spec: appsv1.DeploymentSpec{Replicas: new(number("replicas"))},
			Status: appsv1.DeploymentStatus{
				Replicas: number("there"), UpdatedReplicas: number("updated"), AvailableReplicas: number("available"),
				Conditions: []appsv1.DeploymentCondition{{
					Type:   rapid.SampledFrom([]appsv1.DeploymentConditionType{appsv1.DeploymentAvailable, appsv1.DeploymentReplicaFailure}).Draw(t, "type"),
					Status: corev1.ConditionTrue, Message: text("deployment message"),
				}},
			},
		}
	}
	if yes("ingress") {
		seen.Ingress = &networkingv1.Ingress{}
	}
	for range rapid.IntRange(0, 3).Draw(t, "parents") {
		seen.Route.Parents = append(seen.Route.Parents, status.RouteParent{Accepted: yes("accepted"), ResolvedRefs: yes("resolved"), Reason: text("parent reason")})
	}
	for range rapid.IntRange(0, 3).Draw(t, "references") {
		seen.Server.Report.References = append(seen.Server.Report.References, status.Reference{
			Field:  rapid.SampledFrom([]string{v1alpha1.FieldLINEChannelSecret, v1alpha1.FieldOIDCClientSecret, "no.such.field"}).Draw(t, "field"),
			Reason: rapid.SampledFrom([]string{v1alpha1.ReasonSecretMissing, v1alpha1.ReasonSecretVanished}).Draw(t, "reference reason"),
		})
	}
	return seen
}

// Whatever is observed, the API server takes the status, and each condition stands in it once. C84
func TestAnyStatusIsValid(t *testing.T) {
	validator := statusSchema(t)
	rapid.Check(t, func(rt *rapid.T) {
		link := line()
		switch rapid.IntRange(0, 2).Draw(rt, "exposure") {
		case 1:
			link.Spec.Exposure = &v1alpha1.Exposure{Ingress: &v1alpha1.IngressExposure{}}
		case 2:
			link.Spec.Exposure = &v1alpha1.Exposure{Gateway: &v1alpha1.GatewayExposure{ParentRefs: []v1alpha1.GatewayReference{{Name: "public"}}}}
		}
		link.Spec.Suspend = new(rapid.Bool().Draw(rt, "suspend"))
		link.Spec.Webhook = &v1alpha1.Webhook{Registration: rapid.SampledFrom([]v1alpha1.WebhookRegistration{
			v1alpha1.WebhookRegistrationManual, v1alpha1.WebhookRegistrationObserve,
		}).Draw(rt, "registration")}
		conditions := status.Conditions(link, drawSeen(rt), now)

		kinds := map[string]bool{}
		for _, c := range conditions {
			if kinds[c.Type] {
				rt.Errorf("%s stands twice", c.Type)
			}
			kinds[c.Type] = true
		}
		if invalid := validation.ValidateCustomResource(nil, generic(rt, v1alpha1.ChannelLinkStatus{
			Conditions: conditions, Endpoints: status.Endpoints(link),
		}), validator); len(invalid) > 0 {
			rt.Errorf("the API server would refuse it: %v", invalid.ToAggregate())
		}
	})
}

// A message that is too long for the API server is cut, on the border of a character.
func TestLongMessages(t *testing.T) {
	for _, padding := range []string{"", "a", "ab"} {
		seen := status.Observed{Problem: &status.Problem{
			Condition: v1alpha1.ConditionAccepted, Reason: v1alpha1.ReasonInvalidExpression, Message: padding + strings.Repeat("解", 40000),
		}}
		for _, c := range status.Conditions(line(), seen, now) {
			if len(c.Message) > 4096 || !utf8.ValidString(c.Message) {
				t.Errorf("%s: %d bytes, valid %t", c.Type, len(c.Message), utf8.ValidString(c.Message))
			}
		}
	}
}

// The validator itself refuses what the API server refuses.
func TestStatusSchemaRefuses(t *testing.T) {
	invalid := v1alpha1.ChannelLinkStatus{Conditions: []metav1.Condition{{Type: "Ready", Status: "Maybe", Reason: "no reason", LastTransitionTime: metav1.NewTime(now)}}}
	if refused := validation.ValidateCustomResource(nil, generic(t, invalid), statusSchema(t)); len(refused) < 2 {
		t.Errorf("got %v, want status and reason refused", refused.ToAggregate())
	}
}

func generic(t interface{ Fatal(...any) }, object any) map[string]any {
	data, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(data, &fields); err != nil {
		t.Fatal(err)
	}
	return fields
}
