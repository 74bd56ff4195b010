package webhookserver_test

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"channellink.dev/operator/webhookserver/adminapi"
	"channellink.dev/operator/webhookserver/authorize/issuer/issuertest"
	"channellink.dev/operator/webhookserver/config"
	"channellink.dev/operator/webhookserver/tracing/tracingtest"
)

const (
	mailOfDupont = "j.dupont@vision.example"
	linkToken    = "NMZTNuVrPTqlr2IF8Bnymkb7rXfYv5EY"
)

// bonnie stands for BotBonnie: it knows one customer, whose extId is the code that a redirect has brought, and takes every
// unlinking.
type bonnie struct {
	*httptest.Server
	extID atomic.Value
}

func newBonnie(t *testing.T) *bonnie {
	b := &bonnie{}
	b.extID.Store("")
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			botBonnieOK(w, r)
			return
		}
		_, _ = fmt.Fprintf(w, `{"res":{"records":[{"id":%q,"platform":"LINE","pageId":%q,"extId":%q}],"next":null},"status":200}`,
			lineUser, oaID, b.extID.Load())
	}))
	t.Cleanup(b.Close)
	return b
}

func (b *bonnie) api() string { return strings.Replace(b.URL, "127.0.0.1", "localhost", 1) }

// relayed has BotBonnie relay LINE's own events too.
func relayed(w *world, s *config.Settings) {
	w.files[fieldChannelSecret] = lineSecret + "\n"
	s.Channels[0].LINE.ChannelSecret = &config.File{Field: fieldChannelSecret, Path: w.References.Path(fieldChannelSecret)}
}

// byEmail has the channel keep the e-mail address beside the identity.
func byEmail(_ *world, s *config.Settings) {
	s.Channels[0].OIDC.UserClaim, s.Channels[0].OIDC.DisplayClaims = "email", []string{"email"}
}

// secrets are what the server came to know and may tell nobody but those whom it is for.
type secrets map[string]string

func (s secrets) add(what, value string) { s[what+" "+fmt.Sprint(len(s))] = value }

// found names the secrets that a text holds, in any coding that the server has at hand.
func (s secrets) found(text string) (names []string) {
	for name, value := range s {
		for _, coded := range []string{
			value, url.QueryEscape(value), base64.StdEncoding.EncodeToString([]byte(value)), hex.EncodeToString([]byte(value)),
		} {
			if value != "" && strings.Contains(text, coded) {
				names = append(names, name)
				break
			}
		}
	}
	return names
}

// flow is a world in which a person links, uses the link and is unlinked, with everything that nobody may read in a log.
type flow struct {
	*world
	bonnie  *bonnie
	backend *backend
	secrets secrets
	cookies map[string]string
}

func newFlow(t *testing.T, options ...option) *flow {
	t.Helper()
	f := &flow{bonnie: newBonnie(t), backend: newBackend(t), cookies: map[string]string{}, secrets: secrets{
		"chat user": lineUser, "subject": issuertest.Subject, "account": mailOfDupont, "platform token": linkToken, "mounted": canary,
		"url key": "urlkey",
	}}
	f.world = readyToLogIn(t, append([]option{
		behindBotBonnie(f.bonnie.api()), relayed, byEmail, withServices(leave(f.backend)), withBotAPI,
	}, options...)...)
	return f
}

// signIn takes a browser to the consent page and returns its path and form token.
func (f *flow) signIn(t *testing.T) (path, form string) {
	t.Helper()
	begun := f.visit(t, http.MethodGet, "/hr/authorize?"+url.Values{
		"userId": {lineUser}, "pageId": {oaID}, "carry": {canary + "-carry"}, "linkToken": {linkToken},
	}.Encode(), f.cookies, nil)
	at, err := url.Parse(begun.Header.Get("Location"))
	if err != nil || begun.Code != http.StatusFound {
		t.Fatalf("/authorize answered %d to %q\n%s", begun.Code, begun.Header.Get("Location"), begun.Body)
	}
	query := f.Issuer.SignIn(t, at.String(), issuertest.Login{Claims: map[string]any{"email": mailOfDupont, "email_verified": true}})
	for _, name := range []string{"state", "nonce", "code_challenge"} {
		f.secrets.add(name, at.Query().Get(name))
	}
	f.secrets.add("issuer's code", query.Get("code"))
	back := f.visit(t, http.MethodGet, "/hr/callback?"+query.Encode(), f.cookies, nil)
	path, ok := strings.CutPrefix(back.Header.Get("Location"), "https://"+visionHost)
	if back.Code != http.StatusSeeOther || !ok {
		t.Fatalf("/callback answered %d\n%s", back.Code, back.Body)
	}
	page := f.visit(t, http.MethodGet, path, f.cookies, nil)
	found := formField.FindStringSubmatch(page.Body)
	if found == nil {
		t.Fatalf("the consent page is %d\n%s", page.Code, page.Body)
	}
	form = html.UnescapeString(found[1])
	f.secrets.add("form token", form)
	for _, value := range f.cookies {
		f.secrets.add("cookie", value)
	}
	return path, form
}

