//go:build cluster

package cluster

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"channellink.dev/operator/api/v1alpha1"
)

// prefix is the path below which the channels of these tests are served.
const prefix = "/people/hr"

// An Ingress with a certificate: from outside, through TLS, a login begins below the path prefix. Exposed says whether an
// ingress controller has taken the Ingress up.
func TestIngressThroughTLS(t *testing.T) {
	ns := namespace(t)
	link := newLink(t, ns, "hr", overTLS, func(l *v1alpha1.ChannelLink) {
		l.Spec.Exposure = &v1alpha1.Exposure{Ingress: &v1alpha1.IngressExposure{ClassName: "nobody", TLSSecretName: "hr-tls"}}
	})
	outside := certify(t, ns, "hr-tls", hostOf(t, link))
	create(t, link)
	awaitCondition(t, link, v1alpha1.ConditionAvailable, metav1.ConditionTrue, v1alpha1.ReasonAvailable)
	awaitCondition(t, link, v1alpha1.ConditionExposed, metav1.ConditionFalse, v1alpha1.ReasonExposurePending)
	awaitCondition(t, link, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonExposurePending)

	patch(t, &v1alpha1.ChannelLink{}, client.ObjectKeyFromObject(link), `{"spec": {"exposure": {"ingress": {"className": "traefik"}}}}`)
	awaitReady(t, link)
	awaitLogin(t, outside, link)
}

// An HTTPRoute of a Gateway that ends TLS: the same. Exposed says what the Gateway's controller has written into the
// HTTPRoute's own status: nothing yet, that the listener does not let the namespace in, that it does.
func TestRouteThroughTLS(t *testing.T) {
	ns, elsewhere := namespace(t), namespace(t)
	link := newLink(t, ns, "hr", overTLS, func(l *v1alpha1.ChannelLink) {
		l.Spec.Exposure = &v1alpha1.Exposure{Gateway: &v1alpha1.GatewayExposure{
			ParentRefs: []v1alpha1.GatewayReference{{Name: "public", Namespace: v1alpha1.NamespaceName(elsewhere)}},
		}}
	})
	outside := certify(t, elsewhere, "public-tls", hostOf(t, link))
	create(t, link)
	awaitCondition(t, link, v1alpha1.ConditionAvailable, metav1.ConditionTrue, v1alpha1.ReasonAvailable)
	awaitCondition(t, link, v1alpha1.ConditionExposed, metav1.ConditionFalse, v1alpha1.ReasonExposurePending)

	gateway := &gatewayv1.Gateway{
		ObjectMeta: metav1.ObjectMeta{Namespace: elsewhere, Name: "public"},
		Spec: gatewayv1.GatewaySpec{GatewayClassName: "traefik", Listeners: []gatewayv1.Listener{{
			Name: "https", Protocol: gatewayv1.HTTPSProtocolType, Port: portNumber(t, tlsPort),
			TLS:           &gatewayv1.ListenerTLSConfig{CertificateRefs: []gatewayv1.SecretObjectReference{{Name: "public-tls"}}},
			AllowedRoutes: &gatewayv1.AllowedRoutes{Namespaces: &gatewayv1.RouteNamespaces{From: new(gatewayv1.NamespacesFromSame)}},
		}}},
	}
	create(t, gateway)
	awaitCondition(t, link, v1alpha1.ConditionExposed, metav1.ConditionFalse, v1alpha1.ReasonRouteNotAccepted)
	awaitCondition(t, link, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonRouteNotAccepted)

	patch(t, gateway, client.ObjectKeyFromObject(gateway), `{"spec": {"listeners": [{"name": "https", "protocol": "HTTPS", "port": `+tlsPort+`,
		"tls": {"certificateRefs": [{"name": "public-tls"}]}, "allowedRoutes": {"namespaces": {"from": "All"}}}]}}`)
	awaitReady(t, link)
	awaitLogin(t, outside, link)
}

// overTLS puts the ChannelLink behind https, below a path.
func overTLS(link *v1alpha1.ChannelLink) {
	at, err := url.Parse(string(link.Spec.PublicURL))
	if err != nil {
		panic(err) // it is made of this package's template
	}
	link.Spec.PublicURL = v1alpha1.URL("https://" + at.Hostname() + ":" + tlsPort + prefix)
}

func hostOf(t *testing.T, link *v1alpha1.ChannelLink) string {
	t.Helper()
	at, err := url.Parse(string(link.Spec.PublicURL))
	if err != nil {
		t.Fatal(err)
	}
	return at.Hostname()
}

func portNumber(t *testing.T, port string) int32 {
	t.Helper()
	number, err := strconv.ParseInt(port, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	return int32(number)
}

// awaitLogin waits until somebody outside who opens the login URL is sent to the issuer, with the way back below the prefix.
func awaitLogin(t *testing.T, outside *http.Client, link *v1alpha1.ChannelLink) {
	t.Helper()
	authorize := string(link.Spec.PublicURL) + "/authorize"
	login := authorize + "?" + url.Values{
		"userId": {"U206d25c2ea6bd87c17655609a1c37cb8"}, "pageId": {link.Spec.PageID}, "carry": {"carried"}, "linkToken": {rand.Text()},
	}.Encode()
	NewWithT(t).Eventually(func(g Gomega) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, login, nil)
		g.Expect(err).NotTo(HaveOccurred())
		response, err := outside.Do(request)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(response.Body.Close()).To(Succeed())
		g.Expect(response.StatusCode).To(Equal(http.StatusFound), "GET %s", authorize)
		to, err := response.Location()
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(to.Hostname()).To(Equal("dex.localhost"))
		g.Expect(to.Query().Get("redirect_uri")).To(Equal(string(link.Spec.PublicURL) + "/callback"))
		g.Expect(response.Cookies()).To(HaveLen(1))
		g.Expect(response.Cookies()[0].Secure).To(BeTrue())
	}).WithTimeout(soon).WithPolling(poll).Should(Succeed())
}

// certify makes a Secret with a certificate for the host, and a client outside the cluster that trusts this one alone.
func certify(t *testing.T, namespace, secret, host string) *http.Client {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})
	create(t, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: secret}, Type: corev1.SecretTypeTLS,
		Data: map[string][]byte{
			corev1.TLSCertKey:       public,
			corev1.TLSPrivateKeyKey: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
		},
	})
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(public)
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DisableKeepAlives: true,
			TLSClientConfig:   &tls.Config{RootCAs: roots},
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				return loopback.Transport.(*http.Transport).DialContext(ctx, network, address)
			},
		},
	}
}
