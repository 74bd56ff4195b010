//go:build apiserver

package plugin_test

import (
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"channellink.dev/operator/api/v1alpha1"

	"channellink.dev/operator/internal/plugin"
)

// issuer serves metadata, and an authorization endpoint that knows one redirect URI.
func issuer(name, callback string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/.well-known/openid-configuration"):
			_, _ = fmt.Fprintf(w, `{"issuer":%q,"authorization_endpoint":"https://sso.example.com/auth"}`, name)
		case r.URL.Query().Get("redirect_uri") == callback && r.URL.Query().Get("prompt") == "none":
			http.Redirect(w, r, callback+"?error=login_required&state="+r.URL.Query().Get("state"), http.StatusFound)
		default:
			http.Error(w, "Unregistered redirect_uri", http.StatusBadRequest)
		}
	}
}

// channel serves as a server of ours does.
func channel(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("X-Request-Id", "2YIWJDZHWXEOV6CYB5MVATO267")
}

// botBonnieAPI takes the token of vision-hr, asked for nobody's record.
func botBonnieAPI(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer "+canary+"-token" || r.URL.Path != "/v1/api/bot/customers" {
		w.WriteHeader(http.StatusUnauthorized)
	}
	_, _ = fmt.Fprint(w, `{"res":{"records":[]},"status":200}`)
}

func wellServed(d *desk) {
	d.hosts.serve("api.botbonnie.com", botBonnieAPI)
	d.hosts.serve("link.example.com", channel)
	d.hosts.serve("sso.example.com", issuer("https://sso.example.com", "https://link.example.com/hr/callback"))
}

func TestDoctorFindsNothing(t *testing.T) {
	d := newDesk(t, "vision-hr")
	wellServed(d)
	d.golden(t, "doctor", "doctor vision-hr", nil)
}

func TestDoctorFindsMuch(t *testing.T) {
	d := newDesk(t, "vision-shop")
	d.hosts.serve("sso.example.com", issuer("https://sso.example.com/shop", "https://link.example.com/elsewhere"))
	d.golden(t, "doctor-unwell", "doctor vision-shop", plugin.ErrUnwell)
}

// What is wrong outside of the cluster is told apart, each with what to do.
func TestDoctorOnTheWay(t *testing.T) {
	d := newDesk(t, "vision-hr")
	sso := issuer("https://sso.example.com", "https://link.example.com/hr/callback")
	for _, c := range []struct {
		reason       string
		public, sso  http.HandlerFunc
		later        time.Duration
		want, wantDo string
		ends         error
	}{
		{reason: "another server answers", public: http.NotFound, sso: sso,
			want: "something else answers there, with 404", wantDo: "kubectl describe ingress,httproute", ends: plugin.ErrUnwell},
		{reason: "a proxy changes the host", sso: sso, public: func(w http.ResponseWriter, r *http.Request) {
			channel(w, r)
			w.WriteHeader(http.StatusMisdirectedRequest)
		}, want: "the server answers 421", wantDo: "changes the Host header", ends: plugin.ErrUnwell},
		{reason: "the certificate ends soon", public: channel, sso: sso, later: 50 * 24 * time.Hour,
			want: "a certificate that ends in 10 days", wantDo: "renews the certificate"},
		{reason: "the issuer is not to be seen from here, which may be meant so", public: channel,
			want: "the name sso.example.com does not resolve here, seen from this machine"},
		{reason: "the issuer has a slash more", public: channel, sso: issuer("https://sso.example.com/", ""),
			want: `calls itself "https://sso.example.com/"`, wantDo: "a final slash counts", ends: plugin.ErrUnwell},
		{reason: "the issuer answers with a page", public: channel, sso: func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, "/.well-known/") {
				sso(w, r)
			}
		}, want: "which may mean either", wantDo: "there is a client chatbot, with the redirect URI https://link.example.com/hr/callback"},
		{reason: "the issuer shows its login page, but not to others", public: channel, sso: func(w http.ResponseWriter, r *http.Request) {
			switch {
			case strings.HasPrefix(r.URL.Path, "/.well-known/"):
				sso(w, r)
			case r.URL.Path == "/auth": // as dex, which has one connector
				http.Redirect(w, r, "/auth/local?"+r.URL.RawQuery, http.StatusFound)
			case r.URL.Query().Get("redirect_uri") != "https://link.example.com/hr/callback":
				w.WriteHeader(http.StatusBadRequest)
			}
		}, want: "ok Redirect URI the issuer takes it, and refuses another"},
		{reason: "the issuer leads in a circle", public: channel, sso: func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, "/.well-known/") {
				sso(w, r)
				return
			}
			http.Redirect(w, r, r.URL.String(), http.StatusFound)
		}, want: "a page of its own (302), which may mean either"},
		{reason: "no metadata", public: channel, sso: func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, "<html>") },
			want: "no metadata of an OpenID provider", ends: plugin.ErrUnwell},
		{reason: "no discovery", public: channel, sso: http.NotFound, want: "answers 404 where its metadata should be", ends: plugin.ErrUnwell},
	} {
		d.hosts.serve("link.example.com", c.public)
		d.hosts.serve("sso.example.com", c.sso)
		d.hosts.later = c.later
		got := d.run(t, "doctor vision-hr")
		text := strings.Join(strings.Fields(got.out), " ")
		if !strings.Contains(text, c.want) || !strings.Contains(text, c.wantDo) || !errors.Is(got.failure, c.ends) {
			t.Errorf("%s: %v, want %q and %q in\n%s", c.reason, got.failure, c.want, c.wantDo, got.out)
		}
	}
}

