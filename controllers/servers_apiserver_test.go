//go:build apiserver

package controllers_test

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/names"
	"channellink.dev/operator/webhookserver/adminapi"
)

// servers stand in for the pods of ChannelLinks, which nobody starts here: they answer the operator's questions. A server
// is known by the UID of its ChannelLink.
type servers struct {
	mu        sync.Mutex
	byChannel map[string]*fakeServer
}

// fakeServer answers with a status or with an error.
type fakeServer struct {
	status adminapi.Status
	err    error
	// failNext is how many questions more get no answer.
	failNext int
	asked    int

	unlinks ledger
}

func newServers() *servers { return &servers{byChannel: map[string]*fakeServer{}} }

// Status implements controllers.Asker.
func (s *servers) Status(_ context.Context, target adminapi.Target, signer *adminapi.Signer) (adminapi.Status, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	server, ok := s.byChannel[target.Audience]
	if !ok {
		return adminapi.Status{}, adminapi.ErrUnreachable
	}
	server.asked++
	if server.failNext > 0 {
		server.failNext--
		return adminapi.Status{}, adminapi.ErrUnreachable
	}
	answer := server.status
	answer.KeyIDs = []string{signer.KeyID()}
	return answer, server.err
}

// change changes what the ChannelLink's server says, and starts it if it does not run.
func (s *servers) change(link *v1alpha1.ChannelLink, how func(*fakeServer)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	server, ok := s.byChannel[string(link.UID)]
	if !ok {
		server = &fakeServer{status: adminapi.Status{
			Version: "0.1.0",
			Issuer:  adminapi.Issuer{State: adminapi.IssuerDiscovered},
			Store:   adminapi.Store{State: adminapi.StoreOpen},
			Links:   &adminapi.Links{},
		}}
		s.byChannel[string(link.UID)] = server
	}
	how(server)
}

// asked is how often the ChannelLink's server has been asked.
func (s *servers) asked(link *v1alpha1.ChannelLink) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if server, ok := s.byChannel[string(link.UID)]; ok {
		return server.asked
	}
	return 0
}

// rollOut waits until there is a Deployment and rolls it out.
func (o *operator) rollOut(t *testing.T, link *v1alpha1.ChannelLink) {
	t.Helper()
	NewWithT(t).Eventually(func() error { return o.tryRollOut(t.Context(), link) }).Should(Succeed())
}

// tryRollOut plays the Deployment's controller and the kubelet: it starts the server with the settings that the template
// names, and has every pod ready.
func (o *operator) tryRollOut(ctx context.Context, link *v1alpha1.ChannelLink) error {
	deployment := &appsv1.Deployment{}
	if err := env.Client.Get(ctx, childOf(link), deployment); err != nil {
		return err
	}
	o.servers.change(link, func(s *fakeServer) {
		s.status.SettingsHash = deployment.Spec.Template.Annotations[names.AnnotationSettingsHash]
	})
	return setPods(ctx, deployment, *deployment.Spec.Replicas)
}

// setPods gives the Deployment that many pods of its current template, all ready.
func setPods(ctx context.Context, deployment *appsv1.Deployment, replicas int32) error {
	available := corev1.ConditionTrue
	if replicas == 0 {
		available = corev1.ConditionFalse
	}
	deployment.Status = appsv1.DeploymentStatus{
		ObservedGeneration: deployment.Generation,
		Replicas:           replicas, UpdatedReplicas: replicas, ReadyReplicas: replicas, AvailableReplicas: replicas,
		Conditions: []appsv1.DeploymentCondition{{Type: appsv1.DeploymentAvailable, Status: available, Reason: "MinimumReplicas"}},
	}
	return env.Client.Status().Update(ctx, deployment)
}

// childOf is the key of the children that bear the ChannelLink's own name.
func childOf(link *v1alpha1.ChannelLink) client.ObjectKey {
	return client.ObjectKey{Namespace: link.Namespace, Name: names.Base(link)}
}

// keySecret is the key of the Secret with the operator's signing keys.
func keySecret(namespace string) client.ObjectKey {
	return client.ObjectKey{Namespace: namespace, Name: names.KeySecret}
}

// keyFile is the name of a signing key in that Secret.
func keyFile(made time.Time) string { return strconv.FormatInt(made.Unix(), 10) + ".pem" }
