package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Linking are the rules of a link: what confirms it, what the chat platform is told, how many and how long.
//
// +kubebuilder:validation:XValidation:rule="!has(self.code) || self.code != 'Stable' || has(self.codeKeySecretRef)",message="linking.code: Stable needs linking.codeKeySecretRef, the key of the pseudonym"
type Linking struct {
	// Confirmation says what makes a link active. `Platform`: the chat platform's signed event, or BotBonnie's own
	// record of the user. `AfterRedirect` (with `botBonnie` only): the login alone, for those who accept that a login
	// proves who the browser is and not who the chat user is; such links are marked unconfirmed. Absent: `Platform`.
	//
	// +optional
	// +kubebuilder:default=Platform
	Confirmation Confirmation `json:"confirmation,omitempty"`
	// Code is what the chat platform gets as the link's code. `Opaque`: a random value for each link. `Stable` (with
	// `botBonnie` only): a keyed pseudonym of the person, the same on every channel with the same key. Absent: `Opaque`.
	//
	// +optional
	// +kubebuilder:default=Opaque
	Code LinkCode `json:"code,omitempty"`
	// CodeKeySecretRef names the key of the `Stable` pseudonym: at least 32 random bytes. Absent: `code` is `Opaque`.
	//
	// +optional
	CodeKeySecretRef *SecretKeyReference `json:"codeKeySecretRef,omitempty"`
	// MaxLinksPerSubject bounds how many chat users of this channel one person may link. Absent or 0: no bound.
	//
	// +optional
	// +kubebuilder:default=0
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	MaxLinksPerSubject *int32 `json:"maxLinksPerSubject,omitempty"`
	// MaxAge is how long a link stands, from 10m to 87600h, for example `2160h`; an older one resolves to nobody and
	// the user is asked to log in again. Absent: links do not age.
	//
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,5}([.][0-9]{1,3})?(h|m|s|ms)){1,4}$') && duration(self) >= duration('10m') && duration(self) <= duration('87600h')",message="maxAge must be a duration between 10m and 87600h, such as 2160h"
	MaxAge *metav1.Duration `json:"maxAge,omitempty"`
}

// Confirmation says what makes a link active.
//
// +kubebuilder:validation:Enum=Platform;AfterRedirect
// +kubebuilder:validation:MaxLength=16
type Confirmation string

// The values of Confirmation.
const (
	ConfirmationPlatform      Confirmation = "Platform"
	ConfirmationAfterRedirect Confirmation = "AfterRedirect"
)

// LinkCode says what the chat platform gets as the link's code.
//
// +kubebuilder:validation:Enum=Opaque;Stable
// +kubebuilder:validation:MaxLength=8
type LinkCode string

// The values of LinkCode.
const (
	LinkCodeOpaque LinkCode = "Opaque"
	LinkCodeStable LinkCode = "Stable"
)

// Service is one personalised service: a JSON API call of BotBonnie is answered by a backend of the company that is
// told, by a short-lived signed assertion, who the chat user is.
//
// +kubebuilder:validation:XValidation:rule="self.response != 'Template' || has(self.template)",message="response: Template needs template"
// +kubebuilder:validation:XValidation:rule="self.response == 'Template' || !has(self.template)",message="template is for response: Template; remove it or set response: Template"
type Service struct {
	// Name of the service and the last part of its URL: `/services/<name>`, for example `leave-balance`.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`
	// URL of the company's backend, for example `http://hr.vision.svc/leave`. The query of BotBonnie's call is
	// passed on.
	URL BackendURL `json:"url"`
	// Audience is the `aud` of the identity assertion, for example `hr`. The backend must check it.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Audience string `json:"audience"`
	// Timeout of the call to the backend, from 100ms to 5s. Absent: 2s.
	//
	// +optional
	// +kubebuilder:default="2s"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,5}([.][0-9]{1,3})?(h|m|s|ms)){1,4}$') && duration(self) >= duration('100ms') && duration(self) <= duration('5s')",message="timeout must be a duration between 100ms and 5s, such as 2s"
	Timeout *metav1.Duration `json:"timeout,omitempty"`
	// Response says what the backend answers. `Message`: a BotBonnie message, validated and passed on. `Template`: any
	// JSON, from which `template` makes the text. Absent: `Message`.
	//
	// +optional
	// +kubebuilder:default=Message
	Response ServiceResponse `json:"response,omitempty"`
	// Template is a Go text/template over the backend's JSON, for example `還剩 {{ .days }} 天`. What it makes is cut to
	// BotBonnie's limit of 320 characters. Absent: `response` is `Message`.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	Template string `json:"template,omitempty"`
	// FallbackText is what the user reads when the backend is slow, down or wrong. Absent: a sentence in the user's
	// language.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=320
	FallbackText string `json:"fallbackText,omitempty"`
}

// ServiceResponse says what the backend of a service answers.
//
// +kubebuilder:validation:Enum=Message;Template
// +kubebuilder:validation:MaxLength=8
type ServiceResponse string

// The values of ServiceResponse.
const (
	ServiceResponseMessage  ServiceResponse = "Message"
	ServiceResponseTemplate ServiceResponse = "Template"
)

// API turns on the server's own API for the company's bot.
//
// +kubebuilder:validation:XValidation:rule="has(self.tokenSecretRef) || has(self.introspectionTokenSecretRef)",message="set tokenSecretRef (turns on /api/v1), introspectionTokenSecretRef (turns on /introspect), or both; or remove api"
type API struct {
	// TokenSecretRef names the bearer tokens of `/api/v1`, one a line. Absent: `/api/v1` is off.
	//
	// +optional
	TokenSecretRef *SecretKeyReference `json:"tokenSecretRef,omitempty"`
	// IntrospectionTokenSecretRef names the bearer tokens of `/introspect`, one a line. Absent: `/introspect` is off.
	//
	// +optional
	IntrospectionTokenSecretRef *SecretKeyReference `json:"introspectionTokenSecretRef,omitempty"`
}

// Webhook says what happens with the platform's webhook calls beside linking.
type Webhook struct {
	// ForwardTo is the webhook URL of the bot that is already there; it gets the untouched body and headers, and its
	// answer decides what the platform sees. Absent: events that do not concern linking are dropped.
	//
	// +optional
	ForwardTo BackendURL `json:"forwardTo,omitempty"`
	// Timeout of the call to `forwardTo`, from 100ms to 10s. On LINE more than 1.5s counts as 1.5s, because LINE itself
	// waits for 2s. Absent: 1s.
	//
	// +optional
	// +kubebuilder:default="1s"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,5}([.][0-9]{1,3})?(h|m|s|ms)){1,4}$') && duration(self) >= duration('100ms') && duration(self) <= duration('10s')",message="timeout must be a duration between 100ms and 10s, such as 2s"
	Timeout *metav1.Duration `json:"timeout,omitempty"`
	// Registration says whether the webhook URL that is set at the platform is looked at. `Observe` compares it with
	// ours, runs the platform's test where there is one, and reports in the condition `Registered`. Absent: `Manual`.
	//
	// +optional
	// +kubebuilder:default=Manual
	Registration WebhookRegistration `json:"registration,omitempty"`
}

// WebhookRegistration says whether the webhook URL that is set at the platform is looked at.
//
// +kubebuilder:validation:Enum=Manual;Observe
// +kubebuilder:validation:MaxLength=8
type WebhookRegistration string

// The values of WebhookRegistration.
const (
	WebhookRegistrationManual  WebhookRegistration = "Manual"
	WebhookRegistrationObserve WebhookRegistration = "Observe"
)
