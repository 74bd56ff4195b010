package main

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"testing"
	"time"
)

func TestPKI(t *testing.T) {
	c := testCluster(t)
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	if err := c.ensurePKI(now); err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(readCert(t, c.cert("ca")))

	server := readCert(t, c.cert("apiserver"))
	for _, host := range []string{nodeIP, apiIP, "kubernetes.default.svc"} {
		if _, err := server.Verify(x509.VerifyOptions{Roots: roots, DNSName: host, CurrentTime: now}); err != nil {
			t.Errorf("the API server is not trusted as %s: %v", host, err)
		}
	}
	scheduler := readCert(t, c.cert("kube-scheduler"))
	asClient := x509.VerifyOptions{Roots: roots, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	if _, err := scheduler.Verify(asClient); err != nil {
		t.Errorf("the scheduler is no client: %v", err)
	}
	asServer := x509.VerifyOptions{Roots: roots, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	if _, err := scheduler.Verify(asServer); err == nil {
		t.Error("the scheduler's certificate also serves")
	}

	before := server.SerialNumber.String() + string(server.Signature)
	if err := c.ensurePKI(now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	again := readCert(t, c.cert("apiserver"))
	if again.SerialNumber.String()+string(again.Signature) != before {
		t.Error("a second run made new certificates")
	}
}

func readCert(t *testing.T, file string) *x509.Certificate {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(raw)
	if block == nil {
		t.Fatalf("%s holds no PEM", file)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}
