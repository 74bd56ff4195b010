package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// certLife outlives any development cluster.
const certLife = 10 * 365 * 24 * time.Hour

// identity is one key pair that the cluster's authority vouches for. Kubernetes
// reads the user from the common name and the groups from the organizations.
type identity struct {
	file   string // base name below .cluster/pki
	user   string
	groups []string
	hosts  []string // of a server; none for a mere client
}

// identities are all that the cluster needs.
var identities = []identity{
	{file: "etcd", user: "etcd", hosts: []string{"127.0.0.1"}},
	{file: "loopback", user: "loopback", hosts: []string{"127.0.0.1"}},
	{file: "apiserver", user: "kube-apiserver", hosts: []string{
		nodeIP, apiIP, "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local",
	}},
	{file: "apiserver-client", user: "kube-apiserver", groups: []string{"system:masters"}},
	{file: "kubelet", user: "system:node:" + nodeName, groups: []string{"system:nodes"}, hosts: []string{nodeIP, nodeName}},
	{file: "kube-controller-manager", user: "system:kube-controller-manager"},
	{file: "kube-scheduler", user: "system:kube-scheduler"},
	{file: "kube-proxy", user: "system:kube-proxy"},
	{file: "agent", user: "system:cluster-agent"},
	{file: "admin", user: "admin", groups: []string{"system:masters"}},
}

// ensurePKI makes the certificate authority, every identity and the key that
// signs service-account tokens, unless these very identities are there.
func (c *cluster) ensurePKI(now time.Time) error {
	made := fmt.Sprintf("%+v", identities)
	if old, err := os.ReadFile(c.pki("made")); err == nil && string(old) == made {
		return nil
	}
	if err := os.MkdirAll(c.path("pki"), 0o700); err != nil {
		return err
	}
	caKey, ca, err := newAuthority(now)
	if err != nil {
		return err
	}
	if err := writePair(c.pki("ca"), caKey, ca.Raw); err != nil {
		return err
	}
	for i, id := range identities {
		key, cert, err := id.issue(int64(i)+2, now, caKey, ca)
		if err != nil {
			return fmt.Errorf("certificate of %s: %w", id.file, err)
		}
		if err := writePair(c.pki(id.file), key, cert); err != nil {
			return err
		}
	}
	tokenKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	if err := writePair(c.pki("service-account"), tokenKey, nil); err != nil {
		return err
	}
	return os.WriteFile(c.pki("made"), []byte(made), 0o600)
}

// pki returns a path below .cluster/pki; cert and key add the usual endings.
func (c *cluster) pki(name string) string  { return c.path("pki", name) }
func (c *cluster) cert(name string) string { return c.pki(name) + ".crt" }
func (c *cluster) key(name string) string  { return c.pki(name) + ".key" }

func newAuthority(now time.Time) (*ecdsa.PrivateKey, *x509.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "channellink development cluster"},
		NotBefore:             now.Add(-time.Hour), // a clock set back does no harm
		NotAfter:              now.Add(certLife),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, nil, err
	}
	cert, err := x509.ParseCertificate(raw)
	return key, cert, err
}

func (id identity) issue(serial int64, now time.Time, caKey *ecdsa.PrivateKey, ca *x509.Certificate) (*ecdsa.PrivateKey, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial),
		Subject:      pkix.Name{CommonName: id.user, Organization: id.groups},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.Add(certLife),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if len(id.hosts) > 0 {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	for _, host := range id.hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, ca, key.Public(), caKey)
	return key, cert, err
}

// writePair writes base.key, and base.crt or, without a certificate, base.pub.
func writePair(base string, key *ecdsa.PrivateKey, cert []byte) error {
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	public := base + ".crt"
	block := &pem.Block{Type: "CERTIFICATE", Bytes: cert}
	if cert == nil {
		public = base + ".pub"
		block.Type = "PUBLIC KEY"
		if block.Bytes, err = x509.MarshalPKIXPublicKey(key.Public()); err != nil {
			return err
		}
	}
	return errors.Join(
		os.WriteFile(base+".key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600),
		os.WriteFile(public, pem.EncodeToMemory(block), 0o644),
	)
}

// client returns an HTTP client that trusts the cluster's authority and shows
// the named identity.
func (c *cluster) client(name string) (*http.Client, error) {
	roots := x509.NewCertPool()
	raw, err := os.ReadFile(c.cert("ca"))
	if err != nil {
		return nil, err
	}
	if !roots.AppendCertsFromPEM(raw) {
		return nil, fmt.Errorf("no certificate in %s", filepath.Base(c.cert("ca")))
	}
	pair, err := tls.LoadX509KeyPair(c.cert(name), c.key(name))
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}}}
	return &http.Client{Transport: transport}, nil
}
