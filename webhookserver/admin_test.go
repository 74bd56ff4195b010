package webhookserver_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"channellink.dev/operator/webhookserver/adminapi"
	"channellink.dev/operator/webhookserver/config"
)

func TestStatusSaysWhatTheServerSees(t *testing.T) {
	w := newWorld(t)
	w.untilReady(t)
	w.untilStatus(t, "a discovered issuer and counted links", func(s adminapi.Status) bool {
		return s.Issuer.State == adminapi.IssuerDiscovered && s.Links != nil
	})
	got, err := w.status(t)
	if err != nil {
		t.Fatal(err)
	}
	want := adminapi.Status{
		Version:      "0.1.0",
		SettingsHash: strings.Repeat("5", 64),
		KeyIDs:       []string{w.Signer.KeyID()},
		References: []adminapi.Reference{
			{Field: fieldChannelSecret, State: adminapi.ReferencePresent},
			{Field: fieldClientSecret, State: adminapi.ReferencePresent},
		},
		Issuer:       adminapi.Issuer{State: adminapi.IssuerDiscovered},
		Store:        adminapi.Store{State: adminapi.StoreOpen},
		Links:        &adminapi.Links{},
		Confirmation: &adminapi.Confirmation{},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
}

// C90: without the operator's token the admin port says 401 to everybody, in the same words whatever was wrong.
func TestAdminRefuses(t *testing.T) {
	w := newWorld(t)
	eventually(t, func() error { _, err := w.status(t); return err })
	_, foreign := newSigner(t)
	sign := func(signer *adminapi.Signer, at time.Time, change func(*adminapi.Request)) func(*http.Request) {
		request := adminapi.Request{Audience: visionUID, Method: http.MethodGet, Path: adminapi.StatusPath}
		if change != nil {
			change(&request)
		}
		token, err := signer.Sign(at, request)
		if err != nil {
			t.Fatal(err)
		}
		return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
	}
	for name, tc := range map[string]struct {
		reason string
		query  string
		change func(*http.Request)
	}{
		"no token":       {reason: "any pod that reaches the port"},
		"kubelet token":  {reason: "a token of the cluster", change: func(r *http.Request) { r.Header.Set("Authorization", "Bearer eyJhbGciOiJSUzI1NiJ9.e30.c2ln") }},
		"basic":          {reason: "a password", change: func(r *http.Request) { r.SetBasicAuth("admin", "admin") }},
		"foreign key":    {reason: "another operator", change: sign(foreign, time.Now(), nil)},
		"expired":        {reason: "a token from a log", change: sign(w.Signer, time.Now().Add(-2*time.Minute), nil)},
		"other audience": {reason: "a token for another server", change: sign(w.Signer, time.Now(), func(r *adminapi.Request) { r.Audience = "other" })},
		"other path":     {reason: "a token for another request", change: sign(w.Signer, time.Now(), func(r *adminapi.Request) { r.Path = "/admin/v1/unlinks/1" })},
		"query":          {reason: "what is not signed", query: "?all=1", change: sign(w.Signer, time.Now(), nil)},
		"body": {reason: "what is not signed", change: func(r *http.Request) {
			sign(w.Signer, time.Now(), nil)(r)
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader("{}")), 2
		}},
	} {
		t.Run(name, func(t *testing.T) {
			a := do(t, http.MethodGet, w.Admin+adminapi.StatusPath+tc.query, tc.change)
			if a.Code != http.StatusUnauthorized || a.Body != `{"error":"Unauthorized"}`+"\n" || a.Header.Get("Content-Type") != "application/json" {
				t.Errorf("got %d %s %q, want a bare 401: %s", a.Code, a.Header.Get("Content-Type"), a.Body, tc.reason)
			}
		})
	}
	use := sign(w.Signer, time.Now(), nil)
	if a := do(t, http.MethodGet, w.Admin+adminapi.StatusPath, use); a.Code != http.StatusOK {
		t.Errorf("first use: %d, want 200", a.Code)
	}
	if a := do(t, http.MethodGet, w.Admin+adminapi.StatusPath, use); a.Code != http.StatusUnauthorized {
		t.Errorf("second use: %d, want 401", a.Code)
	}
	if large := do(t, http.MethodGet, w.Admin+adminapi.StatusPath, announceLarge); large.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("1 GiB: got %d, want 413 before the token is looked at", large.Code)
	}
}

// The operator's keys rotate with no restart. A file that cannot be read leaves them as they are.
func TestOperatorKeysReload(t *testing.T) {
	w := newWorld(t)
	eventually(t, func() error { _, err := w.status(t); return err })
	old := w.Signer
	freshKey, fresh := newSigner(t)

	w.Settings.Publish(t, map[string]string{config.OperatorKeysFile: `{"keys":[]}`})
	eventually(t, func() error {
		if !strings.Contains(w.logs.String(), "operator keys left as they are") {
			return errors.New("the damaged file was not noticed")
		}
		return nil
	})
	if _, err := w.status(t); err != nil {
		t.Errorf("a damaged file shut the operator out: %v", err)
	}

	w.Settings.Publish(t, map[string]string{config.OperatorKeysFile: string(keysFile(t, freshKey))})
	w.Signer = fresh
	w.untilStatus(t, "the new key alone", func(s adminapi.Status) bool {
		return cmp.Equal(s.KeyIDs, []string{fresh.KeyID()})
	})
	w.Signer = old
	if _, err := w.status(t); !errors.Is(err, adminapi.ErrRefused) {
		t.Errorf("the old key: got %v, want %v", err, adminapi.ErrRefused)
	}
}

// Status of one channel is not to be had with the token of another of the same process.
func TestStatusIsTheAudiencesOwn(t *testing.T) {
	w := newWorld(t, func(_ *world, s *config.Settings) {
		other := s.Channels[0]
		other.UID, other.PageID, other.PublicURL = "uid-of-other", "509", "https://other.example"
		other.LINE = &config.LINE{}
		s.Channels = append(s.Channels, other)
	})
	client := adminapi.NewClient(time.Now)
	eventually(t, func() error {
		_, err := client.Status(t.Context(), adminapi.Target{BaseURL: w.Admin, Audience: "uid-of-other"}, w.Signer)
		return err
	})
	s, err := client.Status(t.Context(), adminapi.Target{BaseURL: w.Admin, Audience: "uid-of-other"}, w.Signer)
	if err != nil {
		t.Fatal(err)
	}
	if got := reference(s, fieldChannelSecret); got != "not listed" {
		t.Errorf("the other channel's reference is listed as %s", got)
	}
}
