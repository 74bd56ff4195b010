package v1alpha1

import "fmt"

// ReferenceKind is the kind of object that a Reference points to.
type ReferenceKind string

// The kinds that a ChannelLink may refer to.
const (
	ReferenceKindSecret    ReferenceKind = "Secret"
	ReferenceKindConfigMap ReferenceKind = "ConfigMap"
)

// Reference is one key of a Secret or ConfigMap that a ChannelLink's spec names.
type Reference struct {
	// Field is the path below spec, for example `botBonnie.apiTokenSecretRef`. It names the reference wherever the
	// operator and the server speak of it.
	Field string
	Kind  ReferenceKind
	Name  string
	Key   string
}

// String is how a message names the reference: `key "apiToken" of Secret "vision-botbonnie"
// (spec.botBonnie.apiTokenSecretRef)`.
func (r Reference) String() string {
	return fmt.Sprintf("key %q of %s %q (spec.%s)", r.Key, r.Kind, r.Name, r.Field)
}

// The fields of a ChannelLink's spec that refer to a Secret or ConfigMap.
const (
	FieldBotBonnieAPIToken     = "botBonnie.apiTokenSecretRef"
	FieldBotBonnieAPISecret    = "botBonnie.apiSecretRef"
	FieldBotBonnieURLKey       = "botBonnie.urlKeySecretRef"
	FieldMessengerAppSecret    = "messenger.appSecretRef"
	FieldMessengerVerifyToken  = "messenger.verifyTokenSecretRef"
	FieldMessengerPageToken    = "messenger.pageAccessTokenSecretRef"
	FieldLINEChannelSecret     = "line.channelSecretRef"
	FieldLINEAccessToken       = "line.channelAccessTokenSecretRef"
	FieldOIDCClientSecret      = "oidc.clientSecretRef"
	FieldOIDCPrivateKey        = "oidc.privateKeySecretRef"
	FieldOIDCCABundle          = "oidc.caBundleConfigMapRef"
	FieldLinkingCodeKey        = "linking.codeKeySecretRef"
	FieldAPIToken              = "api.tokenSecretRef"
	FieldAPIIntrospectionToken = "api.introspectionTokenSecretRef"
	FieldStorePostgresDSN      = "store.postgres.dsnSecretRef"
	FieldStoreEncryptionKey    = "store.encryptionKeySecretRef"
	FieldBrandingLogo          = "branding.logoRef"
)

// References lists every key that the spec names, in the order of the spec's fields.
func (s *ChannelLinkSpec) References() []Reference {
	var refs []Reference
	secret := func(field string, ref *SecretKeyReference) {
		if ref != nil {
			refs = append(refs, Reference{Field: field, Kind: ReferenceKindSecret, Name: string(ref.Name), Key: string(ref.Key)})
		}
	}
	configMap := func(field string, ref *ConfigMapKeyReference) {
		if ref != nil {
			refs = append(refs, Reference{Field: field, Kind: ReferenceKindConfigMap, Name: string(ref.Name), Key: string(ref.Key)})
		}
	}

	if b := s.Branding; b != nil {
		configMap(FieldBrandingLogo, b.LogoRef)
	}
	if b := s.BotBonnie; b != nil {
		secret(FieldBotBonnieAPIToken, &b.APITokenSecretRef)
		secret(FieldBotBonnieAPISecret, b.APISecretRef)
		secret(FieldBotBonnieURLKey, b.URLKeySecretRef)
	}
	if m := s.Messenger; m != nil {
		secret(FieldMessengerAppSecret, m.AppSecretRef)
		secret(FieldMessengerVerifyToken, m.VerifyTokenSecretRef)
		secret(FieldMessengerPageToken, m.PageAccessTokenSecretRef)
	}
	if l := s.LINE; l != nil {
		secret(FieldLINEChannelSecret, l.ChannelSecretRef)
		secret(FieldLINEAccessToken, l.ChannelAccessTokenSecretRef)
	}
	secret(FieldOIDCClientSecret, s.OIDC.ClientSecretRef)
	secret(FieldOIDCPrivateKey, s.OIDC.PrivateKeySecretRef)
	configMap(FieldOIDCCABundle, s.OIDC.CABundleConfigMapRef)
	if l := s.Linking; l != nil {
		secret(FieldLinkingCodeKey, l.CodeKeySecretRef)
	}
	if a := s.API; a != nil {
		secret(FieldAPIToken, a.TokenSecretRef)
		secret(FieldAPIIntrospectionToken, a.IntrospectionTokenSecretRef)
	}
	if st := s.Store; st != nil {
		if st.Postgres != nil {
			secret(FieldStorePostgresDSN, &st.Postgres.DSNSecretRef)
		}
		secret(FieldStoreEncryptionKey, st.EncryptionKeySecretRef)
	}
	return refs
}
