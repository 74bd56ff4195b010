//go:build apiserver

package plugin_test

import (
	"context"
	"strings"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"channellink.dev/operator/api/v1alpha1"
)

// The doctor tells what the pods have counted, before anybody calls for him.
func TestDoctorTellsOfTheCallsSoFar(t *testing.T) {
	d := newDesk(t, "vision-hr")
	wellServed(d)
	d.runningPod(t, "vision-hr")
	taken := func(code, route, n string) string {
		return `channellink_http_requests_total{code="` + code + `",method="POST",port="public",route="` + route + `"} ` + n + "\n"
	}
	made := func(class, n string) string {
		return `channellink_outbound_calls_total{channel="vision-hr",class="` + class + `",target="botbonnie"} ` + n + "\n"
	}
	for _, c := range []struct{ reason, metrics, says string }{
		{"nobody has called; a login page is no call", taken("302", "GET /authorize", "3") + made("2xx", "0"),
			"? Calls so far none since the pods started > Write to the bot"},
		{"all is well", taken("200", "POST /botbonnie/linked", "3") + made("2xx", "5"), "ok Calls so far 3 taken ok Calls to BotBonnie 5 went well"},
		{"some were not BotBonnie's", taken("200", "POST /botbonnie/linked", "3") + taken("401", "POST /services/{name}", "2"), "ok Calls so far 3 taken, 2 refused"},
		{"the secret is another one", taken("401", "POST /botbonnie/linked", "2"), "FAIL Calls so far all 2 answered 401 > The signature is wrong"},
		{"the bot is another one", taken("403", "POST /botbonnie/linked", "2"), "FAIL Calls so far all 2 answered 403 > The call is about another bot"},
		{"BotBonnie has refused all", made("4xx", "4"), "? Calls to BotBonnie none went well: 4 refused"},
		{"and was not there", made("unreachable", "3") + made("timeout", "1"), "? Calls to BotBonnie none went well: 4 without an answer > See that pods reach BotBonnie"},
		{"and came back", made("2xx", "1") + made("5xx", "2"), "ok Calls to BotBonnie 1 went well, 2 did not"},
	} {
		m := newPodMetrics(t)
		m.read = func(int) string { return c.metrics }
		d.kubeconfig = env.Kubeconfig(t, m.config())
		got := d.run(t, "doctor vision-hr")
		if text := strings.Join(strings.Fields(got.out), " "); !strings.Contains(text, c.says) {
			t.Errorf("%s: want %q in\n%s", c.reason, c.says, got.out)
		}
	}
}

// An Ingress that nobody takes up is mostly one of a class that is not there.
func TestDoctorKnowsTheIngressClasses(t *testing.T) {
	d := newDesk(t, "vision-hr")
	wellServed(d)
	var link v1alpha1.ChannelLink
	d.object(t, "vision-hr", &link)
	meta.SetStatusCondition(&link.Status.Conditions, metav1.Condition{
		Type: v1alpha1.ConditionExposed, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonExposurePending,
	})
	if err := env.Client.Status().Update(t.Context(), &link); err != nil {
		t.Fatal(err)
	}
	wants := func(reason, says string) {
		t.Helper()
		got := d.run(t, "doctor vision-hr")
		if text := strings.Join(strings.Fields(got.out), " "); !strings.Contains(text, says) || strings.Contains(text, "Ingress class") != strings.Contains(says, "Ingress class") {
			t.Errorf("%s: want %q in\n%s", reason, says, got.out)
		}
	}
	wants("no controller at all", "FAIL Ingress class the cluster has no IngressClass nginx > Install an ingress controller.")
	class := &networkingv1.IngressClass{ObjectMeta: metav1.ObjectMeta{Name: "traefik"}, Spec: networkingv1.IngressClassSpec{Controller: "example.com/ingress"}}
	if err := env.Client.Create(t.Context(), class); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := env.Client.Delete(context.Background(), class); err != nil {
			t.Error(err)
		}
	})
	wants("another class", "FAIL Ingress class the cluster has no IngressClass nginx > Set spec.exposure.ingress.className to one that is there: traefik")

	d.object(t, "vision-hr", &link)
	link.Spec.Exposure.Ingress.ClassName = ""
	if err := env.Client.Update(t.Context(), &link); err != nil {
		t.Fatal(err)
	}
	wants("no default", "FAIL Ingress class the cluster has no default IngressClass, and the spec names none")
	class.Annotations = map[string]string{networkingv1.AnnotationIsDefaultIngressClass: "true"}
	if err := env.Client.Update(t.Context(), class); err != nil {
		t.Fatal(err)
	}
	wants("the default", "FAIL Exposed ExposurePending")

	// What is seen from here follows from what the operator says.
	d.hosts.serve("link.example.com", answers(404, ""))
	wants("a consequence", "? Public URL something else answers there, with 404, as long as nobody comes to the server")
}
