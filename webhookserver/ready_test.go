package webhookserver_test

import (
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"

	"channellink.dev/operator/webhookserver/adminapi"
	"channellink.dev/operator/webhookserver/authorize/issuer/issuertest"
	"channellink.dev/operator/webhookserver/config"
)

// A pod whose secret is missing starts, says exactly which, and is ready as soon as it is there, with no restart. What goes
// away later is reported and served on.
func TestSecretAppearsAndVanishes(t *testing.T) {
	w := newWorld(t, without(fieldChannelSecret))
	w.untilStatus(t, "an open store", func(s adminapi.Status) bool { return s.Store.State == adminapi.StoreOpen })

	if a := w.ready(t); a.Code != http.StatusServiceUnavailable || a.Body != "not ready: "+fieldChannelSecret+"\n" {
		t.Errorf("readyz: %d %q, want 503 and the one field that is missing", a.Code, a.Body)
	}
	w.untilStatus(t, "one missing reference", func(s adminapi.Status) bool {
		return reference(s, fieldChannelSecret) == adminapi.ReferenceMissing && reference(s, fieldClientSecret) == adminapi.ReferencePresent
	})

	w.mount(t, map[string]string{fieldChannelSecret: "\n"})
	w.untilStatus(t, "an empty reference", func(s adminapi.Status) bool {
		return reference(s, fieldChannelSecret) == adminapi.ReferenceEmpty
	})
	w.mount(t, map[string]string{fieldChannelSecret: canary + "-late"})
	w.untilReady(t)

	w.mount(t, map[string]string{fieldChannelSecret: ""})
	w.untilStatus(t, "a vanished reference", func(s adminapi.Status) bool {
		return reference(s, fieldChannelSecret) == adminapi.ReferenceVanished
	})
	if a := w.ready(t); a.Code != http.StatusOK {
		t.Errorf("readyz: %d %q: a secret that vanished must not take the pod away", a.Code, a.Body)
	}
}

// C55, C89: an issuer that is down when the server starts, or hangs, is reported and keeps nothing else from working.
func TestIssuerDownAtStart(t *testing.T) {
	w := newWorld(t, func(w *world, _ *config.Settings) {
		w.Issuer.Handle(issuertest.DiscoveryPath, issuertest.Answer(http.StatusBadGateway, canary))
	})
	w.untilReady(t)
	w.untilStatus(t, "a failed issuer with its status code", func(s adminapi.Status) bool {
		return s.Issuer == adminapi.Issuer{State: adminapi.IssuerFailed, Reason: adminapi.IssuerBadStatus, HTTPStatus: http.StatusBadGateway}
	})
	if a := w.get(t, "/hr"); a.Code != http.StatusOK {
		t.Errorf("GET /hr: %d, want 200", a.Code)
	}
}

// C51: an issuer that redirects is named as such, and the target sees nothing.
func TestIssuerRedirects(t *testing.T) {
	other := issuertest.New(t)
	w := newWorld(t, func(w *world, _ *config.Settings) {
		w.Issuer.Handle(issuertest.DiscoveryPath, issuertest.Redirect(other.URL+issuertest.DiscoveryPath))
	})
	w.untilStatus(t, "a redirecting issuer", func(s adminapi.Status) bool {
		return s.Issuer.State == adminapi.IssuerFailed && s.Issuer.Reason == adminapi.IssuerRedirected
	})
	if hits := other.Hits(); len(hits) != 0 {
		t.Errorf("the redirect was followed: %v", hits)
	}
}

// C49: without the administrator's word a server calls nothing on its own host, whatever the settings of the channel say.
func TestIssuerOnLoopbackIsRefused(t *testing.T) {
	w := newWorld(t, func(_ *world, s *config.Settings) { s.Network.AllowLocal = false })
	w.untilStatus(t, "a refused address", func(s adminapi.Status) bool {
		return s.Issuer.State == adminapi.IssuerFailed && s.Issuer.Reason == adminapi.IssuerAddressRefused
	})
	if hits := w.Issuer.Hits(); len(hits) != 0 {
		t.Errorf("the issuer was called: %v", hits)
	}
}

