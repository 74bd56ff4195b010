//go:build apiserver

package controllers_test

import (
	"os"
	"testing"

	. "github.com/onsi/gomega"
	dto "github.com/prometheus/client_model/go"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/yaml"

	"channellink.dev/operator/api/v1alpha1"
)

// read gives the ChannelLink of a fixture, in the namespace.
func read(t *testing.T, fixture, namespace string) *v1alpha1.ChannelLink {
	t.Helper()
	data, err := os.ReadFile("testdata/" + fixture + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	link := &v1alpha1.ChannelLink{}
	if err := yaml.UnmarshalStrict(data, link); err != nil {
		t.Fatalf("%s: %v", fixture, err)
	}
	link.Namespace = namespace
	return link
}

// create makes the ChannelLink of a fixture, after the changes.
func create(t *testing.T, fixture, namespace string, changes ...func(*v1alpha1.ChannelLink)) *v1alpha1.ChannelLink {
	t.Helper()
	link := read(t, fixture, namespace)
	for _, change := range changes {
		change(link)
	}
	if err := env.Client.Create(t.Context(), link); err != nil {
		t.Fatal(err)
	}
	return link
}

// edit changes the ChannelLink's spec.
func edit(t *testing.T, link *v1alpha1.ChannelLink, change func(*v1alpha1.ChannelLinkSpec)) {
	t.Helper()
	NewWithT(t).Eventually(func() error {
		if err := env.Client.Get(t.Context(), client.ObjectKeyFromObject(link), link); err != nil {
			return err
		}
		change(&link.Spec)
		return env.Client.Update(t.Context(), link)
	}).Should(Succeed())
}

// condition is what a test says of a condition.
type condition struct {
	Type   string
	Status metav1.ConditionStatus
	Reason string
}

// eventually waits until the ChannelLink has the condition, about its current generation, and returns it.
func eventually(t *testing.T, link *v1alpha1.ChannelLink, want condition) metav1.Condition {
	t.Helper()
	var found metav1.Condition
	NewWithT(t).Eventually(func(g Gomega) {
		g.Expect(env.Client.Get(t.Context(), client.ObjectKeyFromObject(link), link)).To(Succeed())
		is := meta.FindStatusCondition(link.Status.Conditions, want.Type)
		g.Expect(is).NotTo(BeNil(), "no condition %s", want.Type)
		found = *is
		g.Expect(condition{is.Type, is.Status, is.Reason}).To(Equal(want), is.Message)
		g.Expect(is.ObservedGeneration).To(Equal(link.Generation))
	}).Should(Succeed())
	return found
}

// ready rolls the ChannelLink's server out and waits until it is ready.
func (o *operator) ready(t *testing.T, link *v1alpha1.ChannelLink) {
	t.Helper()
	o.rollOut(t, link)
	eventually(t, link, condition{v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady})
	eventually(t, link, condition{v1alpha1.ConditionReconciling, metav1.ConditionFalse, v1alpha1.ReasonReady})
}

// reconciled is how many passes of the ChannelLink controller have ended in this process, and busy whether it is at one
// or has one to do.
func reconciled(t *testing.T) (ended int, busy bool) {
	t.Helper()
	families, err := metrics.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, metric := range family.Metric {
			if label(metric, "controller") != "channellink" {
				continue
			}
			switch family.GetName() {
			case "controller_runtime_reconcile_total":
				ended += int(metric.GetCounter().GetValue())
			case "controller_runtime_active_workers", "workqueue_depth":
				busy = busy || metric.GetGauge().GetValue() > 0
			}
		}
	}
	return ended, busy
}

func label(metric *dto.Metric, name string) string {
	for _, pair := range metric.Label {
		if pair.GetName() == name {
			return pair.GetValue()
		}
	}
	return ""
}

// settle waits until the controller has made that many passes more than before, and has nothing left to do.
func settle(t *testing.T, before, passes int) {
	t.Helper()
	NewWithT(t).Eventually(func(g Gomega) {
		ended, busy := reconciled(t)
		g.Expect(ended).To(BeNumerically(">=", before+passes))
		g.Expect(busy).To(BeFalse())
	}).Should(Succeed())
}
