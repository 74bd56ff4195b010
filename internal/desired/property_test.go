package desired_test

import (
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
	"pgregory.net/rapid"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/desired"
)

// objectName draws any name that an object may have.
var objectName = rapid.StringMatching(`[a-z0-9]([-a-z0-9.]{0,80}[a-z0-9])?`).
	Filter(func(s string) bool { return len(validation.IsDNS1123Subdomain(s)) == 0 })

// drawInput draws a ChannelLink of any name, with any of the optional parts.
func drawInput(t *rapid.T) desired.Input {
	yes := func(label string) bool { return rapid.Bool().Draw(t, label) }
	secret := func(label string) *v1alpha1.SecretKeyReference {
		if !yes("has " + label) {
			return nil
		}
		return &v1alpha1.SecretKeyReference{
			Name: v1alpha1.ObjectName(objectName.Draw(t, label)),
			Key:  v1alpha1.DataKey(rapid.StringMatching(`[-._a-zA-Z0-9]{1,20}`).Draw(t, label+" key")),
		}
	}
	link := &v1alpha1.ChannelLink{
		ObjectMeta: metav1.ObjectMeta{
			Name:      objectName.Draw(t, "name"),
			Namespace: rapid.StringMatching(`[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?`).Draw(t, "namespace"),
			UID:       types.UID("6f9619ff-8b86-4d01-b42d-00cf4fc964ff"),
		},
		Spec: v1alpha1.ChannelLinkSpec{
			Platform:  rapid.SampledFrom([]v1alpha1.Platform{v1alpha1.PlatformFacebook, v1alpha1.PlatformLINE}).Draw(t, "platform"),
			PageID:    rapid.StringMatching(`[@A-Za-z0-9._-]{1,64}`).Draw(t, "page"),
			PublicURL: "https://link.vision.example/hr",
			OIDC:      v1alpha1.OIDC{IssuerURL: "https://sso.vision.example", ClientID: "chatbot", ClientSecretRef: secret("clientSecret")},
			API:       &v1alpha1.API{TokenSecretRef: secret("token")},
			Linking:   &v1alpha1.Linking{CodeKeySecretRef: secret("codeKey")},
			Server:    &v1alpha1.Server{},
			Store:     &v1alpha1.Store{EncryptionKeySecretRef: secret("encryptionKey")},
			Exposure:  &v1alpha1.Exposure{},
		},
	}
	spec := &link.Spec
	if dsn := secret("dsn"); dsn != nil {
		spec.Store.Postgres = &v1alpha1.PostgresStore{DSNSecretRef: *dsn}
		if yes("autoscaling") {
			spec.Server.Autoscaling = &v1alpha1.Autoscaling{MaxReplicas: 4}
		}
	}
	if token := secret("apiToken"); token != nil {
		spec.BotBonnie = &v1alpha1.BotBonnie{BotID: "bot", APITokenSecretRef: *token, APISecretRef: secret("apiSecret")}
	}
	if yes("ingress") {
		spec.Exposure.Ingress = &v1alpha1.IngressExposure{}
	}
	if yes("gateway") {
		spec.Exposure.Gateway = &v1alpha1.GatewayExposure{ParentRefs: []v1alpha1.GatewayReference{{Name: "public"}}}
	}
	if yes("unlinkAll") {
		spec.DeletionPolicy = v1alpha1.DeletionPolicyUnlinkAll
	}
	return desired.Input{Link: link, Operator: desired.Operator{ServerImage: "server", Namespace: "channellink-system"}}
}

// C61, C68: whatever a ChannelLink is called and holds, its objects lie in its own namespace, reach into no other, and
// have valid names.
func TestObjectsStayInTheirNamespace(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		in := drawInput(rt)
		objects, err := desired.Build(in)
		if err != nil {
			rt.Fatal(err)
		}
		seen := map[string]bool{}
		for _, object := range objects.InOrder() {
			rendered := generic(t, object)
			kind, meta := rendered["kind"].(string), rendered["metadata"].(map[string]any)
			name := meta["name"].(string)
			if problems := validation.IsDNS1035Label(name); len(problems) > 0 {
				rt.Errorf("%s %q: %v", kind, name, problems)
			}
			if seen[kind+"/"+name] {
				rt.Errorf("%s %q is rendered twice", kind, name)
			}
			seen[kind+"/"+name] = true
			if len(namespacesIn(rendered)) != 1 || namespacesIn(rendered)[0] != in.Link.Namespace {
				rt.Errorf("%s %q names the namespaces %q, want %q alone", kind, name, namespacesIn(rendered), in.Link.Namespace)
			}
			for key, value := range meta["labels"].(map[string]any) {
				if problems := validation.IsValidLabelValue(value.(string)); len(problems) > 0 {
					rt.Errorf("%s %q: label %s: %v", kind, name, key, problems)
				}
			}
		}
		for _, object := range objects.Absent() {
			if object.GetNamespace() != in.Link.Namespace {
				rt.Errorf("%T would be pruned in namespace %q", object, object.GetNamespace())
			}
		}
	})
}

// namespacesIn are the values of every field whose name ends in namespace.
func namespacesIn(value any) []string {
	var found []string
	switch value := value.(type) {
	case map[string]any:
		for key, v := range value {
			if strings.HasSuffix(strings.ToLower(key), "namespace") {
				found = append(found, fmt.Sprint(v))
				continue
			}
			found = append(found, namespacesIn(v)...)
		}
	case []any:
		for _, v := range value {
			found = append(found, namespacesIn(v)...)
		}
	}
	return found
}

// Under Retain every object but the claim goes with its ChannelLink; under UnlinkAll none does.
func TestOwners(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		in := drawInput(rt)
		objects, err := desired.Build(in)
		if err != nil {
			rt.Fatal(err)
		}
		owned := in.Link.Spec.DeletionPolicy != v1alpha1.DeletionPolicyUnlinkAll
		for _, object := range objects.InOrder() {
			var meta struct {
				Kind     string            `json:"kind"`
				Metadata metav1.ObjectMeta `json:"metadata"`
			}
			convert(t, object, &meta)
			if want := owned && meta.Kind != "PersistentVolumeClaim"; metav1.IsControlledBy(&meta.Metadata, in.Link) != want {
				rt.Errorf("%s: controlled by the ChannelLink: %t, want %t", meta.Kind, !want, want)
			}
		}
	})
}
