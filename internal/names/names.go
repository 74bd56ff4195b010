// Package names makes every name, label and annotation that the operator gives to an object, as functions of the
// resource. Nothing else in the operator spells one.
package names

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"

	"channellink.dev/operator/api/v1alpha1"
)

// FieldOwner is the one field manager under which the operator writes, children and status alike.
const FieldOwner = "channellink-operator"

// KeySecret is the Secret, in the operator's namespace, that holds the key with which it signs admin requests.
const KeySecret = "channellink-operator-keys"

// LeaderLease is the Lease, in the operator's namespace, by which its replicas elect a leader.
const LeaderLease = "channellink-operator"

// UnlinkAllFinalizer holds a ChannelLink with deletionPolicy UnlinkAll until its users are unlinked.
const UnlinkAllFinalizer = v1alpha1.GroupName + "/unlink-all"

// RetryRequestedAt is the annotation that re-arms a failed AccountUnlink.
const RetryRequestedAt = v1alpha1.GroupName + "/retry-requested-at"

// Labels of every child object.
const (
	LabelName      = "app.kubernetes.io/name"
	LabelInstance  = "app.kubernetes.io/instance"
	LabelComponent = "app.kubernetes.io/component"
	LabelManagedBy = "app.kubernetes.io/managed-by"

	// LabelPlatform and LabelPage say whose links a volume holds.
	LabelPlatform = v1alpha1.GroupName + "/platform"
	LabelPage     = v1alpha1.GroupName + "/page"
	// LabelOwner holds the UID of the ChannelLink that an object belongs to; it counts where an ownerReference may not
	// be set.
	LabelOwner = v1alpha1.GroupName + "/owner"
)

// Values of those labels.
const (
	ApplicationName = "channellink-server"
	ComponentServer = "server"
	ManagedBy       = FieldOwner
)

// Annotations of child objects.
const (
	// AnnotationAppliedHash is the hash of what was applied last; without a difference in it nothing is written.
	AnnotationAppliedHash = v1alpha1.GroupName + "/applied-hash"
	// AnnotationSettingsHash on the pod template rolls the Deployment when the settings change.
	AnnotationSettingsHash = v1alpha1.GroupName + "/settings-hash"
	// AnnotationPublicURL and AnnotationPage on the Service say which claim the server serves.
	AnnotationPublicURL = v1alpha1.GroupName + "/public-url"
	AnnotationPage      = v1alpha1.GroupName + "/page-id"
)

// Names of the ports of the Services.
const (
	PortHTTP  = "http"
	PortOps   = "ops"
	PortAdmin = "admin"
)

const (
	adminSuffix = "-admin"
	dataSuffix  = "-data"

	// maxBase leaves room for the longest suffix within a Service's 63 characters, and for the hash of a ReplicaSet.
	maxBase    = 52
	hashLength = 8
)

// startsWithLetter: a Service's name must begin with a letter (RFC 1035), a ChannelLink's may begin with a digit.
var startsWithLetter = regexp.MustCompile(`^[a-z]`)

// Base is the name of the child objects: the ChannelLink's own where it can be, otherwise a shortened form with a hash of
// the whole name, so that two links whose names look alike never share an object.
func Base(link *v1alpha1.ChannelLink) string {
	name := link.Name
	base := strings.ReplaceAll(name, ".", "-")
	if !startsWithLetter.MatchString(base) {
		base = "cl-" + base
	}
	reserved := strings.HasSuffix(base, adminSuffix) || strings.HasSuffix(base, dataSuffix)
	if base == name && len(base) <= maxBase && !reserved {
		return base
	}
	if limit := maxBase - hashLength - 1; len(base) > limit {
		base = strings.TrimRight(base[:limit], "-")
	}
	return base + "-" + shortHash(name)
}

// AdminService is the name of the Service of the admin port.
func AdminService(link *v1alpha1.ChannelLink) string { return Base(link) + adminSuffix }

// Volume is the name of the PersistentVolumeClaim of the SQLite store.
func Volume(link *v1alpha1.ChannelLink) string { return Base(link) + dataSuffix }

// Labels are those of every child object.
func Labels(link *v1alpha1.ChannelLink) map[string]string {
	labels := Selector(link)
	labels[LabelManagedBy] = ManagedBy
	labels[LabelOwner] = string(link.UID)
	return labels
}

// Selector are the labels that select the server's pods; they never change in the life of a ChannelLink.
func Selector(link *v1alpha1.ChannelLink) map[string]string {
	return map[string]string{
		LabelName:      ApplicationName,
		LabelInstance:  Base(link),
		LabelComponent: ComponentServer,
	}
}

// VolumeLabels are those of the volume. They carry no UID: the volume outlives the ChannelLink, and a later one of the same
// name, platform and page takes it up again.
func VolumeLabels(link *v1alpha1.ChannelLink) map[string]string {
	labels := Selector(link)
	labels[LabelManagedBy] = ManagedBy
	labels[LabelPlatform] = string(link.Spec.Platform)
	labels[LabelPage] = pageLabel(link.Spec.PageID)
	return labels
}

var labelValue = regexp.MustCompile(`^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$`)

// pageLabel is the page id where it is a label's value, otherwise a hash of it.
func pageLabel(pageID string) string {
	if labelValue.MatchString(pageID) {
		return pageID
	}
	return "sha256-" + shortHash(pageID)
}

// ReferenceFile is the name of the file under which a referenced key is mounted.
func ReferenceFile(field string) string {
	return strings.ToLower(strings.ReplaceAll(field, ".", "-"))
}

func shortHash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])[:hashLength]
}
