package plugin

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/api/meta"

	"channellink.dev/operator/api/v1alpha1"
)

// examination is what the doctor found.
type examination struct {
	Name      string  `json:"name"`
	Namespace string  `json:"namespace"`
	Well      bool    `json:"well"`
	Checks    []check `json:"checks"`
}

func doctorCommand(flags *pflag.FlagSet) func(context.Context, *session) error {
	format := outputFlag(flags)
	wait := flags.Duration("wait-for-call", 0, "then wait so long, such as 2m, for a call of the platform or of BotBonnie")
	return func(ctx context.Context, s *session) error {
		l, err := s.link(ctx)
		if err != nil {
			return err
		}
		found := examination{Name: l.Name, Namespace: l.Namespace, Checks: s.examine(ctx, l)}
		if !format.json() {
			printChecks(s.Out, found.Checks, widest(found.Checks))
		}
		if *wait > 0 {
			called := s.waitForCall(ctx, l, *wait)
			found.Checks = append(found.Checks, called)
			if !format.json() {
				printChecks(s.Out, []check{called}, widest(found.Checks))
			}
		}
		found.Well = !failed(found.Checks)
		if format.json() {
			if err := printJSON(s.Out, found); err != nil {
				return err
			}
		} else {
			fmt.Fprintln(s.Out, verdict(found.Checks))
		}
		if !found.Well {
			return ErrUnwell
		}
		return nil
	}
}

// examine looks at everything: what the operator says, what the cluster has, and what can be seen from this machine.
func (s *session) examine(ctx context.Context, l *v1alpha1.ChannelLink) []check {
	checks := conditionChecks(l)
	checks = append(checks, s.checkReferences(ctx, l)...)
	checks = append(checks, s.checkTokens(ctx, l)...)
	checks = append(checks, s.checkIssuer(ctx, l)...)
	checks = append(checks, s.checkIngressClass(ctx, l)...)
	checks = append(checks, s.checkPublicURL(ctx, l))
	checks = append(checks, s.checkTraffic(ctx, l)...)
	return append(checks, handiwork(l)...)
}

// handiwork is what nobody but a person can check.
func handiwork(l *v1alpha1.ChannelLink) []check {
	e := l.Status.Endpoints
	if e == nil {
		return nil
	}
	var checks []check
	if e.Webhook != "" && l.Spec.BotBonnie == nil && meta.FindStatusCondition(l.Status.Conditions, v1alpha1.ConditionRegistered) == nil {
		checks = append(checks, check{
			Name: "Webhook URL", Result: unknownResult, Message: "nobody compares the URL at the platform with ours",
			Do: "Set spec.webhook.registration: Observe, or see for yourself that the platform has " + e.Webhook,
		})
	}
	if l.Spec.BotBonnie != nil && e.Linked == "" {
		checks = append(checks, check{
			Name: "BotBonnie's modules", Result: unknownResult, Message: "no calls of the bot's modules are taken",
			Do: "Set spec.botBonnie.apiSecretRef, so that the modules \"linked\" and \"unlinked\" can call and links are confirmed at once.",
		})
	}
	return checks
}

func verdict(checks []check) string {
	count := map[result]int{}
	for _, c := range checks {
		count[c.Result]++
	}
	said := fmt.Sprintf("\n%d checks: %d ok", len(checks), count[wellResult])
	if n := count[failedResult]; n > 0 {
		said += fmt.Sprintf(", %d failed", n)
	}
	if n := count[unknownResult]; n > 0 {
		said += fmt.Sprintf(", %d that cannot be told", n)
	}
	if count[failedResult] > 1 {
		first := slices.IndexFunc(checks, func(c check) bool { return c.Result == failedResult })
		said += "\nBegin with " + checks[first].Name + ": what comes after may follow from it."
	}
	return said
}

// days are whole days from now to a time.
func days(now, then time.Time) int { return int(then.Sub(now) / (24 * time.Hour)) }
