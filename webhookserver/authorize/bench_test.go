package authorize_test

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"channellink.dev/operator/webhookserver/authorize"
	"channellink.dev/operator/webhookserver/authorize/issuer/issuertest"
	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/pages"
)

// keptStore remembers what was stored last, so that the bare handler can do the same statement.
type keptStore struct {
	link.SessionStore
	session link.Session
}

func (k *keptStore) PutSession(ctx context.Context, s link.Session) error {
	k.session = s
	return k.SessionStore.PutSession(ctx, s)
}

// BenchmarkBegin takes GET /authorize to its 302. Its floor is a handler that only stores such a session.
func BenchmarkBegin(b *testing.B) {
	for name, on := range stores(b) {
		b.Run(name, func(b *testing.B) { benchmarkBegin(b, on) })
	}
}

func benchmarkBegin(b *testing.B, on option) {
	kept := &keptStore{}
	w := newWorld(b, on, func(w *world, o *authorize.Options) {
		kept.SessionStore = w.Store
		o.Store = func() (link.SessionStore, error) { return kept, nil }
	})
	request := func() *http.Request {
		r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, loginURL, nil)
		r.Header.Set("Accept-Language", "zh-TW,zh;q=0.9,en;q=0.8")
		return r
	}
	run := func(b *testing.B, h http.Handler) {
		b.ReportAllocs()
		for b.Loop() {
			recorder := httptest.NewRecorder()
			h.ServeHTTP(recorder, request())
			if recorder.Code != http.StatusFound {
				b.Fatalf("got %d", recorder.Code)
			}
		}
	}
	b.Run("login", func(b *testing.B) { run(b, w.mux) })
	b.Run("floor", func(b *testing.B) {
		run(b, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			s := kept.session
			s.Flow, s.StateHash = rand.Text(), link.HashCode(link.NewCode())
			s.StartedAt = time.Now()
			s.ExpiresAt = s.StartedAt.Add(link.LINETokenLife)
			if err := w.Store.PutSession(r.Context(), s); err != nil {
				b.Fatal(err)
			}
			http.Redirect(rw, r, "https://sso.vision.example/", http.StatusFound)
		}))
	})
}

// BenchmarkConsent takes the press on Link to its 303. Its floor is a handler that reads such a session and stores such a
// link.
func BenchmarkConsent(b *testing.B) {
	for name, on := range stores(b) {
		b.Run(name, func(b *testing.B) { benchmarkConsent(b, newWorld(b, on)) })
	}
}

func benchmarkConsent(b *testing.B, w *world) {
	b.Run("login", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			b.StopTimer()
			person := w.browser()
			q := w.Issuer.SignIn(b, person.get(b, "/authorize?linkToken="+rand.Text()).Location, issuertest.Login{})
			consent := person.get(b, below(b, person.get(b, "/callback?"+q.Encode()).Location))
			path, token := form(b, consent)
			r := post(b, path, token, pages.ChoiceLink)
			b.StartTimer()
			if p := person.do(b, r); p.Code != http.StatusSeeOther {
				b.Fatalf("got %d", p.Code)
			}
		}
	})
	b.Run("floor", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			b.StopTimer()
			now := time.Now()
			s := link.Session{
				Flow: rand.Text(), Channel: w.options.ID, Step: link.Started, StateHash: link.HashCode(link.NewCode()),
				PlatformToken: rand.Text(), Params: map[string]string{"linkToken": linkToken}, Locale: "en",
				StartedAt: now, ExpiresAt: now.Add(link.LINETokenLife),
			}
			if err := w.Store.PutSession(b.Context(), s); err != nil {
				b.Fatal(err)
			}
			taken, err := w.Store.TakeCallback(b.Context(), s.Channel, s.StateHash, now)
			if err != nil {
				b.Fatal(err)
			}
			taken.Identity = link.Identity{Issuer: w.Issuer.URL, Subject: issuertest.Subject, Account: issuertest.Subject}
			if err := w.Store.Identify(b.Context(), taken); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
			found, err := w.Store.Session(b.Context(), s.Channel, s.Flow)
			if err != nil {
				b.Fatal(err)
			}
			if err := w.Store.Consent(b.Context(), s.Flow, link.Link{
				ID: rand.Text(), Channel: s.Channel, Identity: found.Identity, State: link.Pending,
				CodeHash: link.HashCode(link.NewCode()), PlatformToken: s.PlatformToken,
				LoginAt: now, ConsentAt: now, ExpiresAt: now.Add(link.LINETokenLife),
			}, 0, false); err != nil {
				b.Fatal(err)
			}
		}
	})
}
