package desired

import (
	metaac "k8s.io/client-go/applyconfigurations/meta/v1"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/names"
)

// Build gives the objects that the ChannelLink should have. The error is a URLError, config.ErrInvalidExpression, or
// something that the schema lets nobody write.
func Build(in Input) (Objects, error) {
	settings, err := Settings(in)
	if err != nil {
		return Objects{}, err
	}
	file, err := encode(settings)
	if err != nil {
		return Objects{}, err
	}
	pods, err := deployment(in, hash(file))
	if err != nil {
		return Objects{}, err
	}
	policy, err := networkPolicy(in)
	if err != nil {
		return Objects{}, err
	}
	at, err := address(in.Link)
	if err != nil {
		return Objects{}, err
	}
	return Objects{
		ServiceAccount:      serviceAccount(in.Link),
		ConfigMap:           configMap(in, file),
		Volume:              volume(in),
		Service:             service(in.Link),
		AdminService:        adminService(in.Link),
		Deployment:          pods,
		NetworkPolicy:       policy,
		PodDisruptionBudget: podDisruptionBudget(in.Link),
		Autoscaler:          autoscaler(in.Link),
		Ingress:             ingress(in.Link, at),
		HTTPRoute:           httpRoute(in.Link, at),
		VolumeGrows:         grows(in),
		SettingsHash:        hash(file),
	}, nil
}

// metadata is the part of an apply configuration that every child has alike.
type metadata[T any] interface {
	WithLabels(map[string]string) T
	WithOwnerReferences(...*metaac.OwnerReferenceApplyConfiguration) T
}

// child labels the object and makes the ChannelLink its owner. Under deletionPolicy UnlinkAll there is no owner: the
// garbage collector would take the server away before it has unlinked anybody, so the finalizer deletes the children.
func child[T metadata[T]](link *v1alpha1.ChannelLink, object T) T {
	object = object.WithLabels(names.Labels(link))
	if link.Spec.DeletionPolicy == v1alpha1.DeletionPolicyUnlinkAll {
		return object
	}
	return object.WithOwnerReferences(metaac.OwnerReference().
		WithAPIVersion(v1alpha1.SchemeGroupVersion.String()).
		WithKind("ChannelLink").
		WithName(link.Name).
		WithUID(link.UID).
		WithController(true).
		WithBlockOwnerDeletion(true))
}
