package unlink_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"syscall"
	"time"

	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/secretfile"
	"channellink.dev/operator/webhookserver/unlink"
)

// mortalVariable holds what this binary, run again as a child, does before it dies.
const mortalVariable = "CHANNELLINK_UNLINK_MORTAL"

// mortalOrder is one attempt of a process that kills itself at a step.
type mortalOrder struct {
	Where    where           `json:"where"`
	Platform string          `json:"platform"`
	Now      time.Time       `json:"now"`
	DieAt    int             `json:"dieAt"`
	Asked    link.Revocation `json:"asked"`
}

// liveAndDie is the child's main function. It comes to its end only if the attempt has fewer steps than that.
func liveAndDie(order string) error {
	var o mortalOrder
	if err := json.Unmarshal([]byte(order), &o); err != nil {
		return err
	}
	ctx := context.Background()
	opened, err := o.Where.open(ctx)
	if err != nil {
		return err
	}
	m := &mortal{Ledger: opened, dieAt: o.DieAt, platform: o.Platform}
	result := newUnlinker(m, o.Asked.Channel, m, func() time.Time { return o.Now }).Attempt(ctx, o.Asked)
	if result.Cause != "" {
		return fmt.Errorf("the attempt stopped: %s", result.Cause)
	}
	return opened.Close()
}

// mortal is a ledger and a platform of which the process dies: before a step or after it.
type mortal struct {
	link.Ledger
	platform     string
	dieAt, steps int
}

// step ends the process, with no chance to do anything more, if it is time.
func (m *mortal) step() {
	if m.steps++; m.steps == m.dieAt {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
}

func (m *mortal) OpenRevocation(ctx context.Context, r link.Revocation, tell link.Telling, now time.Time) (link.Lease, error) {
	m.step()
	defer m.step()
	return m.Ledger.OpenRevocation(ctx, r, tell, now)
}

func (m *mortal) CloseLinks(ctx context.Context, l link.Lease, tell link.Telling, now time.Time) (bool, error) {
	m.step()
	defer m.step()
	return m.Ledger.CloseLinks(ctx, l, tell, now)
}

func (m *mortal) BeginCall(ctx context.Context, l link.Lease, userID string, now time.Time) error {
	m.step()
	defer m.step()
	return m.Ledger.BeginCall(ctx, l, userID, now)
}

func (m *mortal) EndCall(ctx context.Context, l link.Lease, userID string, s link.Settlement, now time.Time) error {
	m.step()
	defer m.step()
	return m.Ledger.EndCall(ctx, l, userID, s, now)
}

func (m *mortal) Release(ctx context.Context, l link.Lease, now time.Time) error {
	m.step()
	defer m.step()
	return m.Ledger.Release(ctx, l, now)
}

// Credential implements unlink.Platform.
func (*mortal) Credential() (secretfile.Secret, bool) { return secretfile.NewSecret("token"), true }

// Unlink implements unlink.Platform. The steps before and after the call itself are those of the ledger around it.
func (m *mortal) Unlink(ctx context.Context, userID string, _ []link.RevocationAction, leave func() error) error {
	if err := leave(); err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, m.platform+"?user="+url.QueryEscape(userID), nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return &unlink.CallError{Cause: unlink.Unreachable}
	}
	if err := resp.Body.Close(); err != nil || resp.StatusCode != http.StatusOK {
		return &unlink.CallError{Cause: unlink.UpstreamFailed, Status: resp.StatusCode}
	}
	return nil
}
