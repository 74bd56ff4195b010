package webhookserver_test

import (
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"channellink.dev/operator/webhookserver/config"
)

// servedWorld is a world with one service, and its store.
func servedWorld(t testing.TB, change func(*config.Service), options ...option) (*world, *backend, *links) {
	t.Helper()
	var dir string
	b := newBackend(t)
	service := leave(b)
	if change != nil {
		change(&service)
	}
	options = append([]option{behindBotBonnie(newCustomers(t).api()), keepStore(&dir), withServices(service)}, options...)
	w := newWorld(t, options...)
	w.untilReady(t)
	return w, b, openLinks(t, dir, "LINE", oaID)
}

// The whole way of a question: what the backend is told, that a stock verifier believes it, and what the chat reads.
func TestService(t *testing.T) {
	w, b, kept := servedWorld(t, nil)
	linkedAt := time.Now().Add(-time.Hour)
	kept.linkedSince(t, lineUser, linkedAt)
	body := moduleCall(lineUser, `, "bot_isLinked":true,"user":{"locale":"zh_TW"},"userParams":{"input":"天\u5929"}`)
	asked := time.Now()
	a := w.post(t, "/hr/services/leave-balance?k=urlkey&fields=user,userParams&tenant=evil&input=%E5%A4%A9", body, byBotBonnie(body))
	if m := message(t, a); m.Text != "還剩 14 天" || a.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%d %s", a.Code, a.Body)
	}

	calls := b.seen()
	if len(calls) != 1 {
		t.Fatalf("the backend was called %d times", len(calls))
	}
	call := calls[0]
	authorization := call.Header.Get("Authorization")
	call.Header.Del("Authorization")
	want := backendCall{
		Method: http.MethodPost, Path: "/leave", Body: body, // untouched
		Query: "tenant=hr&fields=user%2CuserParams&input=%E5%A4%A9", // no key, and what is settled stays
		Header: http.Header{
			"Accept": {"application/json"}, "Content-Type": {"application/json"}, "User-Agent": {"channellink"},
			"Content-Length": {fmt.Sprint(len(body))}, "X-Request-Id": {a.Header.Get("X-Request-Id")},
		},
	}
	if diff := cmp.Diff(want, call); diff != "" {
		t.Errorf("the backend saw (-want +got)\n%s", diff)
	}

	claims, err := w.verify(t, authorization, "hr")
	if err != nil {
		t.Fatal(err)
	}
	issued, ok := claims["iat"].(float64)
	if at := time.Unix(int64(issued), 0); !ok || at.Before(asked.Add(-time.Second)) || at.After(time.Now()) {
		t.Errorf("issued at %v", claims["iat"])
	}
	if id, _ := claims["jti"].(string); len(id) < 20 {
		t.Errorf("jti is %q", id)
	}
	delete(claims, "jti")
	if diff := cmp.Diff(map[string]any{
		"iss": "https://link.vision.example/hr", "aud": "hr", "sub": "00u1a2b3c4", "sub_iss": "https://sso.vision.example",
		"account": "j.dupont@vision.example", "platform": "LINE", "page": oaID, "chat_user": lineUser,
		"linked_at": float64(linkedAt.Unix()), "confirmed": true,
		"iat": issued, "nbf": issued, "exp": issued + 60,
	}, claims); diff != "" {
		t.Errorf("claims (-want +got)\n%s", diff)
	}
	if _, err := w.verify(t, authorization, "payroll"); err == nil {
		t.Error("the assertion is good for another backend")
	}
	if _, err := w.verify(t, authorization[:len(authorization)-2]+"AA", "hr"); err == nil {
		t.Error("an altered assertion is good")
	}
	metrics := do(t, http.MethodGet, w.Ops+"/metrics", nil).Body
	for _, line := range []string{
		`channellink_service_calls_total{channel="vision-hr",outcome="Answered",service="leave-balance"} 1`,
		`channellink_service_duration_seconds_count{channel="vision-hr",service="leave-balance"} 1`,
	} {
		if !strings.Contains(metrics, line) {
			t.Errorf("metrics lack %s", line)
		}
	}
}

