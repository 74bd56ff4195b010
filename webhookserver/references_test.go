package webhookserver

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"reflect"
	"slices"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"channellink.dev/operator/webhookserver/adminapi"
	"channellink.dev/operator/webhookserver/config"
	"channellink.dev/operator/webhookserver/secretfile"
	"channellink.dev/operator/webhookserver/secretfile/secretfiletest"
)

// fill sets every file below v, naming it after its place, and returns the names.
func fill(v reflect.Value, place string) []string {
	switch {
	case v.Type() == reflect.TypeFor[config.File]():
		v.Set(reflect.ValueOf(config.File{Field: place, Path: "/nowhere/" + place}))
		return []string{place}
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return fill(v.Elem(), place)
	case v.Kind() == reflect.Struct:
		var places []string
		for i := range v.NumField() {
			places = append(places, fill(v.Field(i), fmt.Sprint(place, ".", v.Type().Field(i).Name))...)
		}
		return places
	}
	return nil
}

func fieldsOf(references []reference) []string {
	var fields []string
	for _, r := range references {
		fields = append(fields, r.field)
	}
	slices.Sort(fields)
	return fields
}

// A reference that is added to the settings and forgotten here would be mounted and never judged.
func TestEveryReferenceIsFollowed(t *testing.T) {
	files := secretfile.NewWatcher(secretfile.Options{})
	var c config.Channel
	want := fill(reflect.ValueOf(&c).Elem(), "channel")
	// The issuer that a client secret is bound to need not be there: it speaks under the client secret's name.
	want = slices.DeleteFunc(want, func(place string) bool { return place == "channel.OIDC.ClientSecretIssuer" })
	slices.Sort(want)
	if diff := cmp.Diff(want, fieldsOf(channelReferences(&c, files))); diff != "" {
		t.Errorf("references of a channel (-want +got):\n%s", diff)
	}

	var s config.Store
	want = fill(reflect.ValueOf(&s).Elem(), "store")
	slices.Sort(want)
	if diff := cmp.Diff(want, fieldsOf(storeReferences(s, files))); diff != "" {
		t.Errorf("references of the store (-want +got):\n%s", diff)
	}
}

// The pod of a channel whose private key no assertion can be signed with is not ready, and that of one whose key is good is,
// in whichever of the promised forms it comes.
func TestPrivateKeyReference(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	jwk := func(key any) []byte {
		raw, err := json.Marshal(jose.JSONWebKey{Key: key, KeyID: "of 2026", Use: "sig"})
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(ecKey)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "chatbot"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, ecKey.Public(), ecKey)
	if err != nil {
		t.Fatal(err)
	}
	private := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	for _, c := range []struct {
		reason string
		file   []byte
		want   adminapi.ReferenceState
	}{
		{"a JWK, elliptic", jwk(ecKey), adminapi.ReferencePresent},
		{"a JWK, RSA", jwk(rsaKey), adminapi.ReferencePresent},
		{"PEM", private, adminapi.ReferencePresent},
		{"PEM behind its certificate", slices.Concat(certificate, private), adminapi.ReferencePresent},
		{"a certificate alone signs nothing", certificate, adminapi.ReferenceInvalid},
		{"nor does a public JWK", jwk(rsaKey.Public()), adminapi.ReferenceInvalid},
		{"a PEM block that holds no key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("x")}), adminapi.ReferenceInvalid},
		{"words", []byte("see the vault\n"), adminapi.ReferenceInvalid},
	} {
		volume := secretfiletest.NewVolume(t, map[string]string{"key": string(c.file)})
		channel := config.Channel{OIDC: config.OIDC{PrivateKey: &config.File{Field: "oidc.privateKeySecretRef", Path: volume.Path("key")}}}
		references := channelReferences(&channel, secretfile.NewWatcher(secretfile.Options{}))
		if len(references) != 1 {
			t.Fatalf("%d references, want that of the key", len(references))
		}
		if got := references[0].state(); got != c.want || references[0].usable() != (c.want == adminapi.ReferencePresent) {
			t.Errorf("%s: %s, usable %t; want %s", c.reason, got, references[0].usable(), c.want)
		}
	}
}

// C57: a secret that is renewed while it is judged is not given out on its predecessor's account.
func TestSecretRenewedWhileJudged(t *testing.T) {
	volume := secretfiletest.NewVolume(t, map[string]string{"secret": "judged"})
	files := secretfile.NewWatcher(secretfile.Options{})
	file := files.File(volume.Path("secret"))
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { files.Run(ctx); close(ended) }()
	defer func() { stop(); <-ended }()
	field := config.File{Field: "oidc.clientSecretRef"}
	c := channel{Channel: config.Channel{OIDC: config.OIDC{ClientSecret: &field}}}
	c.references = []reference{{field: field.Field, file: file, valid: func(secretfile.Snapshot) bool {
		_, changed := file.Watch()
		volume.Publish(t, map[string]string{"secret": "renewed"})
		<-changed
		return true
	}}}
	if got, ok := c.loginSecrets().ClientSecret(); !ok || got.Reveal() != "judged" {
		t.Errorf("%q was given out, which nobody has judged", got.Reveal())
	}
}
