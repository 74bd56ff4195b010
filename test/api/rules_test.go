package api

import (
	"slices"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

// rules lists the x-kubernetes-validations of the definition that are ours.
func rules(crd *apiextensionsv1.CustomResourceDefinition) []apiextensionsv1.ValidationRule {
	all := slices.Clone(crd.Spec.Versions[0].Schema.OpenAPIV3Schema.XValidations)
	for _, f := range fields(crd) {
		if !f.isForeign() {
			all = append(all, f.schema.XValidations...)
		}
	}
	return all
}
