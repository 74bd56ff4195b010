package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// AccountUnlinkSpec is one request to revoke links, as of a moment. It does not keep anybody unlinked.
//
// +kubebuilder:validation:XValidation:rule="has(self.channelLinkRef) != has(self.channelLinkSelector)",message="set exactly one of channelLinkRef and channelLinkSelector"
// +kubebuilder:validation:XValidation:rule="has(self.channelLinkRef) == has(oldSelf.channelLinkRef) && (!has(self.channelLinkRef) || self.channelLinkRef == oldSelf.channelLinkRef) && has(self.channelLinkSelector) == has(oldSelf.channelLinkSelector) && (!has(self.channelLinkSelector) || self.channelLinkSelector == oldSelf.channelLinkSelector)",message="the channel is immutable: create a new AccountUnlink"
// +kubebuilder:validation:XValidation:rule="self.user == oldSelf.user",message="user is immutable: create a new AccountUnlink"
// +kubebuilder:validation:XValidation:rule="has(self.actions) == has(oldSelf.actions) && (!has(self.actions) || self.actions == oldSelf.actions)",message="actions are immutable: create a new AccountUnlink"
// +kubebuilder:validation:XValidation:rule="has(self.reason) == has(oldSelf.reason) && (!has(self.reason) || self.reason == oldSelf.reason)",message="reason is immutable: create a new AccountUnlink"
// +kubebuilder:validation:XValidation:rule="has(self.linkedBefore) == has(oldSelf.linkedBefore) && (!has(self.linkedBefore) || self.linkedBefore == oldSelf.linkedBefore)",message="linkedBefore is immutable: create a new AccountUnlink"
// +kubebuilder:validation:XValidation:rule="self.ifUnknown == oldSelf.ifUnknown",message="ifUnknown is immutable: create a new AccountUnlink"
// +kubebuilder:validation:XValidation:rule="self.activeDeadlineSeconds == oldSelf.activeDeadlineSeconds",message="activeDeadlineSeconds is immutable: create a new AccountUnlink"
// +kubebuilder:validation:XValidation:rule="!has(self.channelLinkSelector) || has(self.user.userID) || has(self.user.issuer)",message="user.issuer is required with channelLinkSelector and user.subject or user.account: the channels may have different issuers"
// +kubebuilder:validation:XValidation:rule="!has(self.ttlSecondsAfterFinished) || has(self.linkedBefore)",message="ttlSecondsAfterFinished needs linkedBefore: without it, an object that is applied again after its removal would unlink again"
type AccountUnlinkSpec struct {
	// ChannelLinkRef names the ChannelLink whose links are revoked. Immutable. Absent: `channelLinkSelector` is set.
	//
	// +optional
	ChannelLinkRef *ChannelLinkReference `json:"channelLinkRef,omitempty"`
	// ChannelLinkSelector selects every matching ChannelLink of the namespace, at most 100; the set is fixed at the
	// first attempt. Immutable. Absent: `channelLinkRef` is set.
	//
	// +optional
	ChannelLinkSelector *ChannelLinkSelector `json:"channelLinkSelector,omitempty"`
	// User says whose links are revoked. Immutable.
	User UnlinkUser `json:"user"`
	// Actions that BotBonnie takes when it unlinks the user, in order, in BotBonnie's own words. Immutable. Absent:
	// none.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	Actions []UnlinkAction `json:"actions,omitempty"`
	// Reason for the audit trail, for example `HR-1234 leaver`. It is stored as written. Immutable. Absent: none.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Reason string `json:"reason,omitempty"`
	// LinkedBefore is a fence in time: links whose login is later survive. In force is the earlier of this and the
	// object's creation. In git always write it: without it each new object is a new request. Immutable. Absent: the
	// object's creation.
	//
	// +optional
	LinkedBefore *metav1.Time `json:"linkedBefore,omitempty"`
	// IfUnknown says what happens on a BotBonnie channel to a `userID` that the store does not know: `Skip` (nothing to
	// unlink) or `Call` (BotBonnie is told all the same). Immutable. Absent: `Skip`.
	//
	// +optional
	// +kubebuilder:default=Skip
	IfUnknown IfUnknown `json:"ifUnknown,omitempty"`
	// ActiveDeadlineSeconds bounds how long failing calls are tried again, from the first attempt on. Immutable.
	// Absent: 86400.
	//
	// +optional
	// +kubebuilder:default=86400
	// +kubebuilder:validation:Minimum=10
	// +kubebuilder:validation:Maximum=2592000
	ActiveDeadlineSeconds *int64 `json:"activeDeadlineSeconds,omitempty"`
	// TTLSecondsAfterFinished removes the object that long after it has ended; needs `linkedBefore`. Absent: it is
	// kept.
	//
	// +optional
	// +kubebuilder:validation:Minimum=60
	// +kubebuilder:validation:Maximum=31536000
	TTLSecondsAfterFinished *int32 `json:"ttlSecondsAfterFinished,omitempty"`
	// Suspend holds the request back until it is false again. Absent: false.
	//
	// +optional
	// +kubebuilder:default=false
	Suspend *bool `json:"suspend,omitempty"`
}

