package plugin

import (
	"context"
	"fmt"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"channellink.dev/operator/api/v1alpha1"
)

// chain is the order of the conditions: what is wrong first explains what comes after.
var chain = []string{
	v1alpha1.ConditionAccepted, v1alpha1.ConditionSecretsReady, v1alpha1.ConditionIssuerDiscovered, v1alpha1.ConditionStoreReady,
	v1alpha1.ConditionAvailable, v1alpha1.ConditionExposed, v1alpha1.ConditionRegistered, v1alpha1.ConditionConfirmationSeen,
}

// linkStatus is a ChannelLink as `status` tells it.
type linkStatus struct {
	Name      string    `json:"name"`
	Namespace string    `json:"namespace"`
	Platform  string    `json:"platform"`
	PageID    string    `json:"pageID"`
	Ready     result    `json:"ready"`
	Reason    string    `json:"reason"`
	Links     *int64    `json:"activeLinks,omitempty"`
	Chain     []check   `json:"conditions"`
	URLs      []address `json:"urls"`
}

func statusCommand(flags *pflag.FlagSet) func(context.Context, *session) error {
	format := outputFlag(flags)
	return func(ctx context.Context, s *session) error {
		l, err := s.link(ctx)
		if err != nil {
			return err
		}
		told := statusOf(l)
		if format.json() {
			return printJSON(s.Out, told)
		}
		return told.print(s)
	}
}

func statusOf(l *v1alpha1.ChannelLink) linkStatus {
	told := linkStatus{
		Name: l.Name, Namespace: l.Namespace, Platform: string(l.Spec.Platform), PageID: l.Spec.PageID,
		Links: l.Status.ActiveLinks, Chain: conditionChecks(l), URLs: addresses(l),
	}
	ready := conditionCheck(l, v1alpha1.ConditionReady)
	told.Ready, told.Reason = ready.Result, ready.Reason
	return told
}

func (t linkStatus) print(s *session) error {
	fmt.Fprintf(s.Out, "%s in %s: page %s on %s\n", t.Name, t.Namespace, t.PageID, t.Platform)
	ready := "ready"
	if t.Ready != wellResult {
		ready = "not ready, " + t.Reason
	}
	if t.Links != nil {
		ready += fmt.Sprintf("; %d active links", *t.Links)
	}
	fmt.Fprintf(s.Out, "%s\n\n", ready)
	printChecks(s.Out, t.Chain, widest(t.Chain))
	if len(t.URLs) == 0 {
		fmt.Fprintln(s.Out, "\nno URLs yet")
		return nil
	}
	fmt.Fprintln(s.Out)
	rows := make([][]string, 0, 2*len(t.URLs))
	for _, a := range t.URLs {
		rows = append(rows, []string{a.Where, a.What}, []string{"", "  " + a.URL})
	}
	return table(s.Out, rows)
}

// conditionChecks are the conditions that apply, in the order of the chain.
func conditionChecks(l *v1alpha1.ChannelLink) []check {
	var checks []check
	for _, kind := range chain {
		if meta.FindStatusCondition(l.Status.Conditions, kind) != nil {
			checks = append(checks, conditionCheck(l, kind))
		}
	}
	if len(checks) == 0 || l.Status.ObservedGeneration < l.Generation {
		checks = append([]check{{
			Name: "Operator", Result: unknownResult, Reason: v1alpha1.ReasonPending, Message: "The operator has not looked at this spec yet",
			Do: "If that does not change within a minute, see that the operator runs and watches this namespace.",
		}}, checks...)
	}
	return checks
}

// conditionCheck tells a condition. Its message says already what to do.
func conditionCheck(l *v1alpha1.ChannelLink, kind string) check {
	c := meta.FindStatusCondition(l.Status.Conditions, kind)
	if c == nil {
		return check{Name: kind, Result: unknownResult, Reason: v1alpha1.ReasonPending}
	}
	result := unknownResult
	switch c.Status {
	case metav1.ConditionTrue:
		result = wellResult
	case metav1.ConditionFalse:
		result = failedResult
	}
	return check{Name: kind, Result: result, Reason: c.Reason, Message: c.Message}
}
