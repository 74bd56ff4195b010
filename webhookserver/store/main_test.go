package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"go.uber.org/goleak"

	"channellink.dev/operator/webhookserver/link"
)

// crashVariable names the database that this binary, run again as a child, writes
// to until it is killed.
const crashVariable = "CHANNELLINK_STORE_CRASH_DATABASE"

// crashFirst is the number that it begins with.
const crashFirst = "CHANNELLINK_STORE_CRASH_FIRST"

func TestMain(m *testing.M) {
	if path := os.Getenv(crashVariable); path != "" {
		fmt.Fprintln(os.Stderr, writeForever(path))
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

// writeForever links one chat user after the other and prints each one's number
// once the link is acknowledged.
func writeForever(path string) error {
	ctx := context.Background()
	first, err := strconv.Atoi(os.Getenv(crashFirst))
	if err != nil {
		return err
	}
	s, err := OpenSQLite(ctx, SQLiteOptions{Path: path})
	if err != nil {
		return err
	}
	for i := first; ; i++ {
		if err := linkUser(ctx, s, i); err != nil {
			return err
		}
		fmt.Fprintln(os.Stdout, i)
	}
}

// linkUser takes the chat user of that number through login, consent and
// confirmation.
func linkUser(ctx context.Context, s *Store, i int) error {
	if err := consentUser(ctx, s, i); err != nil {
		return err
	}
	return confirmUser(ctx, s, i)
}

func consentUser(ctx context.Context, s *Store, i int) error {
	l := userLink(i)
	session := link.Session{
		Flow: l.ID, Channel: l.Channel, Step: link.Identified, StateHash: l.CodeHash,
		Params: map[string]string{"linkToken": l.PlatformToken}, StartedAt: l.LoginAt, ExpiresAt: l.ExpiresAt,
	}
	if err := s.PutSession(ctx, session); err != nil {
		return err
	}
	return s.Consent(ctx, session.Flow, l, 0, false)
}

func confirmUser(ctx context.Context, s *Store, i int) error {
	l := userLink(i)
	outcome, err := s.Confirm(ctx, link.Confirmation{
		Channel: l.Channel, Event: "event " + l.ID, Code: l.CodeHash, UserID: l.UserID, OK: true, At: l.ConsentAt,
	}, l.ConsentAt)
	if err == nil && outcome != link.Activated && outcome != link.Repeated {
		return fmt.Errorf("confirmation of user %d: %s", i, outcome)
	}
	return err
}

// patiently calls again while the store is unavailable, as platforms do.
func patiently(call func() error) error {
	var err error
	for range 100 {
		if err = call(); !errors.Is(err, link.ErrUnavailable) {
			break
		}
	}
	return err
}

// userLink is the link of that chat user as it is given consent to.
func userLink(i int) link.Link {
	n := strconv.Itoa(i)
	consent := time.Unix(1_700_000_000, 0).UTC()
	return link.Link{
		ID: "link-" + n, Channel: "LINE/1", UserID: "U" + n, CodeHash: link.HashCode(n), PlatformToken: "token-" + n,
		Identity: link.Identity{Issuer: "https://sso.vision.example", Subject: "sub-" + n, Account: n + "@vision.example"},
		LoginAt:  consent, ConsentAt: consent, ExpiresAt: consent.Add(link.LINETokenLife),
	}
}

// wantUser fails the test unless that chat user is linked.
func wantUser(t *testing.T, s *Store, i int) {
	t.Helper()
	want := userLink(i)
	got, err := s.ActiveLink(t.Context(), want.Channel, want.UserID, time.Time{})
	if err != nil || got.ID != want.ID || got.Identity != want.Identity || !got.Confirmed {
		t.Fatalf("user %d: %+v, %v", i, got, err)
	}
}

// row returns documents that tell their number.
func row(i int) link.IssuerDocuments {
	return link.IssuerDocuments{
		Channel:   link.ChannelID("row/" + strconv.Itoa(i)),
		Issuer:    "https://sso.vision.example",
		Discovery: bytes.Repeat([]byte(strconv.Itoa(i)), 1000),
		JWKS:      []byte(strconv.Itoa(i)),
		FetchedAt: time.Unix(int64(i), 0).UTC(),
	}
}

// wantRow fails the test unless row i is stored whole.
func wantRow(t *testing.T, s *Store, i int) {
	t.Helper()
	want := row(i)
	got, err := s.IssuerDocuments(t.Context(), want.Channel, want.Issuer)
	if err != nil {
		t.Fatalf("row %d: %v", i, err)
	}
	if !bytes.Equal(got.Discovery, want.Discovery) || !got.FetchedAt.Equal(want.FetchedAt) {
		t.Fatalf("row %d is not what was acknowledged", i)
	}
}