// ChannelLinkReference names a ChannelLink of the same namespace.
//
// +structType=atomic
type ChannelLinkReference struct {
	// Name of the ChannelLink, for example `vision-hr`.
	Name ObjectName `json:"name"`
}

// ChannelLinkSelector selects ChannelLinks of the same namespace by their labels. It is never empty, so that no
// oversight selects them all.
//
// +structType=atomic
type ChannelLinkSelector struct {
	// MatchLabels that a ChannelLink must all carry, for example `{company: vision}`.
	//
	// +kubebuilder:validation:MinProperties=1
	MatchLabels Labels `json:"matchLabels"`
}

// UnlinkUser says whose links are revoked: one chat user, or every chat user of one person.
//
// +kubebuilder:validation:XValidation:rule="(has(self.userID) ? 1 : 0) + (has(self.subject) ? 1 : 0) + (has(self.account) ? 1 : 0) == 1",message="set exactly one of user.userID, user.subject and user.account"
// +kubebuilder:validation:XValidation:rule="!has(self.issuer) || !has(self.userID)",message="user.issuer goes with user.subject or user.account; a userID needs none"
type UnlinkUser struct {
	// UserID is the chat user's id at the platform: a LINE user id or a page-scoped Messenger id. Absent: `subject` or
	// `account` is set.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^[\x21-\x7E]+$`
	UserID string `json:"userID,omitempty"`
	// Subject is the person's `sub` at the issuer: every chat account linked to this identity. Absent: `userID` or
	// `account` is set.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	Subject string `json:"subject,omitempty"`
	// Account is the value that the claim `oidc.userClaim` of the ChannelLink (`sub` unless set) had at the last login,
	// compared exactly, for example `j.dupont@vision.example` where that claim is `email`. Absent: `userID` or
	// `subject` is set.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	Account string `json:"account,omitempty"`
	// Issuer of the person whom `subject` or `account` names. Absent: the ChannelLink's issuer.
	//
	// +optional
	Issuer URL `json:"issuer,omitempty"`
}

// UnlinkAction is one action of BotBonnie, in the shape of its documentation.
//
// +kubebuilder:validation:XValidation:rule="self.type != 'saveParams' || (has(self.name) && has(self.value))",message="action saveParams needs name and value"
// +kubebuilder:validation:XValidation:rule="!(self.type in ['addTag', 'removeTag']) || has(self.value)",message="actions addTag and removeTag need value: the tag's id, such as tag-4VW8DDgwu"
// +kubebuilder:validation:XValidation:rule="!has(self.name) || self.type == 'saveParams'",message="name is for action saveParams"
// +kubebuilder:validation:XValidation:rule="!has(self.value) || self.type != 'notifyAgent'",message="action notifyAgent takes message, not value"
// +kubebuilder:validation:XValidation:rule="!has(self.message) || self.type == 'notifyAgent'",message="message is for action notifyAgent"
type UnlinkAction struct {
	// Type of the action.
	Type UnlinkActionType `json:"type"`
	// Name of the user parameter that `saveParams` saves. Absent: the action is another.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Name string `json:"name,omitempty"`
	// Value of the user parameter, or the id of the tag. Absent: the action is `notifyAgent`.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Value string `json:"value,omitempty"`
	// Message to the agent. Absent: BotBonnie's own.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`
}

// UnlinkActionType is BotBonnie's name of an action.
//
// +kubebuilder:validation:Enum=saveParams;addTag;removeTag;notifyAgent
// +kubebuilder:validation:MaxLength=16
type UnlinkActionType string

// IfUnknown says what happens to a user whom the store does not know.
//
// +kubebuilder:validation:Enum=Skip;Call
// +kubebuilder:validation:MaxLength=8
type IfUnknown string

// The values of IfUnknown.
const (
	IfUnknownSkip IfUnknown = "Skip"
	IfUnknownCall IfUnknown = "Call"
)