// Who may not read Secrets is told so, and nothing is said to be wrong.
func TestDoctorWithoutSecrets(t *testing.T) {
	d := newDesk(t, "vision-hr")
	wellServed(d)
	d.kubeconfig = env.Kubeconfig(t, viewer(t, d))
	got := d.run(t, "doctor vision-hr")
	if got.failure != nil || strings.Count(got.out, "you may not read it") != 2 {
		t.Errorf("%v, want it said of two Secrets once each:\n%s", got.failure, got.out)
	}
}

// viewer may read ChannelLinks of the desk and nothing else.
func viewer(t *testing.T, d *desk) *rest.Config {
	t.Helper()
	env.Grant(t, "viewer", d.namespace, rbacv1.PolicyRule{APIGroups: []string{"channellink.dev"}, Resources: []string{"channellinks"}, Verbs: []string{"get"}})
	config := env.User(t, "viewer")
	as, err := client.New(config, client.Options{Scheme: env.Scheme})
	if err != nil {
		t.Fatal(err)
	}
	// The authorizer learns of roles by a watch.
	NewWithT(t).Eventually(func() error {
		return as.Get(t.Context(), client.ObjectKey{Namespace: d.namespace, Name: "nobody"}, &v1alpha1.ChannelLink{})
	}).WithTimeout(20 * time.Second).Should(Satisfy(apierrors.IsNotFound))
	return config
}

// podMetrics stands before the API server and answers for the pods, which no kubelet runs here: what they count is what a test
// says.
type podMetrics struct {
	*httptest.Server
	asked atomic.Int32
	read  func(asked int) string // the metrics, when they are asked for the first time, the second, …
}

func newPodMetrics(t *testing.T) *podMetrics {
	t.Helper()
	target, err := url.Parse(env.Config.Host)
	if err != nil {
		t.Fatal(err)
	}
	transport, err := rest.TransportFor(env.Config)
	if err != nil {
		t.Fatal(err)
	}
	m := &podMetrics{}
	proxy := &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport: transport,
	}
	m.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "-0:9090/proxy/metrics") {
			proxy.ServeHTTP(w, r)
			return
		}
		_, _ = fmt.Fprint(w, m.read(int(m.asked.Add(1))))
	}))
	t.Cleanup(m.Close)
	return m
}

func (m *podMetrics) config() *rest.Config {
	return &rest.Config{Host: m.URL, TLSClientConfig: rest.TLSClientConfig{CAData: pem.EncodeToMemory(
		&pem.Block{Type: "CERTIFICATE", Bytes: m.Certificate().Raw})}}
}

// runningPod is a pod of the server of a ChannelLink, as far as the API server knows.
func (d *desk) runningPod(t *testing.T, name string) *corev1.Pod {
	t.Helper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name + "-0", Namespace: d.namespace, Labels: map[string]string{
			"app.kubernetes.io/name": "channellink-server", "app.kubernetes.io/instance": name, "app.kubernetes.io/component": "server",
		}},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Name: "server", Image: "registry.example/server", Ports: []corev1.ContainerPort{{Name: "ops", ContainerPort: 9090}},
		}}},
	}
	if err := env.Client.Create(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	pod.Status.Phase = corev1.PodRunning
	if err := env.Client.Status().Update(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	return pod
}

// TestDoctorWaitsForACall has a platform call, and says how it was answered.
func TestDoctorWaitsForACall(t *testing.T) {
	const other = `channellink_http_requests_total{code="200",method="GET",port="public",route="GET /{$}"} %d
channellink_http_requests_total{code="200",method="GET",port="ops",route="GET /metrics"} %d
channellink_http_requests_total{code="200",method="POST",port="public",route="POST /webhook"} 7
channellink_http_requests_total{code="%s",method="POST",port="public",route="POST /botbonnie/linked"} %d
`
	d := newDesk(t, "vision-hr")
	wellServed(d)
	pod := d.runningPod(t, "vision-hr")
	for _, c := range []struct {
		reason, file, code, patience string
		calls                        int
		want                         error
	}{
		{"a call with a wrong signature", "doctor-call-refused", "401", "2m", 4, plugin.ErrUnwell},
		{"a call that was taken", "doctor-call", "200", "2m", 4, nil},
		{"nobody calls", "doctor-no-call", "200", "1s", 3, plugin.ErrUnwell},
	} {
		t.Run(c.reason, func(t *testing.T) {
			m := newPodMetrics(t)
			m.read = func(asked int) string {
				if asked <= 2 { // of what there was so far, and before it waits
					return fmt.Sprintf(other, 1, 1, c.code, 3)
				}
				return fmt.Sprintf(other, 2, 2, c.code, c.calls)
			}
			d.kubeconfig = env.Kubeconfig(t, m.config())
			d.golden(t, c.file, "doctor vision-hr --wait-for-call "+c.patience, c.want)
		})
	}
	if err := env.Client.Delete(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	d.kubeconfig = env.Kubeconfig(t, env.Config)
	if got := d.run(t, "doctor vision-hr --wait-for-call 1s"); got.failure != nil {
		t.Errorf("without a pod nothing is wrong with the channel's callers: %v\n%s", got.failure, got.out)
	}
}
