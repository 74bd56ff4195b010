package status

import (
	"fmt"
	"time"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"channellink.dev/operator/api/v1alpha1"
)

// verdict is a condition before it has a time and a generation.
type verdict struct {
	kind    string
	status  metav1.ConditionStatus
	reason  string
	message string
}

func yes(kind, reason, message string) verdict {
	return verdict{kind, metav1.ConditionTrue, reason, message}
}
func no(kind, reason, message string) verdict {
	return verdict{kind, metav1.ConditionFalse, reason, message}
}
func unknown(kind, reason, message string) verdict {
	return verdict{kind, metav1.ConditionUnknown, reason, message}
}

// Conditions gives the conditions of a ChannelLink for what was observed. A condition whose status stays as it is in the
// resource keeps its transition time; another gets now. Conditions that no longer apply are absent.
func Conditions(link *v1alpha1.ChannelLink, seen Observed, now time.Time) []metav1.Condition {
	facts := []verdict{
		accepted(seen),
		secretsReady(link, seen),
		issuerDiscovered(link, seen),
		storeReady(seen),
		available(seen),
	}
	if exposure := link.Spec.Exposure; exposure != nil && (exposure.Ingress != nil || exposure.Gateway != nil) {
		facts = append(facts, exposed(link, seen))
	}
	if observesRegistration(&link.Spec) {
		facts = append(facts, registered(link, seen))
	}
	ready := readiness(facts)
	all := append([]verdict{ready}, facts...)
	all = append(all,
		reconciling(link, seen, ready),
		stalled(seen),
		confirmationSeen(link, seen),
	)

	conditions := make([]metav1.Condition, 0, len(all))
	for _, v := range all {
		since := metav1.NewTime(now)
		if old := meta.FindStatusCondition(link.Status.Conditions, v.kind); old != nil && old.Status == v.status {
			since = old.LastTransitionTime
		}
		conditions = append(conditions, metav1.Condition{
			Type: v.kind, Status: v.status, Reason: v.reason, Message: shortened(v.message),
			ObservedGeneration: link.Generation, LastTransitionTime: since,
		})
	}
	return conditions
}

// maxMessage is the longest message of a condition, in bytes. The schema takes 32768 characters; what is wrong with an
// expression is said in fewer.
const maxMessage = 4096

// shortened is the message cut to maxMessage, on the border of a character.
func shortened(message string) string {
	if len(message) <= maxMessage {
		return message
	}
	const ellipsis = "…"
	cut := maxMessage - len(ellipsis)
	for !utf8.RuneStart(message[cut]) {
		cut--
	}
	return message[:cut] + ellipsis
}

// readiness sums up: the first condition that is false, else the first that is not known, else ready.
func readiness(facts []verdict) verdict {
	for _, status := range []metav1.ConditionStatus{metav1.ConditionFalse, metav1.ConditionUnknown} {
		for _, fact := range facts {
			if fact.status == status {
				return verdict{v1alpha1.ConditionReady, status, fact.reason, fact.message}
			}
		}
	}
	return yes(v1alpha1.ConditionReady, v1alpha1.ReasonReady, "The channel is served")
}

func accepted(seen Observed) verdict {
	const kind = v1alpha1.ConditionAccepted
	if p := seen.Problem; p != nil && p.Condition == kind {
		return no(kind, p.Reason, p.Message)
	}
	return yes(kind, v1alpha1.ReasonAccepted, "The spec can be carried out")
}

func secretsReady(link *v1alpha1.ChannelLink, seen Observed) verdict {
	const kind = v1alpha1.ConditionSecretsReady
	if v, ok := serverSilent(kind, seen); ok {
		return v
	}
	// A key that the server still has a value for matters less than one that it never had.
	var vanished *verdict
	for _, state := range seen.Server.Report.References {
		ref, ok := refersTo(link, state.Field)
		if !ok {
			continue
		}
		v := no(kind, state.Reason, referenceMessage(ref, state.Reason))
		if state.Reason != v1alpha1.ReasonSecretVanished {
			return v
		}
		if vanished == nil {
			vanished = &v
		}
	}
	if vanished != nil {
		return *vanished
	}
	return yes(kind, v1alpha1.ReasonSecretsPresent, "Every referenced key is there")
}

