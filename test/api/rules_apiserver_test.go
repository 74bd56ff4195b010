//go:build apiserver

package api

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"channellink.dev/operator/internal/testenv"
)

var env *testenv.Environment

func TestMain(m *testing.M) { os.Exit(testenv.Run(m, &env)) }

// Every rule of both kinds, on a real API server: what it accepts, and what it refuses with which message at which
// field, and nothing else said. // C73
func TestRules(t *testing.T) {
	namespace := env.Namespace(t)
	for _, rule := range readRuleCases(t) {
		t.Run(rule.Message, func(t *testing.T) {
			for _, c := range rule.Accepted {
				if err := submit(t, namespace, c); err != nil {
					t.Errorf("refused, though %s: %v", c.Reason, err)
				}
			}
			for _, c := range rule.Refused {
				got := causes(submit(t, namespace, c))
				if len(got) != 1 || got[0].Field != c.Field || !says(got[0], rule.Message) {
					t.Errorf("want it refused at %s only, because %s\ngot: %s", c.Field, c.Reason, describe(got))
				}
			}
		})
	}
}

// submit asks the API server to store the object of the case and returns its answer. Only the state before an update is
// stored in fact.
func submit(t *testing.T, namespace string, c ruleCase) error {
	t.Helper()
	object := readObject(t, "base", c.Base)
	object.SetNamespace(namespace)
	object.SetName("")
	object.SetGenerateName("case-")
	if !c.IsUpdate {
		return env.Client.Create(t.Context(), merge(t, object, c.Patch), client.DryRunAll)
	}
	stored := merge(t, object, c.From)
	if err := env.Client.Create(t.Context(), stored); err != nil {
		t.Fatalf("the state before the update is refused, though %s: %v", c.Reason, err)
	}
	return env.Client.Update(t.Context(), merge(t, stored, c.Patch), client.DryRunAll)
}

// notChecked is what the API server adds when the rules did not run because of another fault.
const notChecked = "some validation rules were not checked"

// causes are the faults that the API server names in its answer.
func causes(err error) []metav1.StatusCause {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || status.Status().Details == nil {
		return nil
	}
	var found []metav1.StatusCause
	for _, cause := range status.Status().Details.Causes {
		if !strings.Contains(cause.Message, notChecked) {
			found = append(found, cause)
		}
	}
	return found
}

// says tells whether the cause has exactly this message, apart from the kind of fault and the value that Kubernetes puts
// before it.
func says(cause metav1.StatusCause, message string) bool {
	return cause.Message == message || strings.HasSuffix(cause.Message, ": "+message) || strings.HasSuffix(cause.Message, " "+message)
}

func describe(causes []metav1.StatusCause) string {
	if len(causes) == 0 {
		return "accepted"
	}
	var lines []string
	for _, cause := range causes {
		lines = append(lines, fmt.Sprintf("%s: %s", cause.Field, cause.Message))
	}
	return strings.Join(lines, "\n     ")
}
