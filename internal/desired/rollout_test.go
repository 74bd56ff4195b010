package desired_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"channellink.dev/operator/api/v1alpha1"
)

// What in a spec restarts the pods, and what does not, as docs/upgrade.md has it: they restart when their template changes,
// which holds the hash of the settings.
func TestWhatRestartsThePods(t *testing.T) {
	const line, botBonnie = "line-direct", "messenger-botbonnie"
	server := func(change func(*v1alpha1.Server)) func(*v1alpha1.ChannelLinkSpec) {
		return func(spec *v1alpha1.ChannelLinkSpec) {
			if spec.Server == nil {
				spec.Server = &v1alpha1.Server{}
			}
			change(spec.Server)
		}
	}
	for _, tc := range []struct {
		name, base string
		change     func(*v1alpha1.ChannelLinkSpec)
		restarts   bool
	}{
		{"a setting that servers know", line, func(s *v1alpha1.ChannelLinkSpec) { s.DisplayName = "Vision" }, true},
		{"image", line, server(func(s *v1alpha1.Server) { s.Image = "mirror.vision.example/server" }), true},
		{"imagePullSecrets", line, server(func(s *v1alpha1.Server) { s.ImagePullSecrets = []v1alpha1.ImagePullSecret{{Name: "mirror"}} }), true},
		{"resources", line, server(func(s *v1alpha1.Server) {
			s.Resources = &corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1")}}
		}), true},
		{"nodeSelector", line, server(func(s *v1alpha1.Server) { s.NodeSelector = map[string]v1alpha1.LabelValue{"disk": "ssd"} }), true},
		{"tolerations", line, server(func(s *v1alpha1.Server) { s.Tolerations = []corev1.Toleration{{Operator: corev1.TolerationOpExists}} }), true},
		{"affinity", line, server(func(s *v1alpha1.Server) { s.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{}} }), true},
		{"topologySpreadConstraints", line, server(func(s *v1alpha1.Server) { s.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{} }), true},
		{"priorityClassName", line, server(func(s *v1alpha1.Server) { s.PriorityClassName = "business" }), true},
		{"podLabels", line, server(func(s *v1alpha1.Server) { s.PodLabels = map[string]v1alpha1.LabelValue{"team": "hr"} }), true},
		{"podAnnotations", line, server(func(s *v1alpha1.Server) { s.PodAnnotations = map[string]v1alpha1.AnnotationValue{"team": "hr"} }), true},
		{"replicas", line, server(func(s *v1alpha1.Server) { s.Replicas = new(int32(5)) }), false},
		{"autoscaling", line, server(func(s *v1alpha1.Server) { s.Autoscaling = &v1alpha1.Autoscaling{MaxReplicas: 9} }), false},
		{"replicas with BotBonnie", botBonnie, server(func(s *v1alpha1.Server) { s.Replicas = new(int32(5)) }), true},
		{"networkPolicy", line, server(func(s *v1alpha1.Server) { s.NetworkPolicy = &v1alpha1.NetworkPolicy{Enabled: new(false)} }), false},
		{"deletionPolicy", line, func(s *v1alpha1.ChannelLinkSpec) { s.DeletionPolicy = v1alpha1.DeletionPolicyUnlinkAll }, false},
		{"unlinkAllTimeoutSeconds", line, func(s *v1alpha1.ChannelLinkSpec) { s.UnlinkAllTimeoutSeconds = new(int32(60)) }, false},
		{"suspend", line, func(s *v1alpha1.ChannelLinkSpec) { s.Suspend = new(true) }, false},
		{"exposure", line, func(s *v1alpha1.ChannelLinkSpec) {
			s.Exposure = &v1alpha1.Exposure{Ingress: &v1alpha1.IngressExposure{}}
		}, false},
		{"store.sqlite.size", line, func(s *v1alpha1.ChannelLinkSpec) {
			s.Store = &v1alpha1.Store{SQLite: &v1alpha1.SQLiteStore{Size: new(resource.MustParse("5Gi"))}}
		}, false},
	} {
		in := read(t, "testdata/"+tc.base+"/in.yaml")
		before := build(t, in).Deployment.Spec.Template
		tc.change(&in.Link.Spec)
		after := build(t, in).Deployment.Spec.Template
		if restarts := !cmp.Equal(before, after); restarts != tc.restarts {
			t.Errorf("%s: the template changes: %t, want %t", tc.name, restarts, tc.restarts)
		}
	}
}
