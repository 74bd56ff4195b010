package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// OIDC names the company's OpenID provider and what the server asks of it and of the person who signs in.
//
// +kubebuilder:validation:XValidation:rule="!(has(self.clientSecretRef) && has(self.privateKeySecretRef))",message="set clientSecretRef or privateKeySecretRef, not both (neither makes a public client with PKCE)"
type OIDC struct {
	// IssuerURL is the provider's issuer identifier, exactly as its discovery document gives it, for example
	// `https://sso.vision.example`.
	//
	// +kubebuilder:validation:XValidation:rule="!self.contains('?')",message="issuerURL must carry no query"
	IssuerURL URL `json:"issuerURL"`
	// ClientID is the client that the provider knows the server by, for example `chatbot`. Its redirect URI is the
	// callback of `status.endpoints`.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	ClientID string `json:"clientID"`
	// ClientSecretRef names the client's secret (client_secret_basic or _post, as the provider supports). If the same
	// Secret has a key `issuer`, the secret is sent to that issuer only. Absent, as `privateKeySecretRef` is: a public
	// client.
	//
	// +optional
	ClientSecretRef *SecretKeyReference `json:"clientSecretRef,omitempty"`
	// PrivateKeySecretRef names the private key, as PEM or as a JWK, with which the client signs its assertions
	// (private_key_jwt). Absent, as `clientSecretRef` is: a public client.
	//
	// +optional
	PrivateKeySecretRef *SecretKeyReference `json:"privateKeySecretRef,omitempty"`
	// Scopes asked for. Absent: `openid`, `profile` and `email`.
	//
	// +optional
	// +kubebuilder:default={"openid","profile","email"}
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:XValidation:rule="'openid' in self",message="scopes must contain openid"
	Scopes []Scope `json:"scopes,omitempty"`
	// UserClaim is the claim that is kept beside issuer and subject as the `account`: shown, asserted and searchable,
	// never an identity. With `email`, a login without `email_verified: true` is refused. Absent: `sub`.
	//
	// +optional
	// +kubebuilder:default=sub
	UserClaim ClaimName `json:"userClaim,omitempty"`
	// DisplayClaims are the claims that the consent page shows, so that a person sees which account is linked.
	// Absent: `name` and `email`.
	//
	// +optional
	// +kubebuilder:default={"name","email"}
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	DisplayClaims []ClaimName `json:"displayClaims,omitempty"`
	// RequiredClaims is a CEL expression over `claims` that must be true, for example
	// `claims.email_verified && claims.email.endsWith("@vision.example")`. Absent: whoever signs in may link.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	RequiredClaims string `json:"requiredClaims,omitempty"`
	// Prompt is sent as OpenID Connect's `prompt`. Absent: the provider decides.
	//
	// +optional
	Prompt Prompt `json:"prompt,omitempty"`
	// MaxAge bounds the age of the sign-in at the provider, from 0s to 8760h, for example `1h`; it is sent as
	// `max_age` and the ID token's `auth_time` is checked against it. Absent: an existing session of any age is good.
	//
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,5}([.][0-9]{1,3})?(h|m|s|ms)){1,4}$') && duration(self) >= duration('0s') && duration(self) <= duration('8760h')",message="maxAge must be a duration between 0s and 8760h, such as 1h"
	MaxAge *metav1.Duration `json:"maxAge,omitempty"`
	// ACRValues are sent as `acr_values`, in order of preference, and the ID token's `acr` must be one of them.
	// Absent: none is asked for.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=8
	ACRValues []ACRValue `json:"acrValues,omitempty"`
	// UILocales are sent as `ui_locales`, in order of preference, for example `[zh-TW, en]`. Absent: the browser's
	// languages are passed on.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=8
	UILocales []LanguageTag `json:"uiLocales,omitempty"`
	// ExtraAuthParams are added to the authorization request, for example `{domain_hint: vision.example}`. Parameters
	// that the protocol or this resource sets are refused. Absent: none.
	//
	// +optional
	// +kubebuilder:validation:MaxProperties=16
	// +kubebuilder:validation:XValidation:rule="self.all(k, !(k in ['client_id', 'redirect_uri', 'response_type', 'response_mode', 'scope', 'state', 'nonce', 'code_challenge', 'code_challenge_method', 'prompt', 'max_age', 'acr_values', 'ui_locales', 'request', 'request_uri', 'client_secret']))",message="extraAuthParams must not set a parameter that the protocol or another field sets (client_id, redirect_uri, state, scope, prompt, ...)"
	// +kubebuilder:validation:XValidation:rule="self.all(k, size(k) >= 1 && size(k) <= 64)",message="a name in extraAuthParams has 1 to 64 characters"
	ExtraAuthParams map[string]AuthParamValue `json:"extraAuthParams,omitempty"`
	// CABundleConfigMapRef names PEM certificates that are trusted beside the system's when the server talks to the
	// provider. Absent: the system's alone.
	//
	// +optional
	CABundleConfigMapRef *ConfigMapKeyReference `json:"caBundleConfigMapRef,omitempty"`
	// ExternalBrowser says whether LINE opens the login in the phone's own browser, for providers that refuse in-app
	// webviews: `Auto` adds `openExternalBrowser=1` to the authorize URL and to every prompt on LINE, for every
	// provider. Messenger has no such way. Absent: `Never`.
	//
	// +optional
	// +kubebuilder:default=Never
	ExternalBrowser ExternalBrowser `json:"externalBrowser,omitempty"`
}

// Scope is an OAuth 2.0 scope token (RFC 6749, section 3.3).
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=128
// +kubebuilder:validation:Pattern=`^[\x21\x23-\x5B\x5D-\x7E]+$`
type Scope string

// Prompt is a value of OpenID Connect's `prompt` that makes sense where a person is present.
//
// +kubebuilder:validation:Enum=login;consent;select_account
// +kubebuilder:validation:MaxLength=32
type Prompt string

// ACRValue is an authentication context class reference.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=256
// +kubebuilder:validation:Pattern=`^[^\s]+$`
type ACRValue string

// LanguageTag is a BCP 47 language tag such as `zh-TW`.
//
// +kubebuilder:validation:MinLength=2
// +kubebuilder:validation:MaxLength=35
// +kubebuilder:validation:Pattern=`^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$`
type LanguageTag string

// AuthParamValue is the value of an additional parameter of the authorization request.
//
// +kubebuilder:validation:MaxLength=512
type AuthParamValue string

// ExternalBrowser says when LINE opens the login outside its own webview.
//
// +kubebuilder:validation:Enum=Never;Auto
// +kubebuilder:validation:MaxLength=8
type ExternalBrowser string

// The values of ExternalBrowser.
const (
	ExternalBrowserNever ExternalBrowser = "Never"
	ExternalBrowserAuto  ExternalBrowser = "Auto"
)
