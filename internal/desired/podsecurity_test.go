package desired_test

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"

	"channellink.dev/operator/internal/desired"
)

// C66
func TestPodsAreRestricted(t *testing.T) {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	restricted := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	forEachCase(t, func(t *testing.T, _ string, in desired.Input) {
		var deployment appsv1.Deployment
		convert(t, build(t, in).Deployment, &deployment)
		template := deployment.Spec.Template
		result := policy.AggregateCheckResults(evaluator.EvaluatePod(restricted, &template.ObjectMeta, &template.Spec))
		if !result.Allowed {
			t.Errorf("the profile restricted refuses the pod: %s", result.ForbiddenDetail())
		}
	})
}

// The server holds no credential of the cluster, and every file system but its own directories is read-only.
func TestPodsHoldNoClusterCredential(t *testing.T) {
	forEachCase(t, func(t *testing.T, _ string, in desired.Input) {
		objects := build(t, in)
		var deployment appsv1.Deployment
		convert(t, objects.Deployment, &deployment)
		pod := deployment.Spec.Template.Spec
		if mount := pod.AutomountServiceAccountToken; mount == nil || *mount {
			t.Error("the pod mounts a service account token")
		}
		if mount := objects.ServiceAccount.AutomountServiceAccountToken; mount == nil || *mount {
			t.Error("the service account's token is mounted")
		}
		if pod.ServiceAccountName != *objects.ServiceAccount.GetName() {
			t.Errorf("the pod runs as %q", pod.ServiceAccountName)
		}
		for _, volume := range pod.Volumes {
			if volume.Projected == nil {
				continue
			}
			for _, source := range volume.Projected.Sources {
				if source.ServiceAccountToken != nil {
					t.Error("a service account token is projected")
				}
			}
		}
		if readOnly := pod.Containers[0].SecurityContext.ReadOnlyRootFilesystem; readOnly == nil || !*readOnly {
			t.Error("the root file system can be written")
		}
	})
}
