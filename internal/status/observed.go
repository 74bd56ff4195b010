// Package status says what a resource's status should be, as pure functions of what was observed.
//
// Messages hold nothing that changes while the facts stay the same (no time, counter or pod name) and nothing that an
// upstream wrote, so that a status is written once for each change of the facts and leaks nothing.
package status

import (
	appsv1 "k8s.io/api/apps/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"channellink.dev/operator/api/v1alpha1"
)

// Problem is something about the ChannelLink itself, or about writing its objects, that keeps it from being carried out.
type Problem struct {
	// Condition that the problem makes false: Accepted, or Available where the spec is good and the cluster is not. A
	// problem with StoreReady only adds to what the server says of its store.
	Condition string
	Reason    string
	// Message names the object at fault and what to do.
	Message string
	// Final: only a change by a person can help.
	Final bool
}

// Error is the message, so that a Problem can be returned where work stops.
func (p *Problem) Error() string { return p.Message }

// Partial tells whether all else was carried out: the problem is with a volume that was there before, and is used as it is.
func (p *Problem) Partial() bool { return p.Condition == v1alpha1.ConditionStoreReady }

// Observed is everything that the conditions of a ChannelLink depend on.
type Observed struct {
	// Problem that was met, if any. With one that is not partial, the objects below are those of an earlier spec.
	Problem *Problem
	// Applied: every object was found or made as it should be, in this pass.
	Applied bool
	// Deployment of the server; nil when it does not exist.
	Deployment *appsv1.Deployment
	// SettingsHash is the hash of the settings that the Deployment's template carries now.
	SettingsHash string
	// Ingress, when one is asked for and exists.
	Ingress *networkingv1.Ingress
	// Route, when an HTTPRoute is asked for.
	Route Route
	// Server is what the server says.
	Server Server
	// Selector of the pods, as a label query.
	Selector string
	// UnlinkAll, while the ChannelLink is being deleted and its users are unlinked first.
	UnlinkAll *UnlinkAll
}

// Route is what is known of the HTTPRoute.
type Route struct {
	// APIMissing: the cluster has no Gateway API.
	APIMissing bool
	// Parents are the Gateways' verdicts, one for each that has given one.
	Parents []RouteParent
}

// RouteParent is the verdict of one Gateway.
type RouteParent struct {
	Accepted, ResolvedRefs bool
	// Reason of the first of the two that is false: an enumeration of the Gateway API or of its implementation.
	Reason string
}

// Server is what the server of a ChannelLink says over its admin API.
type Server struct {
	// Contact tells whether there is a Report.
	Contact Contact
	Report  Report
}

// Contact says how asking the server went.
type Contact string

// How asking the server went.
const (
	// NotAsked: there is no pod to ask.
	NotAsked Contact = ""
	// Answered: the report is the server's.
	Answered Contact = "Answered"
	// Unreachable: no answer.
	Unreachable Contact = "Unreachable"
	// Refused: the server refuses the operator's signature.
	Refused Contact = "Refused"
)

// Report is the server's view, already reduced to the reasons of this API.
type Report struct {
	// SettingsHash of the settings that the server runs with.
	SettingsHash string
	// References that are not simply present.
	References []Reference
	// Issuer and Store hold a condition's status and reason.
	Issuer Fact
	Store  Fact
	// ActiveLinks, when known.
	ActiveLinks *int64
	// Confirmation is whether the platform confirms logins.
	Confirmation Fact
	// Registration is whether the platform calls this server; without a reason where it is not observed. One that is
	// neither true nor false and has a reason says why it is not known.
	Registration Fact
}

// Fact is one thing that the server knows.
type Fact struct {
	// True, false or, with neither, not known yet.
	True, False bool
	// Reason is one of the reasons of the condition; empty when not known.
	Reason string
	// HTTPStatus of the upstream's answer, where that is the matter.
	HTTPStatus int
}

// Reference is the state of a referenced key.
type Reference struct {
	// Field of the spec, as v1alpha1.Reference has it.
	Field string
	// Reason is one of the reasons of SecretsReady.
	Reason string
}

func refersTo(link *v1alpha1.ChannelLink, field string) (v1alpha1.Reference, bool) {
	for _, ref := range link.Spec.References() {
		if ref.Field == field {
			return ref, true
		}
	}
	return v1alpha1.Reference{}, false
}
