package store

import (
	"bytes"
	"context"
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

func TestMain(m *testing.M) {
	if path := os.Getenv(crashVariable); path != "" {
		fmt.Fprintln(os.Stderr, writeForever(path))
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

// writeForever stores one row after the other and prints each row's number once
// it is acknowledged.
func writeForever(path string) error {
	ctx := context.Background()
	s, err := OpenSQLite(ctx, SQLiteOptions{Path: path})
	if err != nil {
		return err
	}
	for i := 0; ; i++ {
		if err := s.PutIssuerDocuments(ctx, row(i)); err != nil {
			return err
		}
		fmt.Fprintln(os.Stdout, i)
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