// link lets the person link, from the button to BotBonnie's confirmation.
func (f *flow) link(t *testing.T) {
	t.Helper()
	path, form := f.signIn(t)
	pressed := f.visit(t, http.MethodPost, path, f.cookies, url.Values{"token": {form}, "choice": {"link"}})
	location, err := url.Parse(pressed.Header.Get("Location"))
	code := location.Query().Get("nonce")
	if err != nil || code == "" {
		t.Fatalf("the press got %d to %q\n%s", pressed.Code, pressed.Header.Get("Location"), pressed.Body)
	}
	f.secrets.add("our code", code)
	f.bonnie.extID.Store(code)
	f.confirmed(t)
	if a := f.introspect(t, url.Values{"token": {code}, "user_id": {lineUser}}.Encode()); !strings.Contains(a.Body, `"active":true`) {
		t.Errorf("introspection: %d %s", a.Code, a.Body)
	}
}

func (f *flow) confirmed(t *testing.T) {
	t.Helper()
	body := moduleCall(lineUser, `,"user":{"locale":"en_US"}`)
	if text, _ := said(t, f.post(t, "/hr/botbonnie/linked?k=urlkey&fields=user", body, byBotBonnie(body))); !strings.Contains(text, "Linked as") {
		t.Fatalf("the module said %q", text)
	}
}

// use has the link used in every way, and calls refused in most.
func (f *flow) use(t *testing.T) {
	t.Helper()
	call := moduleCall(lineUser, "")
	if a := f.ask(t, "leave-balance", call); !strings.Contains(a.Body, "14") {
		t.Errorf("the service: %d %s", a.Code, a.Body)
	}
	f.backend.set(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusBadGateway)
		_, _ = io.WriteString(w, lineUser+r.Header.Get("Authorization"))
	})
	f.ask(t, "leave-balance", call)
	for _, sent := range f.backend.seen() {
		f.secrets.add("assertion", strings.TrimPrefix(sent.Header.Get("Authorization"), "Bearer "))
	}
	if a := f.asBot(t, http.MethodGet, "/hr/api/v1/users/"+lineUser, ""); a.Code != http.StatusOK {
		t.Errorf("the look-up: %d %s", a.Code, a.Body)
	}
	f.asBot(t, http.MethodGet, "/hr/api/v1/users/"+lineUser+"%2f", "")
	f.asBot(t, http.MethodGet, "/hr/api/v1/users/"+lineUser, "", header("Authorization", "Bearer "+canary))
	event := lineEvent("failed", lineSource(lineUser), aliceCode, time.Now())
	f.secrets.add("another code", aliceCode)
	f.secrets.add("another chat user", lineUserN(7))
	for _, event := range []string{
		event, lineEvent("ok", lineSource(lineUserN(7)), aliceCode, time.Now()), lineLogout(lineUserN(7), time.Now()),
	} {
		if a := f.post(t, "/hr/webhook", event, byLINE(event)); a.Code != http.StatusOK {
			t.Errorf("the webhook: %d %s", a.Code, a.Body)
		}
	}
	f.post(t, "/hr/webhook", event, byLINE(event+" "))
	f.post(t, "/hr/webhook", lineUser+canary, byLINE(lineUser+canary))
	f.get(t, "/hr/"+lineUser+"?userId="+lineUser)
}

// TestNothingIsTold links, uses and unlinks, with every line logged and every request traced: neither log nor span nor metric
// nor the operator's answers name a secret or a person. // C27, C65
func TestNothingIsTold(t *testing.T) {
	collector := tracingtest.New(t)
	traced, flush := tracedTo(t, collector)
	f := newFlow(t, traced)
	f.link(t)
	f.use(t)

	// A login of somebody else's browser is refused at the end.
	path, _ := f.signIn(t)
	if a := f.visit(t, http.MethodPost, path, f.cookies, url.Values{"token": {"forged"}, "choice": {"link"}}); a.Code != http.StatusForbidden {
		t.Errorf("a forged form got %d", a.Code)
	}
	result := f.unlink(t, unlinkID, adminapi.Unlink{
		UserID: lineUser, Requester: "AccountUnlink hr/leaver-1234", Reason: "HR-1234: " + lineUser + " alias " + mailOfDupont + " has left",
	})
	if result.Counts.Unlinked != 1 {
		t.Errorf("unlinked: %+v", result)
	}
	status, err := f.status(t)
	if err != nil {
		t.Fatal(err)
	}
	flush()
	for where, text := range map[string]string{
		"spans": collector.Raw(), "log": f.logs.String(), "metrics": do(t, http.MethodGet, f.Ops+"/metrics", nil).Body,
		"status": fmt.Sprintf("%+v", status), "unlinking": fmt.Sprintf("%+v", result),
		"readiness": f.ready(t).Body,
	} {
		if names := f.secrets.found(text); len(names) > 0 {
			t.Errorf("%s has %q:\n%s", where, names, text)
		}
		if len(text) == 0 {
			t.Errorf("%s is empty: nothing was looked at", where)
		}
	}
}