// C55: what was learnt of the issuer outlives the process, so that a restart during an outage stops no login.
func TestIssuerMetadataOutlivesTheProcess(t *testing.T) {
	var settings config.Settings
	w := newWorld(t, func(_ *world, s *config.Settings) { settings = *s })
	w.untilStatus(t, "a discovered issuer", func(s adminapi.Status) bool { return s.Issuer.State == adminapi.IssuerDiscovered })
	w.untilReady(t)
	eventually(t, func() error { // they are in use before they are stored
		if !strings.Contains(w.logs.String(), "issuer documents stored") {
			return errors.New("the issuer's documents are not stored")
		}
		return nil
	})

	w.stop()
	if err := <-w.ended; err != nil {
		t.Fatal(err)
	}
	w.ended <- nil // for the cleanup of the first start
	w.Issuer.Handle(issuertest.DiscoveryPath, issuertest.Answer(http.StatusServiceUnavailable, ""))
	again := *w
	again.ended = make(chan error, 1)
	again.start(t, settings)
	again.untilStatus(t, "stale metadata", func(s adminapi.Status) bool { return s.Issuer.State == adminapi.IssuerStale })
}

// C57: whoever may change issuerURL must not get the client secret sent to a host of his own.
func TestClientSecretOfAnotherIssuer(t *testing.T) {
	w := newWorld(t, func(w *world, _ *config.Settings) { w.files["issuer"] = "https://sso.vision.example\n" })
	w.untilStatus(t, "a client secret that must not be used", func(s adminapi.Status) bool {
		return reference(s, fieldClientSecret) == adminapi.ReferenceInvalid
	})
	if a := w.ready(t); a.Code != http.StatusServiceUnavailable || !strings.Contains(a.Body, fieldClientSecret) {
		t.Errorf("readyz: %d %q, want 503 for %s", a.Code, a.Body, fieldClientSecret)
	}

	w.mount(t, map[string]string{"issuer": ""})
	w.mount(t, map[string]string{fieldChannelSecret: canary + "-2"})
	w.untilStatus(t, "the reload", func(s adminapi.Status) bool { return reference(s, fieldChannelSecret) == adminapi.ReferencePresent })
	if s, err := w.status(t); err != nil || reference(s, fieldClientSecret) != adminapi.ReferenceInvalid {
		t.Errorf("deleting the key that binds the secret frees it: %v %v", s, err)
	}

	w.mount(t, map[string]string{"issuer": w.Issuer.URL + "\n"})
	w.untilReady(t)
	w.untilStatus(t, "a good client secret", func(s adminapi.Status) bool {
		return reference(s, fieldClientSecret) == adminapi.ReferencePresent
	})
}

// C89: a store that cannot be opened is reported, does not end the process, and is opened as soon as it can be.
func TestStoreOpensLate(t *testing.T) {
	var dir string
	w := newWorld(t, func(_ *world, s *config.Settings) {
		dir = s.Store.SQLite.Dir + "/late"
		s.Store.SQLite.Dir = dir
	})
	w.untilStatus(t, "a failed store", func(s adminapi.Status) bool {
		return s.Store == adminapi.Store{State: adminapi.StoreFailed, Reason: adminapi.StoreUnavailable}
	})
	if a := w.ready(t); a.Code != http.StatusServiceUnavailable || a.Body != "not ready: store\n" {
		t.Errorf("readyz: %d %q, want 503 for the store", a.Code, a.Body)
	}
	if a := do(t, http.MethodGet, w.Ops+"/healthz", nil); a.Code != http.StatusOK {
		t.Errorf("healthz: %d, want 200: a restart mends no database", a.Code)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	w.untilReady(t)
}

// C81: two servers never work on one SQLite file.
func TestSecondServerIsLockedOut(t *testing.T) {
	var dir string
	first := newWorld(t, func(_ *world, s *config.Settings) { dir = s.Store.SQLite.Dir })
	first.untilReady(t)
	second := newWorld(t, func(_ *world, s *config.Settings) { s.Store.SQLite.Dir = dir })
	second.untilStatus(t, "a locked store", func(s adminapi.Status) bool {
		return s.Store == adminapi.Store{State: adminapi.StoreFailed, Reason: adminapi.StoreLocked}
	})
	first.stop()
	second.untilReady(t)
}

// An encryption key that is late must not let the server's first keys be stored in clear: the store waits for it.
func TestStoreWaitsForItsEncryptionKey(t *testing.T) {
	const field = "store.encryptionKeySecretRef"
	w := newWorld(t, func(w *world, s *config.Settings) {
		s.Store.EncryptionKeys = &config.File{Field: field, Path: w.References.Path(field)}
	})
	w.untilStatus(t, "a missing key and a store that is not open", func(s adminapi.Status) bool {
		return reference(s, field) == adminapi.ReferenceMissing && s.Store.State == adminapi.StoreOpening
	})
	w.mount(t, map[string]string{field: canary + "-0123456789abcdef"})
	w.untilReady(t)
}
