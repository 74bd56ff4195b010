package controllers

import (
	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/status"
	"channellink.dev/operator/webhookserver/adminapi"
)

// What the server's enumerations mean in the words of the resource. A value that is not here is not known to this
// version and counts as not known yet: nothing that a server makes up reaches a status.
var (
	referenceReasons = map[adminapi.ReferenceState]string{
		adminapi.ReferenceMissing:  v1alpha1.ReasonSecretMissing,
		adminapi.ReferenceEmpty:    v1alpha1.ReasonSecretEmpty,
		adminapi.ReferenceInvalid:  v1alpha1.ReasonSecretInvalid,
		adminapi.ReferenceVanished: v1alpha1.ReasonSecretVanished,
	}
	issuerReasons = map[adminapi.IssuerReason]string{
		adminapi.IssuerUnreachable:     v1alpha1.ReasonIssuerUnreachable,
		adminapi.IssuerTimedOut:        v1alpha1.ReasonIssuerTimedOut,
		adminapi.IssuerAddressRefused:  v1alpha1.ReasonIssuerAddressRefused,
		adminapi.IssuerTLSFailed:       v1alpha1.ReasonIssuerTLSFailed,
		adminapi.IssuerRedirected:      v1alpha1.ReasonIssuerRedirected,
		adminapi.IssuerBadStatus:       v1alpha1.ReasonIssuerBadStatus,
		adminapi.IssuerDocumentInvalid: v1alpha1.ReasonIssuerDocumentInvalid,
		adminapi.IssuerMismatch:        v1alpha1.ReasonIssuerMismatch,
		adminapi.IssuerEndpointRefused: v1alpha1.ReasonIssuerEndpointRefused,
		adminapi.IssuerPKCEUnsupported: v1alpha1.ReasonPKCEUnsupported,
		adminapi.IssuerCABundleInvalid: v1alpha1.ReasonCABundleInvalid,
	}
	storeReasons = map[adminapi.StoreReason]string{
		adminapi.StoreUnavailable:  v1alpha1.ReasonStoreUnavailable,
		adminapi.StoreLocked:       v1alpha1.ReasonStoreLocked,
		adminapi.StoreFull:         v1alpha1.ReasonStoreFull,
		adminapi.StoreSchemaTooNew: v1alpha1.ReasonStoreSchemaTooNew,
		adminapi.StoreKeyInvalid:   v1alpha1.ReasonStoreKeyInvalid,
	}
)

// registrationFacts and testReasons do the same for what is set at the platform.
var (
	registrationFacts = map[adminapi.RegistrationState]status.Fact{
		adminapi.RegistrationInPlace:       {True: true, Reason: v1alpha1.ReasonRegistered},
		adminapi.RegistrationSubscribed:    {True: true, Reason: v1alpha1.ReasonSubscribed},
		adminapi.RegistrationOtherURL:      {False: true, Reason: v1alpha1.ReasonOtherWebhookURL},
		adminapi.RegistrationNoURL:         {False: true, Reason: v1alpha1.ReasonNoWebhookURL},
		adminapi.RegistrationInactive:      {False: true, Reason: v1alpha1.ReasonWebhookInactive},
		adminapi.RegistrationNotSubscribed: {False: true, Reason: v1alpha1.ReasonNotSubscribed},
		adminapi.RegistrationTestFailed:    {False: true, Reason: v1alpha1.ReasonWebhookTestFailed},
		adminapi.RegistrationTokenRejected: {False: true, Reason: v1alpha1.ReasonTokenRejected},
		adminapi.RegistrationUnreachable:   {Reason: v1alpha1.ReasonPlatformSilent},
	}
	testReasons = map[adminapi.RegistrationTest]string{
		adminapi.TestCouldNotConnect: v1alpha1.ReasonWebhookUnreached,
		adminapi.TestTimedOut:        v1alpha1.ReasonWebhookTimedOut,
		adminapi.TestBadStatus:       v1alpha1.ReasonWebhookBadStatus,
	}
)

// reportOf reduces a server's answer to the reasons of the resource.
func reportOf(answer Answer) status.Report {
	report := status.Report{
		SettingsHash: answer.Status.SettingsHash,
		Issuer:       issuerFact(answer.Status.Issuer),
		Store:        storeFact(answer.Status.Store),
		ActiveLinks:  answer.ActiveLinks,
		Confirmation: confirmationFact(answer.Status.Confirmation),
		Registration: registrationFact(answer.Status.Registration),
	}
	for _, ref := range answer.Status.References {
		if reason, ok := referenceReasons[ref.State]; ok {
			report.References = append(report.References, status.Reference{Field: ref.Field, Reason: reason})
		}
	}
	return report
}

func issuerFact(issuer adminapi.Issuer) status.Fact {
	switch issuer.State {
	case adminapi.IssuerDiscovered:
		return status.Fact{True: true, Reason: v1alpha1.ReasonDiscovered}
	case adminapi.IssuerStale:
		return status.Fact{True: true, Reason: v1alpha1.ReasonStaleMetadata}
	case adminapi.IssuerFailed:
		reason, ok := issuerReasons[issuer.Reason]
		if !ok {
			reason = v1alpha1.ReasonIssuerUnreachable
		}
		return status.Fact{False: true, Reason: reason, HTTPStatus: issuer.HTTPStatus}
	default:
		return status.Fact{}
	}
}

func storeFact(store adminapi.Store) status.Fact {
	switch store.State {
	case adminapi.StoreOpen:
		return status.Fact{True: true, Reason: v1alpha1.ReasonStoreOpen}
	case adminapi.StoreFailed:
		reason, ok := storeReasons[store.Reason]
		if !ok {
			reason = v1alpha1.ReasonStoreUnavailable
		}
		return status.Fact{False: true, Reason: reason}
	default:
		return status.Fact{}
	}
}

// confirmationFact: a login that nothing confirmed weighs more than confirmations before it.
func confirmationFact(seen *adminapi.Confirmation) status.Fact {
	switch {
	case seen == nil:
		return status.Fact{}
	case seen.Unconfirmed:
		return status.Fact{False: true, Reason: v1alpha1.ReasonLoginUnconfirmed}
	case seen.Ever:
		return status.Fact{True: true, Reason: v1alpha1.ReasonConfirmed}
	default:
		return status.Fact{}
	}
}

// registrationFact: a failed test is told by how it failed.
func registrationFact(seen *adminapi.Registration) status.Fact {
	if seen == nil {
		return status.Fact{}
	}
	fact := registrationFacts[seen.State]
	if reason, ok := testReasons[seen.Test]; ok && seen.State == adminapi.RegistrationTestFailed {
		fact.Reason, fact.HTTPStatus = reason, seen.HTTPStatus
	}
	return fact
}