// AccountUnlinkStatus is how far the request has come.
type AccountUnlinkStatus struct {
	// ObservedGeneration is the generation of the spec that this status speaks of; -1 before the operator has seen the
	// object. Absent: as -1.
	//
	// +optional
	// +kubebuilder:validation:Minimum=-1
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// Conditions: Complete and Failed are final and never both true. Ready is Complete, Stalled is Failed, and
	// Reconciling is true until one of them is. Absent: the operator has not seen the object.
	//
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// StartTime of the first attempt, as the server recorded it before the first call. Absent: there was no attempt.
	//
	// +optional
	StartTime *metav1.Time `json:"startTime,omitempty"`
	// LastAttemptTime is when the last attempt ended. Absent: there was none.
	//
	// +optional
	LastAttemptTime *metav1.Time `json:"lastAttemptTime,omitempty"`
	// NextAttemptTime is when the next attempt is due. Absent: none is.
	//
	// +optional
	NextAttemptTime *metav1.Time `json:"nextAttemptTime,omitempty"`
	// CompletionTime is when the request ended, well or not. Absent: not ended yet.
	//
	// +optional
	CompletionTime *metav1.Time `json:"completionTime,omitempty"`
	// Attempts so far. Absent: none.
	//
	// +optional
	// +kubebuilder:validation:Minimum=0
	Attempts int32 `json:"attempts,omitempty"`
	// LastHandledRetryAt is the value of the annotation channellink.dev/retry-requested-at that was last acted upon.
	// Absent: none was.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=64
	LastHandledRetryAt string `json:"lastHandledRetryAt,omitempty"`
	// Summary for people, for example `2/2 unlinked`. Absent: nothing to tell yet.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Summary string `json:"summary,omitempty"`
	// Channels are the ChannelLinks that the selector matched at the first attempt. Absent: none yet, or
	// `channelLinkRef` names the one.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=100
	Channels []ObjectName `json:"channels,omitempty"`
	// Users are the results, user by user, at most 100. Absent: none yet, or nobody was linked.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=100
	Users []UnlinkedUser `json:"users,omitempty"`
	// MoreUsers is the number of users beyond those listed. Absent: none.
	//
	// +optional
	// +kubebuilder:validation:Minimum=0
	MoreUsers int32 `json:"moreUsers,omitempty"`
}

// UnlinkedUser is the result for one chat user of one channel.
type UnlinkedUser struct {
	// ChannelLink of the user.
	ChannelLink ObjectName `json:"channelLink"`
	// User is the chat user's id, masked: `U206…7cb8`.
	//
	// +kubebuilder:validation:MaxLength=32
	User string `json:"user"`
	// Result so far. Absent: not ended yet.
	//
	// +optional
	Result UnlinkResult `json:"result,omitempty"`
	// Attempts for this user. Absent: none.
	//
	// +optional
	// +kubebuilder:validation:Minimum=0
	Attempts int32 `json:"attempts,omitempty"`
	// Message for people. Absent: nothing to tell.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Message string `json:"message,omitempty"`
}

// UnlinkResult is how the request ended for one chat user.
//
// +kubebuilder:validation:Enum=Unlinked;NotLinked;Superseded;Failed
// +kubebuilder:validation:MaxLength=16
type UnlinkResult string

// The values of UnlinkResult.
const (
	UnlinkResultUnlinked   UnlinkResult = "Unlinked"
	UnlinkResultNotLinked  UnlinkResult = "NotLinked"
	UnlinkResultSuperseded UnlinkResult = "Superseded"
	UnlinkResultFailed     UnlinkResult = "Failed"
)

// AccountUnlink revokes the link of a chat user, or every link of a person, and triggers BotBonnie's actions. Creating
// one is the power to revoke.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:shortName=unlink,categories=chatlinks
// +kubebuilder:subresource:status
// +kubebuilder:printcolumn:name="Channel",type=string,JSONPath=`.spec['channelLinkRef','channelLinkSelector']['name','matchLabels']`
// +kubebuilder:printcolumn:name="Complete",type=string,JSONPath=`.status.conditions[?(@.type=="Complete")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Result",type=string,JSONPath=`.status.summary`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type AccountUnlink struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object metadata.
	//
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is what is asked for; immutable but for suspend and ttlSecondsAfterFinished.
	Spec AccountUnlinkSpec `json:"spec"`
	// Status is how far the request has come; only the operator writes it.
	//
	// +optional
	// +kubebuilder:default={"observedGeneration":-1,"conditions":{{"type":"Ready","status":"Unknown","reason":"Pending","message":"Waiting for the operator","lastTransitionTime":"1970-01-01T00:00:00Z"}}}
	Status AccountUnlinkStatus `json:"status,omitempty"`
}

// AccountUnlinkList is a list of AccountUnlinks.
//
// +kubebuilder:object:root=true
type AccountUnlinkList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	// Items of the list.
	Items []AccountUnlink `json:"items"`
}
