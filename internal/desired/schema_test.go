package desired_test

import (
	"math"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	apiservervalidation "k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/runtime"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/yaml"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/desired"
)

// The defaults that this package repeats are the schema's own: an object that the API server has defaulted gives the same
// objects as one from before. And every case is one that the API server would accept.
func TestDefaultsAreTheSchemas(t *testing.T) {
	validation := channelLinkSchema(t)
	structural, err := schema.NewStructural(validation.OpenAPIV3Schema)
	if err != nil {
		t.Fatal(err)
	}
	openAPI, _, err := apiservervalidation.NewSchemaValidator(validation.OpenAPIV3Schema)
	if err != nil {
		t.Fatal(err)
	}
	rules := cel.NewValidator(structural, true, celconfig.PerCallLimit)

	forEachCase(t, func(t *testing.T, _ string, in desired.Input) {
		want := render(t, build(t, in))

		link, err := runtime.DefaultUnstructuredConverter.ToUnstructured(in.Link)
		if err != nil {
			t.Fatal(err)
		}
		delete(link, "status")
		defaulting.Default(link, structural)
		problems := apiservervalidation.ValidateCustomResource(nil, link, openAPI)
		broken, _ := rules.Validate(t.Context(), nil, structural, link, nil, math.MaxInt64)
		for _, problem := range append(problems, broken...) {
			t.Errorf("the API server would refuse the case: %v", problem)
		}

		in.Link = &v1alpha1.ChannelLink{}
		convert(t, link, in.Link)
		if diff := cmp.Diff(string(want), string(render(t, build(t, in)))); diff != "" {
			t.Errorf("the schema's defaults give something else (-without +with):\n%s", diff)
		}
	})
}

// channelLinkSchema reads the schema from the generated CRD.
func channelLinkSchema(t *testing.T) *apiextensions.CustomResourceValidation {
	t.Helper()
	data, err := os.ReadFile("../../config/crd/channellink.dev_channellinks.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var crd apiextensionsv1.CustomResourceDefinition
	if err := yaml.UnmarshalStrict(data, &crd); err != nil {
		t.Fatal(err)
	}
	var validation apiextensions.CustomResourceValidation
	if err := apiextensionsv1.Convert_v1_CustomResourceValidation_To_apiextensions_CustomResourceValidation(
		crd.Spec.Versions[0].Schema, &validation, nil); err != nil {
		t.Fatal(err)
	}
	return &validation
}
