//go:build cluster

package cluster

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"channellink.dev/operator/api/v1alpha1"
)

// C66: the namespace enforces the restricted profile, so that a pod that breaks it would never start.
func TestApplyBecomesReadyAndAnswers(t *testing.T) {
	link := newLink(t, namespace(t), "hr")
	create(t, link)
	awaitReady(t, link)

	t.Run("through the ingress", func(t *testing.T) { awaitPage(t, link, "Vision HR") })
	t.Run("urls in the status", func(t *testing.T) {
		want := string(link.Spec.PublicURL) + "/authorize"
		if link.Status.Endpoints == nil || link.Status.Endpoints.Authorize != want {
			t.Errorf("status.endpoints = %+v, want authorize %s", link.Status.Endpoints, want)
		}
	})
	t.Run("no credentials in the pod", func(t *testing.T) {
		for _, volume := range theirPod(t, link).Spec.Volumes {
			if volume.Projected == nil {
				continue
			}
			for _, source := range volume.Projected.Sources {
				if source.ServiceAccountToken != nil {
					t.Errorf("volume %s mounts a service account token", volume.Name)
				}
			}
		}
	})
}

func TestGatewayRouteBecomesExposed(t *testing.T) {
	link := newLink(t, namespace(t), "hr", func(l *v1alpha1.ChannelLink) {
		l.Spec.PublicURL += "/people/hr"
		l.Spec.Exposure = &v1alpha1.Exposure{Gateway: &v1alpha1.GatewayExposure{
			ParentRefs: []v1alpha1.GatewayReference{{Name: "channellink", Namespace: "traefik"}},
		}}
	})
	create(t, link)
	awaitReady(t, link)
	awaitCondition(t, link, v1alpha1.ConditionExposed, metav1.ConditionTrue, v1alpha1.ReasonExposed)
	awaitPage(t, link, "Vision HR")
}

func TestDeleteLeavesTheVolumeAndItIsTakenUpAgain(t *testing.T) {
	ns := namespace(t)
	link := newLink(t, ns, "hr")
	create(t, link)
	awaitReady(t, link)
	before := volume(t, link)

	if err := cluster.Delete(t.Context(), link); err != nil {
		t.Fatal(err)
	}
	NewWithT(t).Eventually(func() ([]string, error) { return childrenOf(t.Context(), ns) }).
		WithTimeout(soon).WithPolling(poll).Should(ConsistOf("PersistentVolumeClaim/hr-data"))

	again := newLink(t, ns, "hr")
	create(t, again)
	awaitReady(t, again)
	if after := volume(t, again); after.UID != before.UID {
		t.Errorf("the volume was made anew (%s, then %s): the links are lost", before.UID, after.UID)
	}
}

func TestMissingSecretKeyIsNamedAndRecovers(t *testing.T) {
	ns := namespace(t)
	key := types.NamespacedName{Namespace: ns, Name: "vision-sso"}
	secret := &corev1.Secret{}
	if err := cluster.Get(t.Context(), key, secret); err != nil {
		t.Fatal(err)
	}
	kept := secret.DeepCopy()
	delete(secret.Data, "clientSecret")
	if err := cluster.Update(t.Context(), secret); err != nil {
		t.Fatal(err)
	}

	link := newLink(t, ns, "hr")
	create(t, link)
	found := awaitCondition(t, link, v1alpha1.ConditionSecretsReady, metav1.ConditionFalse, v1alpha1.ReasonSecretMissing)
	NewWithT(t).Expect(found.Message).To(And(ContainSubstring(`"clientSecret"`), ContainSubstring(`"vision-sso"`)))
	pod := theirPod(t, link)

	newPlugin(t).followsTheDoctor(link, string(kept.Data["clientSecret"]))
	awaitReady(t, link)
	after := theirPod(t, link)
	if after.UID != pod.UID || restarts(after) != 0 {
		t.Errorf("the pod was replaced or restarted to find its secret: %s, then %s with %d restarts", pod.UID, after.UID, restarts(after))
	}

	// Taken away again, the server goes on with what it had and says so.
	if err := cluster.Get(t.Context(), key, secret); err != nil {
		t.Fatal(err)
	}
	delete(secret.Data, "clientSecret")
	if err := cluster.Update(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	awaitCondition(t, link, v1alpha1.ConditionSecretsReady, metav1.ConditionFalse, v1alpha1.ReasonSecretVanished)
	awaitPage(t, link, "Vision HR")
}

// C70
func TestDriftIsRepairedAndTheUsersOwnStays(t *testing.T) {
	link := newLink(t, namespace(t), "hr")
	create(t, link)
	awaitReady(t, link)
	key := client.ObjectKeyFromObject(link)

	service := &corev1.Service{}
	patch(t, service, key, `{"metadata": {"labels": {"team": "hr"}}, "spec": {"ports": [{"name": "http", "port": 81, "targetPort": "admin"}]}}`)
	deployment := &appsv1.Deployment{}
	patch(t, deployment, key, `{"spec": {"template": {"spec": {"automountServiceAccountToken": true}}}}`)
	policy := &networkingv1.NetworkPolicy{}
	if err := cluster.Get(t.Context(), key, policy); err != nil {
		t.Fatal(err)
	}
	if err := cluster.Delete(t.Context(), policy); err != nil {
		t.Fatal(err)
	}

	NewWithT(t).Eventually(func(g Gomega) {
		g.Expect(cluster.Get(t.Context(), key, service)).To(Succeed())
		g.Expect(service.Spec.Ports).To(HaveLen(2), "a port's number is its key: the changed one must go")
		g.Expect(service.Spec.Ports[0].Port).To(Equal(int32(80)))
		g.Expect(service.Spec.Ports[0].TargetPort.String()).To(Equal("http"))
		g.Expect(service.Labels).To(HaveKeyWithValue("team", "hr"), "a user's own label stays")
		g.Expect(cluster.Get(t.Context(), key, deployment)).To(Succeed())
		g.Expect(deployment.Spec.Template.Spec.AutomountServiceAccountToken).To(HaveValue(BeFalse()))
		g.Expect(cluster.Get(t.Context(), key, policy)).To(Succeed())
		g.Expect(policy.DeletionTimestamp).To(BeNil())
	}).WithTimeout(soon).WithPolling(poll).Should(Succeed())
	awaitReady(t, link)
}

func TestTwentyAtOnce(t *testing.T) {
	t.Parallel() // it rests for more than a minute
	ns := namespace(t)
	var links []*v1alpha1.ChannelLink
	for i := range 20 {
		link := newLink(t, ns, fmt.Sprintf("link-%02d", i))
		create(t, link)
		links = append(links, link)
	}
	awaitReady(t, links...)

	t.Run("at rest", func(t *testing.T) { nothingIsWritten(t, links) })
}

// awaitPage waits until the channel's own page, with this text in it, comes through the ingress. It waits, because an Ingress
// has its address, and a new pod is ready, some moments before the ingress controller sends anybody there.
func awaitPage(t *testing.T, link *v1alpha1.ChannelLink, text string) {
	t.Helper()
	url := string(link.Spec.PublicURL) + "/"
	NewWithT(t).Eventually(func(g Gomega) {
		status, body := get(t, url)
		g.Expect(status).To(Equal(http.StatusOK), "GET %s\n%s", url, body)
		g.Expect(body).To(ContainSubstring(text), "GET %s", url)
	}).WithTimeout(soon).WithPolling(poll).Should(Succeed())
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := loopback.Do(request)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return 0, err.Error()
	}
	return response.StatusCode, string(body)
}