func referenceMessage(ref v1alpha1.Reference, reason string) string {
	switch reason {
	case v1alpha1.ReasonSecretEmpty:
		return fmt.Sprintf("The %s is empty: put a value there", ref)
	case v1alpha1.ReasonSecretInvalid:
		return fmt.Sprintf("The %s cannot be used: check its form, and that a key \"issuer\" beside it names spec.oidc.issuerURL", ref)
	case v1alpha1.ReasonSecretVanished:
		return fmt.Sprintf("The %s is gone; the server goes on with the last value until its pod is replaced: put the key back", ref)
	default:
		return fmt.Sprintf("The %s does not exist: create it", ref)
	}
}

func issuerDiscovered(link *v1alpha1.ChannelLink, seen Observed) verdict {
	const kind = v1alpha1.ConditionIssuerDiscovered
	if v, ok := serverSilent(kind, seen); ok {
		return v
	}
	fact := seen.Server.Report.Issuer
	message := issuerMessage(link, fact)
	switch {
	case fact.True:
		return yes(kind, fact.Reason, message)
	case fact.False:
		return no(kind, fact.Reason, message)
	default:
		return unknown(kind, v1alpha1.ReasonPending, "The server has not asked the issuer yet")
	}
}

// issuerMessages say what is wrong with the issuer and what to do. %s is the issuer's URL.
var issuerMessages = map[string]string{
	v1alpha1.ReasonDiscovered:            "The endpoints and keys of %s are known",
	v1alpha1.ReasonStaleMetadata:         "%s does not answer; logins go on with what was known before, for at most 24 hours",
	v1alpha1.ReasonIssuerUnreachable:     "The server cannot reach %s: check the name, the network and the NetworkPolicies",
	v1alpha1.ReasonIssuerTimedOut:        "%s did not answer in time",
	v1alpha1.ReasonIssuerAddressRefused:  "%s resolves to an address that servers may not call (loopback, link-local, metadata, or private where the operator denies it)",
	v1alpha1.ReasonIssuerTLSFailed:       "The certificate of %s is not trusted: set spec.oidc.caBundleConfigMapRef to the company's CA",
	v1alpha1.ReasonIssuerRedirected:      "%s redirects its discovery document elsewhere, which is not followed: set spec.oidc.issuerURL to the final URL",
	v1alpha1.ReasonIssuerBadStatus:       "%s answers its discovery document with an error",
	v1alpha1.ReasonIssuerDocumentInvalid: "The discovery document or the keys of %s cannot be used",
	v1alpha1.ReasonIssuerMismatch:        "The discovery document at %s names another issuer: spec.oidc.issuerURL must be the same to the letter",
	v1alpha1.ReasonIssuerEndpointRefused: "The discovery document of %s names an endpoint that is not https or that servers may not call",
	v1alpha1.ReasonPKCEUnsupported:       "%s does not offer PKCE with S256, which every login uses: turn it on at the provider",
	v1alpha1.ReasonCABundleInvalid:       "The CA bundle for %s (spec.oidc.caBundleConfigMapRef) is missing or holds no certificate",
}

func issuerMessage(link *v1alpha1.ChannelLink, fact Fact) string {
	message := fmt.Sprintf(issuerMessages[fact.Reason], link.Spec.OIDC.IssuerURL)
	if fact.HTTPStatus != 0 {
		message += fmt.Sprintf(" (HTTP status %d)", fact.HTTPStatus)
	}
	return message
}

