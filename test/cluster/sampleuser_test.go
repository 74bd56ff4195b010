//go:build cluster

package cluster

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"channellink.dev/operator/internal/chatsim"
)

// The sample user of the demo does what `make up` says to try next: he opens what Log in opens in a real browser, signs in at
// the provider and links. Then the server's own command, run in its pod, shows the link.
func TestTheSampleUserLinksInABrowser(t *testing.T) {
	browser := newBrowser(t)
	for channel, end := range map[string]string{
		"vision-hr": "h1#line", "vision-hr-messenger": "h1#messenger", "vision-line": "h1#line", "vision-messenger": "h1#messenger",
	} {
		t.Run(channel, func(t *testing.T) {
			c, w := enter(t, channel), openWindow(browser, t)
			began := time.Now().Add(-time.Second) // pod and test share the machine's clock; what is listed is rounded
			var login chatsim.Login
			control(t, http.MethodPost, c.path()+"/login", nil, &login)

			w.visit(simulator() + "/sim/browser?user=" + c.user.ID) // LINE looks whose browser it is
			w.visit(login.URL)
			w.sees("#login")
			w.types("#login", account)
			w.types("#password", password)
			w.clicks("#submit-login")
			const link = `button[name="choice"][value="link"]`
			w.sees(link)
			if text := value[string](w, "document.body.innerText"); !strings.Contains(text, account) || !strings.Contains(text, "Vision HR") {
				t.Errorf("the consent page does not name both sides:\n%s", text)
			}
			w.clicks(link)
			w.sees(end)
			if text := value[string](w, "document.body.innerText"); !strings.Contains(text, "Accounts linked") {
				t.Errorf("the platform says\n%s", text)
			}

			NewWithT(t).Eventually(func() error { return listed(t.Context(), channel, c.user.ID, began) }).
				WithTimeout(answerTime).WithPolling(time.Second).Should(Succeed())
		})
	}
}

// listed asks the server of a channel for its links, and says what is wrong with that of the user. The list masks ids: the
// first four characters and the last four are left.
func listed(ctx context.Context, channel, userID string, since time.Time) error {
	out, err := kubectl(ctx, "-n", companyNamespace, "exec", "deployment/"+channel, "--", "/webhookserver", "links", "list")
	if err != nil {
		return fmt.Errorf("links list: %w: %s", err, out)
	}
	masked := userID[:4] + "…" + userID[len(userID)-4:]
	for lines := bufio.NewScanner(strings.NewReader(out)); lines.Scan(); {
		var row struct {
			User, Account string
			Confirmed     bool
			LinkedAt      time.Time
		}
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
			return fmt.Errorf("links list says %q: %w", lines.Text(), err)
		}
		if row.User != masked || row.LinkedAt.Before(since) {
			continue
		}
		if !row.Confirmed || strings.Contains(row.Account, account) || !strings.HasPrefix(row.Account, account[:4]) {
			return fmt.Errorf("the link is listed as %+v", row)
		}
		return nil
	}
	return errors.New("the link is not listed")
}
