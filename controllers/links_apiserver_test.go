//go:build apiserver

package controllers_test

import (
	"os"
	"slices"
	"testing"
	"time"

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

// ready rolls out whatever Deployment the ChannelLink has, until it is ready and nothing is left to do.
func (o *operator) ready(t *testing.T, link *v1alpha1.ChannelLink) {
	t.Helper()
	o.readyWithin(t, link, patience)
}

// readyWithin is ready with another patience than the tests' own.
func (o *operator) readyWithin(t *testing.T, link *v1alpha1.ChannelLink, patience time.Duration) {
	t.Helper()
	NewWithT(t).Eventually(func(g Gomega) {
		g.Expect(o.tryRollOut(t.Context(), link)).To(Succeed())
		g.Expect(env.Client.Get(t.Context(), client.ObjectKeyFromObject(link), link)).To(Succeed())
		for _, want := range []condition{
			{v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady},
			{v1alpha1.ConditionReconciling, metav1.ConditionFalse, v1alpha1.ReasonReady},
		} {
			is := meta.FindStatusCondition(link.Status.Conditions, want.Type)
			g.Expect(is).NotTo(BeNil(), "no condition %s", want.Type)
			g.Expect(condition{is.Type, is.Status, is.Reason}).To(Equal(want), is.Message)
			g.Expect(is.ObservedGeneration).To(Equal(link.Generation))
		}
	}).WithTimeout(patience).Should(Succeed())
}

// work is what the process's metrics say of the ChannelLink controller: passes that have ended, and what is under way or
// waits. The metrics outlive a manager, and a queue that is shut down takes nothing off, so only differences count.
type work struct{ ended, open float64 }

func workOf(t *testing.T) work {
	t.Helper()
	return workOfController(t, "channellink")
}

// workOfController is the same of another controller.
func workOfController(t *testing.T, name string) work {
	t.Helper()
	families, err := metrics.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var w work
	for _, family := range families {
		for _, metric := range family.Metric {
			if !slices.ContainsFunc(metric.Label, func(pair *dto.LabelPair) bool {
				return pair.GetName() == "controller" && pair.GetValue() == name
			}) {
				continue
			}
			switch family.GetName() {
			case "controller_runtime_reconcile_total":
				w.ended += metric.GetCounter().GetValue()
			case "controller_runtime_active_workers", "workqueue_depth":
				w.open += metric.GetGauge().GetValue()
			}
		}
	}
	return w
}

// passes is how many passes over ChannelLinks have ended in this process.
func passes(t *testing.T) float64 {
	t.Helper()
	return workOf(t).ended
}

// unlinkPasses is the same of AccountUnlinks.
func unlinkPasses(t *testing.T) float64 {
	t.Helper()
	return workOfController(t, "accountunlink").ended
}

// settle waits until the operator has made that many passes more than before, and has nothing left to do.
func (o *operator) settle(before float64, passes int) {
	o.t.Helper()
	NewWithT(o.t).Eventually(func(g Gomega) {
		now := workOf(o.t)
		g.Expect(now.ended).To(BeNumerically(">=", before+float64(passes)))
		g.Expect(now.open).To(Equal(o.atStart.open))
	}).Should(Succeed())
}