// storeMessages say what is wrong with the store and what to do.
var storeMessages = map[string]string{
	v1alpha1.ReasonStoreOpen:         "Links can be read and written",
	v1alpha1.ReasonStoreUnavailable:  "The store does not answer: check the volume, or the database and spec.store.postgres.dsnSecretRef",
	v1alpha1.ReasonStoreLocked:       "Another process holds the SQLite file: only one pod may run on the volume",
	v1alpha1.ReasonStoreFull:         "The store's volume is full: raise spec.store.sqlite.size, or free space at the database",
	v1alpha1.ReasonStoreSchemaTooNew: "A newer release has migrated the store: run that release of the operator again",
	v1alpha1.ReasonStoreKeyInvalid:   "The encryption key (spec.store.encryptionKeySecretRef) is missing or does not open what was sealed: put the earlier key back on a line of its own",
}

// storeReady adds to what the server says of its store what is the matter with the volume.
func storeReady(seen Observed) verdict {
	v := storeSays(seen)
	if p := seen.Problem; p != nil && p.Partial() {
		v.message += ". " + p.Message
		if v.status == metav1.ConditionTrue {
			v.reason = p.Reason
		}
	}
	return v
}

func storeSays(seen Observed) verdict {
	const kind = v1alpha1.ConditionStoreReady
	if v, ok := serverSilent(kind, seen); ok {
		return v
	}
	fact := seen.Server.Report.Store
	switch {
	case fact.True:
		return yes(kind, fact.Reason, storeMessages[fact.Reason])
	case fact.False:
		return no(kind, fact.Reason, storeMessages[fact.Reason])
	default:
		return unknown(kind, v1alpha1.ReasonPending, "The server has not opened the store yet")
	}
}

// serverSilent gives the condition's verdict while no server with the current settings has spoken.
func serverSilent(kind string, seen Observed) (verdict, bool) {
	switch {
	case seen.Server.Contact == Refused:
		return unknown(kind, v1alpha1.ReasonServerRefused, "The server does not accept the operator's signature yet; it learns a new key within a minute or two"), true
	case seen.Server.Contact == Unreachable:
		return unknown(kind, v1alpha1.ReasonServerUnreachable, "The server's admin port does not answer: check its pod, and that NetworkPolicies let the operator in"), true
	case seen.Server.Contact != Answered:
		return unknown(kind, v1alpha1.ReasonPending, "No server has started yet"), true
	case seen.Server.Report.SettingsHash != seen.SettingsHash:
		return unknown(kind, v1alpha1.ReasonProgressing, "A server with the current settings has not answered yet"), true
	default:
		return verdict{}, false
	}
}

func stalled(seen Observed) verdict {
	const kind = v1alpha1.ConditionStalled
	if p := seen.Problem; p != nil && p.Final {
		return yes(kind, p.Reason, p.Message)
	}
	return no(kind, v1alpha1.ReasonReady, "Nothing stands in the way that a person must remove")
}

func reconciling(link *v1alpha1.ChannelLink, seen Observed, ready verdict) verdict {
	const kind = v1alpha1.ConditionReconciling
	switch {
	case seen.UnlinkAll != nil:
		return yes(kind, v1alpha1.ReasonDeleting, seen.UnlinkAll.message())
	case link.DeletionTimestamp != nil:
		return yes(kind, v1alpha1.ReasonDeleting, "The ChannelLink is being deleted")
	case seen.Problem != nil && seen.Problem.Final:
		return no(kind, seen.Problem.Reason, seen.Problem.Message)
	case link.Spec.Suspend != nil && *link.Spec.Suspend:
		return no(kind, v1alpha1.ReasonSuspended, "spec.suspend is true: the objects are left as they are")
	case ready.status != metav1.ConditionTrue:
		return yes(kind, ready.reason, ready.message)
	case rollingOut(seen.Deployment):
		return yes(kind, v1alpha1.ReasonProgressing, "The Deployment is being rolled out")
	case seen.Problem != nil && seen.Problem.Reason == v1alpha1.ReasonVolumeNotGrown:
		return yes(kind, seen.Problem.Reason, seen.Problem.Message)
	default:
		return no(kind, v1alpha1.ReasonReady, "Everything is as the spec wants it")
	}
}