func TestServiceTemplate(t *testing.T) {
	w, b, kept := servedWorld(t, func(s *config.Service) { s.Template, s.FallbackText = "還剩 {{ .days }} 天", "稍後" })
	kept.linkedSince(t, lineUser, time.Now().Add(-time.Hour))
	for _, c := range []struct{ reason, answer, want string }{
		{"a number", `{"days":14,"more":["is","ignored"]}`, "還剩 14 天"},
		{"a million is no 1e+06", `{"days":1000000}`, "還剩 1000000 天"},
		{"longer than a message may be", `{"days":"` + strings.Repeat("天", 400) + `"}`, "還剩 " + strings.Repeat("天", 316) + "…"},
		{"no days", `{}`, "稍後"},
		{"not JSON", canary, "稍後"},
	} {
		b.set(answering(c.answer))
		if m := message(t, w.ask(t, "leave-balance", moduleCall(lineUser, ""))); m.Text != c.want {
			t.Errorf("%s: %q, want %q", c.reason, m.Text, c.want)
		}
	}
}

// C34, C36, C37, C39, C40, C42, C43: what BotBonnie has not signed for this bot and page, or what lacks the URL's key,
// reaches no backend.
func TestServiceRefuses(t *testing.T) {
	w, b, kept := servedWorld(t, nil)
	kept.linkedSince(t, lineUser, time.Now().Add(-time.Hour))
	good := moduleCall(lineUser, "")
	signed := func(body string) (string, http.Header) { return body, byBotBonnie(body) }
	for _, c := range []struct {
		reason, path string
		change       func() (string, http.Header)
		want         int
	}{
		{"good", "leave-balance?k=urlkey", func() (string, http.Header) { return signed(good) }, http.StatusOK},
		{"the channel as a string", "leave-balance?k=urlkey", func() (string, http.Header) { return signed(strings.Replace(good, ":1", `:"1"`, 1)) }, http.StatusOK},
		{"no such service", "leave?k=urlkey", func() (string, http.Header) { return signed(good) }, http.StatusNotFound},
		{"no service", "?k=urlkey", func() (string, http.Header) { return signed(good) }, http.StatusNotFound},
		{"unsigned, as others take it", "leave-balance?k=urlkey", func() (string, http.Header) { return good, nil }, http.StatusUnauthorized},
		{"an empty signature", "leave-balance?k=urlkey", func() (string, http.Header) { return good, http.Header{"X-Hub-Signature": {""}} }, http.StatusUnauthorized},
		{"the signature of another body", "leave-balance?k=urlkey", func() (string, http.Header) { return good, byBotBonnie(good + " ") }, http.StatusUnauthorized},
		{"Meta's signature", "leave-balance?k=urlkey", func() (string, http.Header) { return good, byMeta(good) }, http.StatusUnauthorized},
		{"no key", "leave-balance", func() (string, http.Header) { return signed(good) }, http.StatusUnauthorized},
		{"another key", "leave-balance?k=urlkex", func() (string, http.Header) { return signed(good) }, http.StatusUnauthorized},
		{"two keys", "leave-balance?k=urlkey&k=urlkey", func() (string, http.Header) { return signed(good) }, http.StatusUnauthorized},
		{"a query that two readers read differently", "leave-balance?k=urlkey&a=b;k=c", func() (string, http.Header) { return signed(good) }, http.StatusUnauthorized},
		{"not JSON", "leave-balance?k=urlkey", func() (string, http.Header) { return signed("hello") }, http.StatusBadRequest},
		{"two users", "leave-balance?k=urlkey", func() (string, http.Header) {
			return signed(strings.Replace(good, `"bot_pid"`, `"bot_raw_uid":"U0","bot_pid"`, 1))
		}, http.StatusBadRequest},
		{"very deep", "leave-balance?k=urlkey", func() (string, http.Header) { return signed(strings.Repeat("[", 100_000)) }, http.StatusBadRequest},
		{"another bot", "leave-balance?k=urlkey", func() (string, http.Header) { return signed(strings.Replace(good, "bot-M", "bot-N", 1)) }, http.StatusForbidden},
		{"another page", "leave-balance?k=urlkey", func() (string, http.Header) { return signed(strings.Replace(good, "507", "508", 1)) }, http.StatusForbidden},
		{"another platform", "leave-balance?k=urlkey", func() (string, http.Header) { return signed(strings.Replace(good, ":1", ":0", 1)) }, http.StatusForbidden},
		{"gzip", "leave-balance?k=urlkey", func() (string, http.Header) { return good, http.Header{"Content-Encoding": {"gzip"}} }, http.StatusUnsupportedMediaType},
		{"more than any call", "leave-balance?k=urlkey", func() (string, http.Header) { return signed(good + strings.Repeat(" ", 256<<10)) }, http.StatusRequestEntityTooLarge},
	} {
		body, header := c.change()
		before := len(b.seen())
		a := w.post(t, "/hr/services/"+c.path, body, header)
		if a.Code != c.want {
			t.Errorf("%s: %d %s, want %d", c.reason, a.Code, a.Body, c.want)
		}
		if called := len(b.seen()) - before; (called == 1) != (c.want == http.StatusOK) {
			t.Errorf("%s: the backend was called %d times", c.reason, called)
		}
	}
	if a := do(t, http.MethodGet, w.Public+"/hr/services/leave-balance", func(r *http.Request) { r.Host = visionHost }); a.Code == http.StatusOK {
		t.Errorf("GET: %d", a.Code)
	}
}

