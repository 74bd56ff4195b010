// Package v1alpha1 is the resource contract of ChannelLink: the kinds ChannelLink and AccountUnlink of the API group
// channellink.dev, their validation, and the condition types and reasons that their status may carry.
//
// Validation lives in the schema alone (OpenAPI and CEL); there is no admission webhook, so an API server refuses a
// wrong object even while no operator runs.
//
// +kubebuilder:object:generate=true
// +kubebuilder:ac:generate=true
// +kubebuilder:ac:output:package="applyconfiguration"
// +groupName=channellink.dev
package v1alpha1
