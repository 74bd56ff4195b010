package controllers

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/status"
	"channellink.dev/operator/webhookserver/adminapi"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/meta"
)

// enumerated are the values of the constants of a string type in a Go file.
func enumerated(t *testing.T, file, typeName string) []string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var values []string
	ast.Inspect(parsed, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		if name, ok := spec.Type.(*ast.Ident); !ok || name.Name != typeName {
			return true
		}
		value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		values = append(values, value)
		return true
	})
	if len(values) < 4 {
		t.Fatalf("%s has %d constants of type %s", file, len(values), typeName)
	}
	return values
}

// documented are the reasons of the resource's contract.
func documented(t *testing.T) map[string]bool {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), "../api/v1alpha1/conditions.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	reasons := map[string]bool{}
	ast.Inspect(parsed, func(node ast.Node) bool {
		if spec, ok := node.(*ast.ValueSpec); ok && strings.HasPrefix(spec.Names[0].Name, "Reason") && spec.Doc.Text() != "" {
			value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			reasons[value] = true
		}
		return true
	})
	return reasons
}

// Whatever a server can report becomes a documented reason with a message of its own, and what this release does not know
// becomes Unknown.
func TestEveryReportIsUnderstood(t *testing.T) {
	const types = "../webhookserver/adminapi/types.go"
	reasons := documented(t)
	link := &v1alpha1.ChannelLink{}
	link.Spec.OIDC.IssuerURL = "https://sso.vision.example"
	link.Spec.OIDC.ClientSecretRef = &v1alpha1.SecretKeyReference{Name: "vision-oidc", Key: "clientSecret"}

	messages := map[string]string{}
	check := func(what, kind string, answer adminapi.Status, known bool) {
		t.Helper()
		seen := status.Observed{
			Applied: true, Deployment: &appsv1.Deployment{},
			Server: status.Server{Contact: status.Answered, Report: reportOf(Answer{Contact: status.Answered, Status: answer})},
		}
		got := meta.FindStatusCondition(status.Conditions(link, seen, time.Unix(0, 0)), kind)
		if !reasons[got.Reason] {
			t.Errorf("%s: reason %q is not documented", what, got.Reason)
		}
		if known == (got.Status == "Unknown") && kind != v1alpha1.ConditionSecretsReady {
			t.Errorf("%s: %s", what, got.Status)
		}
		if strings.TrimSpace(got.Message) == "" || strings.Contains(got.Message, "%!") {
			t.Errorf("%s: message %q", what, got.Message)
		}
		if other, ok := messages[got.Message]; known && ok {
			t.Errorf("%s and %s have one message: %q", what, other, got.Message)
		}
		messages[got.Message] = what
	}
	for _, value := range enumerated(t, types, "IssuerReason") {
		answer := adminapi.Status{Issuer: adminapi.Issuer{State: adminapi.IssuerFailed, Reason: adminapi.IssuerReason(value)}}
		if value == string(adminapi.IssuerReasonUnknown) {
			continue // a failure for a reason of a later release counts as unreachable
		}
		check("issuer failed: "+value, v1alpha1.ConditionIssuerDiscovered, answer, true)
	}
	for _, value := range enumerated(t, types, "IssuerState") {
		state := adminapi.IssuerState(value)
		if state == adminapi.IssuerFailed {
			continue
		}
		known := state == adminapi.IssuerDiscovered || state == adminapi.IssuerStale
		check("issuer: "+value, v1alpha1.ConditionIssuerDiscovered, adminapi.Status{Issuer: adminapi.Issuer{State: state}}, known)
	}
	for _, value := range enumerated(t, types, "StoreReason") {
		if value == string(adminapi.StoreReasonUnknown) {
			continue
		}
		check("store failed: "+value, v1alpha1.ConditionStoreReady, adminapi.Status{Store: adminapi.Store{State: adminapi.StoreFailed, Reason: adminapi.StoreReason(value)}}, true)
	}
	for _, value := range enumerated(t, types, "StoreState") {
		if state := adminapi.StoreState(value); state != adminapi.StoreFailed {
			check("store: "+value, v1alpha1.ConditionStoreReady, adminapi.Status{Store: adminapi.Store{State: state}}, state == adminapi.StoreOpen)
		}
	}
	for _, value := range enumerated(t, types, "ReferenceState") {
		state := adminapi.ReferenceState(value)
		if state == adminapi.ReferencePresent || state == adminapi.ReferenceUnknown {
			continue
		}
		check("reference: "+value, v1alpha1.ConditionSecretsReady, adminapi.Status{
			References: []adminapi.Reference{{Field: v1alpha1.FieldOIDCClientSecret, State: state}},
		}, true)
	}
	const registration = "../webhookserver/adminapi/registration.go"
	link.Spec.Webhook = &v1alpha1.Webhook{Registration: v1alpha1.WebhookRegistrationObserve}
	// What a platform has no word for cannot come from its server.
	strangers := map[v1alpha1.Platform][]adminapi.RegistrationState{
		v1alpha1.PlatformLINE:     {adminapi.RegistrationSubscribed, adminapi.RegistrationNotSubscribed},
		v1alpha1.PlatformFacebook: {adminapi.RegistrationTestFailed},
	}
	for platform, foreign := range strangers {
		link.Spec.Platform = platform
		for _, value := range enumerated(t, registration, "RegistrationState") {
			state := adminapi.RegistrationState(value)
			known := !slices.Contains(foreign, state) && !slices.Contains([]adminapi.RegistrationState{
				adminapi.RegistrationPending, adminapi.RegistrationUnreachable, adminapi.RegistrationUnknown,
			}, state)
			check(string(platform)+": "+value, v1alpha1.ConditionRegistered, adminapi.Status{Registration: &adminapi.Registration{State: state}}, known)
		}
	}
	link.Spec.Platform = v1alpha1.PlatformLINE
	for _, value := range enumerated(t, registration, "RegistrationTest") {
		test := adminapi.RegistrationTest(value)
		if test == adminapi.TestFailedSomehow || test == adminapi.TestUnknown {
			continue // as failed as above
		}
		check("test: "+value, v1alpha1.ConditionRegistered, adminapi.Status{Registration: &adminapi.Registration{
			State: adminapi.RegistrationTestFailed, Test: test,
		}}, true)
	}
}