// Several secrets and keys count at once, so that rotation has no gap. C47
func TestServiceSecretRotation(t *testing.T) {
	w, _, kept := servedWorld(t, nil)
	kept.linkedSince(t, lineUser, time.Now().Add(-time.Hour))
	w.mount(t, map[string]string{
		"botBonnie.apiSecretRef": "newer\n" + apiSecret + "\n", "botBonnie.urlKeySecretRef": "newkey\nurlkey\n",
	})
	body := moduleCall(lineUser, "")
	newer := byBotBonnieWith("newer", body)
	eventually(t, func() error {
		if a := w.post(t, "/hr/services/leave-balance?k=newkey", body, newer); a.Code != http.StatusOK {
			return fmt.Errorf("the newer pair: %d", a.Code)
		}
		return nil
	})
	if a := w.ask(t, "leave-balance", body); a.Code != http.StatusOK {
		t.Errorf("the older pair: %d", a.Code)
	}
}

// Who is not linked is asked to log in, in his language; no backend hears of him.
func TestServiceForNobody(t *testing.T) {
	w, b, kept := servedWorld(t, nil, func(_ *world, s *config.Settings) {
		age := config.Duration(24 * time.Hour)
		s.Channels[0].Linking.MaxAge = &age
	})
	kept.linkedSince(t, "Uold", time.Now().Add(-25*time.Hour))
	kept.pending(t, "Uwaiting", aliceCode, time.Now(), 10*time.Minute)
	for _, c := range []struct{ reason, user, locale, want string }{
		{"nobody knows him", lineUser, "zh_TW", "請先登入"},
		{"in English", lineUser, "en_US", "Please log in"},
		{"in the language of most chats", lineUser, "", "請先登入"},
		{"linked longer ago than linking.maxAge", "Uold", "en_US", "Please log in"},
		{"logged in, not confirmed yet", "Uwaiting", "en_US", "being confirmed"},
	} {
		m := message(t, w.ask(t, "leave-balance", moduleCall(c.user, `,"user":{"locale":"`+c.locale+`"}`)))
		if !strings.Contains(m.Text, c.want) || len(m.Buttons) != 1 || m.Buttons[0].Type != "postback" || m.Buttons[0].Value != "module-ry49xXQU2" {
			t.Errorf("%s: %+v", c.reason, m)
		}
	}
	if calls := b.seen(); len(calls) != 0 {
		t.Errorf("the backend was called %d times", len(calls))
	}
}

func TestServiceWithoutLoginModule(t *testing.T) {
	w, _, _ := servedWorld(t, nil, func(_ *world, s *config.Settings) { s.Channels[0].BotBonnie.StartLinkingModule = "" })
	if m := message(t, w.ask(t, "leave-balance", moduleCall(lineUser, ""))); m.Text == "" || len(m.Buttons) != 0 {
		t.Errorf("%+v", m)
	}
}

