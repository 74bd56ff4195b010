package webhookserver_test

import (
	"fmt"
	"net/http"
	"testing"

	"channellink.dev/operator/webhookserver/authorize/issuer/issuertest"
)

// C47: a client secret that was renewed goes to the issuer with the next login, without a restart. The line below it, which the
// Secret may keep for a way back, does not.
func TestClientSecretRotation(t *testing.T) {
	w := readyToLogIn(t)
	sent := func() string {
		cookies := map[string]string{}
		begun := w.visit(t, http.MethodGet, "/hr/authorize?linkToken=NMZTNuVrPTqlr2IF8Bnymkb7rXfYv5EY", cookies, nil)
		query := w.Issuer.SignIn(t, begun.Header.Get("Location"), issuertest.Login{})
		if back := w.visit(t, http.MethodGet, "/hr/callback?"+query.Encode(), cookies, nil); back.Code != http.StatusSeeOther {
			t.Fatalf("/callback answered %d\n%s", back.Code, back.Body)
		}
		requests := w.Issuer.TokenRequests()
		_, secret, _ := requests[len(requests)-1].BasicAuth()
		return secret
	}
	if got := sent(); got != canary+"-client" {
		t.Errorf("at first %q was sent", got)
	}
	w.mount(t, map[string]string{fieldClientSecret: canary + "-renewed\n" + canary + "-client\n"})
	eventually(t, func() error {
		if got := sent(); got != canary+"-renewed" {
			return fmt.Errorf("%q was sent", got)
		}
		return nil
	})
}
