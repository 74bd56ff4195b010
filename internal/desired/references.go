package desired

import (
	"path"

	coreac "k8s.io/client-go/applyconfigurations/core/v1"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/names"
	"channellink.dev/operator/webhookserver/config"
)

// issuerKey is the key beside the client secret that, when it is there, says which issuer alone may get the secret (C57).
const issuerKey = "issuer"

// issuerFile is the name of the file in which that key is mounted.
var issuerFile = names.ReferenceFile(v1alpha1.FieldOIDCClientSecret + "." + issuerKey)

// fileMode lets the group of the pod read a mounted key, and nobody else.
const fileMode = 0o440

// files are the mounted references, by the field of the spec that names them; a field that is not set has none.
type files map[string]*config.File

// filesOf says where each reference of the spec is found in the pod.
func filesOf(spec *v1alpha1.ChannelLinkSpec) files {
	found := files{}
	for _, ref := range spec.References() {
		found[ref.Field] = &config.File{Field: ref.Field, Path: path.Join(config.ReferencesDir, names.ReferenceFile(ref.Field))}
	}
	return found
}

// issuerFileOf says where the issuer that the client secret is bound to is found; nil without a client secret. What is
// wrong with it is wrong with the client secret, so it speaks under that field.
func issuerFileOf(spec *v1alpha1.ChannelLinkSpec) *config.File {
	if spec.OIDC.ClientSecretRef == nil {
		return nil
	}
	return &config.File{Field: v1alpha1.FieldOIDCClientSecret, Path: path.Join(config.ReferencesDir, issuerFile)}
}

// referencesVolume projects every key that the spec names into one directory, a file for each. All are optional: a pod
// whose Secret is missing starts, stays unready and says exactly which reference is at fault, where the kubelet would
// only leave it in ContainerCreating.
func referencesVolume(spec *v1alpha1.ChannelLinkSpec) *coreac.ProjectedVolumeSourceApplyConfiguration {
	volume := coreac.ProjectedVolumeSource().WithDefaultMode(fileMode)
	for _, ref := range spec.References() {
		volume.WithSources(projection(ref, names.ReferenceFile(ref.Field)))
		if ref.Field == v1alpha1.FieldOIDCClientSecret {
			ref.Key = issuerKey
			volume.WithSources(projection(ref, issuerFile))
		}
	}
	return volume
}

// projection mounts one key of a Secret or ConfigMap as the file.
func projection(ref v1alpha1.Reference, file string) *coreac.VolumeProjectionApplyConfiguration {
	item := coreac.KeyToPath().WithKey(ref.Key).WithPath(file)
	if ref.Kind == v1alpha1.ReferenceKindConfigMap {
		return coreac.VolumeProjection().WithConfigMap(
			coreac.ConfigMapProjection().WithName(ref.Name).WithItems(item).WithOptional(true))
	}
	return coreac.VolumeProjection().WithSecret(
		coreac.SecretProjection().WithName(ref.Name).WithItems(item).WithOptional(true))
}