// C53, C54: whatever a backend does, the chat reads a sentence, and nothing that the backend wrote gets anywhere.
func TestServiceBackendFails(t *testing.T) {
	for _, c := range []struct {
		reason  string
		answer  http.HandlerFunc
		outcome string
	}{
		{"an error", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, canary, http.StatusInternalServerError) }, "BadStatus"},
		{"a refusal", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, canary, http.StatusForbidden) }, "BadStatus"},
		{"nothing", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }, "BadStatus"},
		{"an empty answer", func(http.ResponseWriter, *http.Request) {}, "BadMessage"},
		{"not JSON", answering(canary), "BadMessage"},
		{"another form", answering(`{"` + canary + `":"` + canary + `"}`), "BadMessage"},
		{"a link in the clear", answering(`{"type":"image","imageUrl":"http://` + canary + `.example/"}`), "BadMessage"},
		{"a redirect", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/"+canary, http.StatusFound) }, "Redirected"},
		{"no HTTP", func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_, _ = io.WriteString(conn, canary)
				_ = conn.Close()
			}
		}, "ConnectionLost"},
		{"an answer without end", func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		}, "TooLarge"},
		{"no answer", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "TimedOut"},
	} {
		t.Run(c.reason, func(t *testing.T) {
			w, b, kept := servedWorld(t, func(s *config.Service) { s.Timeout = config.Duration(200 * time.Millisecond) })
			kept.linkedSince(t, lineUser, time.Now().Add(-time.Hour))
			b.set(c.answer)
			a := w.ask(t, "leave-balance", moduleCall(lineUser, `,"user":{"locale":"en"}`))
			if m := message(t, a); !strings.Contains(m.Text, "try again later") || strings.Contains(a.Body, canary) {
				t.Errorf("%s", a.Body)
			}
			metrics := do(t, http.MethodGet, w.Ops+"/metrics", nil).Body
			if !strings.Contains(metrics, `outcome="`+c.outcome+`",service="leave-balance"} 1`) || strings.Contains(metrics, canary) {
				t.Errorf("metrics do not tell of %s", c.outcome)
			}
		})
	}
}

// The store is the one thing that tells who somebody is: without it nobody is asked for, and the chat is told so.
func TestServiceWithoutStore(t *testing.T) {
	b := newBackend(t)
	w := newWorld(t, behindBotBonnie(newCustomers(t).api()), withServices(leave(b)), func(_ *world, s *config.Settings) {
		s.Store.SQLite.Dir += "/nowhere"
	})
	a := w.ask(t, "leave-balance", moduleCall(lineUser, `,"user":{"locale":"en"}`))
	if m := message(t, a); !strings.Contains(m.Text, "try again later") {
		t.Errorf("%s", a.Body)
	}
	if n := len(b.seen()); n != 0 {
		t.Errorf("the backend was called %d times", n)
	}
	if a := w.get(t, "/hr/.well-known/jwks.json"); a.Code != http.StatusServiceUnavailable {
		t.Errorf("keys without a store: %d", a.Code)
	}
}

// C49: a service cannot be used to reach what no server may call.
func TestServiceSSRF(t *testing.T) {
	b := newBackend(t)
	for _, c := range []struct {
		reason, url string
		network     config.Network
	}{
		{"this host, by name", b.at("/"), config.Network{}},
		{"this host, by address", b.URL, config.Network{}},
		{"metadata", "http://169.254.169.254/", config.Network{}},
		{"the Kubernetes API, by name", "https://kubernetes.default.svc/", config.Network{}},
		{"the Kubernetes API, by address", b.at("/"), config.Network{AllowLocal: true, Deny: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("::1/128")}}},
	} {
		w, _, kept := servedWorld(t, func(s *config.Service) { s.URL = c.url }, func(_ *world, s *config.Settings) { s.Network = c.network })
		kept.linkedSince(t, lineUser, time.Now().Add(-time.Hour))
		if m := message(t, w.ask(t, "leave-balance", moduleCall(lineUser, `,"user":{"locale":"en"}`))); !strings.Contains(m.Text, "try again later") {
			t.Errorf("%s: %+v", c.reason, m)
		}
	}
	if n := len(b.seen()); n != 0 {
		t.Errorf("the inner host was called %d times", n)
	}
}
