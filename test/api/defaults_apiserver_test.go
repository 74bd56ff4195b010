//go:build apiserver

package api

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"channellink.dev/operator/api/v1alpha1"
)

// newChannelLink is the smallest ChannelLink, as a program writes it.
func newChannelLink(namespace, name string) *v1alpha1.ChannelLink {
	return &v1alpha1.ChannelLink{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha1.ChannelLinkSpec{
			Platform:  v1alpha1.PlatformLINE,
			PageID:    "507oftxz",
			PublicURL: "https://link.vision.example/hr",
			LINE:      &v1alpha1.LINE{ChannelSecretRef: &v1alpha1.SecretKeyReference{Name: "vision-line", Key: "channelSecret"}},
			OIDC:      v1alpha1.OIDC{IssuerURL: "https://sso.vision.example", ClientID: "chatbot"},
		},
	}
}

// newAccountUnlink is the smallest AccountUnlink, as a program writes it.
func newAccountUnlink(namespace, name string) *v1alpha1.AccountUnlink {
	return &v1alpha1.AccountUnlink{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha1.AccountUnlinkSpec{
			ChannelLinkRef: &v1alpha1.ChannelLinkReference{Name: "vision-hr"},
			User:           v1alpha1.UnlinkUser{UserID: "U206d25c2ea6bd87c17655609a1c37cb8"},
		},
	}
}

// What is left out gets its default, down to the fields of parents that are left out too.
func TestAbsentFieldsAreDefaulted(t *testing.T) {
	namespace := env.Namespace(t)

	link := newChannelLink(namespace, "defaults")
	want := link.Spec.DeepCopy()
	want.OIDC.Scopes = []v1alpha1.Scope{"openid", "profile", "email"}
	want.OIDC.UserClaim = "sub"
	want.OIDC.DisplayClaims = []v1alpha1.ClaimName{"name", "email"}
	want.OIDC.ExternalBrowser = v1alpha1.ExternalBrowserNever
	want.Linking = &v1alpha1.Linking{
		Confirmation:       v1alpha1.ConfirmationPlatform,
		Code:               v1alpha1.LinkCodeOpaque,
		MaxLinksPerSubject: new(int32(0)),
	}
	want.Webhook = &v1alpha1.Webhook{
		Timeout:      &metav1.Duration{Duration: time.Second},
		Registration: v1alpha1.WebhookRegistrationManual,
	}
	want.Store = &v1alpha1.Store{AuditRetention: &metav1.Duration{Duration: 9600 * time.Hour}}
	want.Server = &v1alpha1.Server{
		Replicas:         new(int32(1)),
		LogLevel:         "info",
		NetworkPolicy:    &v1alpha1.NetworkPolicy{Enabled: new(true)},
		TrustedProxyHops: new(int32(0)),
	}
	want.DeletionPolicy = v1alpha1.DeletionPolicyRetain
	want.UnlinkAllTimeoutSeconds = new(int32(600))
	want.Suspend = new(false)
	if err := env.Client.Create(t.Context(), link); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(*want, link.Spec); diff != "" {
		t.Errorf("ChannelLink (-want +got):\n%s", diff)
	}

	unlink := newAccountUnlink(namespace, "defaults")
	wantUnlink := unlink.Spec.DeepCopy()
	wantUnlink.IfUnknown = v1alpha1.IfUnknownSkip
	wantUnlink.ActiveDeadlineSeconds = new(int64(86400))
	wantUnlink.Suspend = new(false)
	if err := env.Client.Create(t.Context(), unlink); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(*wantUnlink, unlink.Spec); diff != "" {
		t.Errorf("AccountUnlink (-want +got):\n%s", diff)
	}
}