// loopback resolves every name to this machine, as browsers do with *.localhost.
var loopback = &http.Client{Transport: &http.Transport{
	DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		_, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		return (&net.Dialer{}).DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
	},
	DisableKeepAlives: true,
}}

func patch(t *testing.T, object client.Object, key types.NamespacedName, merge string) {
	t.Helper()
	object.SetNamespace(key.Namespace)
	object.SetName(key.Name)
	if err := cluster.Patch(t.Context(), object, client.RawPatch(types.MergePatchType, []byte(merge))); err != nil {
		t.Fatal(err)
	}
}

func volume(t *testing.T, link *v1alpha1.ChannelLink) *corev1.PersistentVolumeClaim {
	t.Helper()
	claim := &corev1.PersistentVolumeClaim{}
	if err := cluster.Get(t.Context(), types.NamespacedName{Namespace: link.Namespace, Name: link.Name + "-data"}, claim); err != nil {
		t.Fatal(err)
	}
	return claim
}

// theirPod is the one pod of the ChannelLink's server.
func theirPod(t *testing.T, link *v1alpha1.ChannelLink) *corev1.Pod {
	t.Helper()
	pods := &corev1.PodList{}
	if err := cluster.List(t.Context(), pods, client.InNamespace(link.Namespace), client.MatchingLabels{"app.kubernetes.io/instance": link.Name}); err != nil {
		t.Fatal(err)
	}
	if len(pods.Items) != 1 {
		t.Fatalf("%d pods of %s, want 1", len(pods.Items), link.Name)
	}
	return &pods.Items[0]
}

func restarts(pod *corev1.Pod) int32 {
	var n int32
	for _, status := range pod.Status.ContainerStatuses {
		n += status.RestartCount
	}
	return n
}

// childrenOf lists everything of ours in the namespace, as kind/name.
func childrenOf(ctx context.Context, namespace string) ([]string, error) {
	var found []string
	for kind, list := range map[string]client.ObjectList{
		"ServiceAccount": &corev1.ServiceAccountList{}, "ConfigMap": &corev1.ConfigMapList{}, "Service": &corev1.ServiceList{},
		"PersistentVolumeClaim": &corev1.PersistentVolumeClaimList{}, "Deployment": &appsv1.DeploymentList{},
		"ReplicaSet": &appsv1.ReplicaSetList{}, "Pod": &corev1.PodList{},
		"NetworkPolicy": &networkingv1.NetworkPolicyList{}, "Ingress": &networkingv1.IngressList{},
	} {
		err := cluster.List(ctx, list, client.InNamespace(namespace), client.HasLabels{"app.kubernetes.io/instance"})
		if err != nil && !apierrors.IsNotFound(err) {
			return nil, err
		}
		for _, name := range namesIn(list) {
			found = append(found, kind+"/"+name)
		}
	}
	return found, nil
}