// The defaults of objects that mean something by their presence come as soon as those are set.
func TestDefaultsOfOptionalParents(t *testing.T) {
	namespace := env.Namespace(t)

	link := newChannelLink(namespace, "optional-parents")
	link.Spec.BotBonnie = &v1alpha1.BotBonnie{
		BotID:             "bot-M-BOieOXZ",
		APITokenSecretRef: v1alpha1.SecretKeyReference{Name: "vision-botbonnie", Key: "apiToken"},
		APISecretRef:      &v1alpha1.SecretKeyReference{Name: "vision-botbonnie", Key: "apiSecret"},
	}
	link.Spec.Services = []v1alpha1.Service{{Name: "leave", URL: "http://hr.vision.svc/leave", Audience: "hr"}}
	link.Spec.Store = &v1alpha1.Store{Postgres: &v1alpha1.PostgresStore{DSNSecretRef: v1alpha1.SecretKeyReference{Name: "db", Key: "dsn"}}}
	link.Spec.Server = &v1alpha1.Server{Autoscaling: &v1alpha1.Autoscaling{MaxReplicas: 4}}
	if err := env.Client.Create(t.Context(), link); err != nil {
		t.Fatal(err)
	}
	got := map[string]any{
		"botBonnie.maxCallsPerSecond":                       *link.Spec.BotBonnie.MaxCallsPerSecond,
		"services.timeout":                                  link.Spec.Services[0].Timeout.Duration,
		"services.response":                                 link.Spec.Services[0].Response,
		"store.postgres.maxConns":                           *link.Spec.Store.Postgres.MaxConns,
		"server.autoscaling.minReplicas":                    *link.Spec.Server.Autoscaling.MinReplicas,
		"server.autoscaling.targetCPUUtilizationPercentage": *link.Spec.Server.Autoscaling.TargetCPUUtilizationPercentage,
	}
	want := map[string]any{
		"botBonnie.maxCallsPerSecond":                       int32(10),
		"services.timeout":                                  2 * time.Second,
		"services.response":                                 v1alpha1.ServiceResponseMessage,
		"store.postgres.maxConns":                           int32(10),
		"server.autoscaling.minReplicas":                    int32(2),
		"server.autoscaling.targetCPUUtilizationPercentage": int32(80),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("behind BotBonnie, with PostgreSQL (-want +got):\n%s", diff)
	}

	page := newChannelLink(namespace, "messenger")
	page.Spec.Platform, page.Spec.LINE = v1alpha1.PlatformFacebook, nil
	page.Spec.Messenger = &v1alpha1.Messenger{
		AppSecretRef:         &v1alpha1.SecretKeyReference{Name: "vision-meta", Key: "appSecret"},
		VerifyTokenSecretRef: &v1alpha1.SecretKeyReference{Name: "vision-meta", Key: "verifyToken"},
	}
	page.Spec.Store = &v1alpha1.Store{SQLite: &v1alpha1.SQLiteStore{}}
	if err := env.Client.Create(t.Context(), page); err != nil {
		t.Fatal(err)
	}
	wantStore := &v1alpha1.SQLiteStore{Size: new(resource.MustParse("1Gi")), Ephemeral: new(false)}
	if diff := cmp.Diff(wantStore, page.Spec.Store.SQLite); diff != "" {
		t.Errorf("with SQLite (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(new(false), page.Spec.Messenger.AllowSHA1); diff != "" {
		t.Errorf("messenger.allowSHA1 (-want +got):\n%s", diff)
	}
}

// A zero that a program writes with the typed client is not taken for an absent field.
func TestZeroValuesAreKept(t *testing.T) {
	namespace := env.Namespace(t)
	link := newChannelLink(namespace, "zeros")
	link.Spec.OIDC.MaxAge = &metav1.Duration{}
	link.Spec.Server = &v1alpha1.Server{
		Replicas:      new(int32(0)),
		NetworkPolicy: &v1alpha1.NetworkPolicy{Enabled: new(false)},
	}
	if err := env.Client.Create(t.Context(), link); err != nil {
		t.Fatal(err)
	}
	if got := link.Spec.Server.Replicas; got == nil || *got != 0 {
		t.Errorf("server.replicas is %v, want 0", got)
	}
	if got := link.Spec.Server.NetworkPolicy.Enabled; got == nil || *got {
		t.Errorf("server.networkPolicy.enabled is %v, want false", got)
	}
	if got := link.Spec.OIDC.MaxAge; got == nil || got.Duration != 0 {
		t.Errorf("oidc.maxAge is %v, want 0s", got)
	}
}

// An explicit null is what some tools write for a field that they leave out; it gets the default, and no rule trips
// over it.
func TestNullIsTheSameAsAbsent(t *testing.T) {
	namespace := env.Namespace(t)
	absent := newChannelLink(namespace, "absent")
	if err := env.Client.Create(t.Context(), absent); err != nil {
		t.Fatal(err)
	}

	tests := []struct {
		name   string
		reason string
		null   func(f field) any // what the field of the spec is set to
	}{
		{"top", "every field of the spec is null", func(field) any { return nil }},
		{"nested", "every field of every parent of defaults is null", func(f field) any {
			if f.schema.Default == nil || len(f.schema.Properties) == 0 {
				return nil
			}
			nulls := map[string]any{}
			for name := range f.schema.Properties {
				nulls[name] = nil
			}
			return nulls
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			object := readObject(t, "base", "line")
			object.SetNamespace(namespace)
			object.SetName(tt.name)
			spec := object.Object["spec"].(map[string]any)
			spec["publicURL"] = string(absent.Spec.PublicURL)
			for _, f := range fields(definitions(t)["ChannelLink"]) {
				if name := f.name(); "spec."+name == f.path && spec[name] == nil {
					spec[name] = tt.null(f)
				}
			}
			if err := env.Client.Create(t.Context(), object); err != nil {
				t.Fatalf("%s: %v", tt.reason, err)
			}
			var got v1alpha1.ChannelLink
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(absent.Spec, got.Spec); diff != "" {
				t.Errorf("%s (-absent +null):\n%s", tt.reason, diff)
			}
		})
	}
}
