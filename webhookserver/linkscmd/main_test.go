package linkscmd

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"channellink.dev/operator/webhookserver/config"
	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/store"
)

// serverVariable names the database that this binary, run again as a child, serves.
const serverVariable = "CHANNELLINK_LINKSCMD_SERVER"

func TestMain(m *testing.M) {
	if path := os.Getenv(serverVariable); path != "" {
		if err := serve(path, os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

const vision = link.ChannelID("LINE/507oftxz")

var moment = time.Date(2026, 1, 31, 9, 30, 0, 123456000, time.UTC)

// serve holds a store as a server does and links one user after the other, until its input ends; then it prints how many.
func serve(path string, in io.Reader, out io.Writer) error {
	ctx := context.Background()
	s, err := store.OpenSQLite(ctx, store.SQLiteOptions{Path: path})
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "serving")
	var stop atomic.Bool
	go func() {
		_, _ = io.Copy(io.Discard, in)
		stop.Store(true)
	}()
	served := 0
	for ; !stop.Load(); served++ {
		if err := linkUser(ctx, s, fmt.Sprintf("Userved%07d", served)); err != nil {
			return fmt.Errorf("link %d: %w", served, err)
		}
	}
	fmt.Fprintln(os.Stderr, "writes of the server that had to wait too long:", unavailable)
	fmt.Fprintln(out, served)
	return s.Close()
}

// linkUser takes a chat user through login, consent and confirmation.
func linkUser(ctx context.Context, s link.Store, userID string) error {
	session := link.Session{
		Flow: userID, Channel: vision, Step: link.Identified, StateHash: link.HashCode(userID),
		StartedAt: moment, ExpiresAt: moment.Add(time.Hour),
	}
	if err := patiently(func() error { return s.PutSession(ctx, session) }); err != nil {
		return err
	}
	l := link.Link{
		Channel: vision, UserID: userID, CodeHash: link.HashCode(userID), StableCode: true, PlatformToken: "token of " + userID,
		Identity: link.Identity{Issuer: "https://sso.vision.example", Subject: "sub of " + userID, Account: userID + "@vision.example"},
		LoginAt:  moment, ConsentAt: moment, ExpiresAt: moment.Add(link.LINETokenLife),
	}
	if err := patiently(func() error { return s.Consent(ctx, userID, l, 0, false) }); err != nil {
		return err
	}
	return patiently(func() error {
		outcome, err := s.Confirm(ctx, link.Confirmation{
			Channel: vision, Event: userID, Code: l.CodeHash, UserID: userID, OK: true, At: moment.Add(time.Second),
		}, moment)
		if err == nil && outcome != link.Activated {
			err = fmt.Errorf("confirmation: %s", outcome)
		}
		return err
	})
}

// unavailable counts the calls that were made again.
var unavailable int

// patiently calls again while the store is unavailable, as platforms do: on a machine that is busy with something else a
// batch of the import may take longer than the server waits.
func patiently(call func() error) error {
	var err error
	for range 20 {
		if err = call(); !errors.Is(err, link.ErrUnavailable) {
			break
		}
		unavailable++
	}
	return err
}

// liveServer is a process that holds a store and writes to it.
type liveServer struct {
	cmd   *exec.Cmd
	stdin io.Closer
	lines *bufio.Scanner
}

func startServer(t *testing.T, path string) *liveServer {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), serverVariable+"="+path)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := &liveServer{cmd: cmd, stdin: stdin, lines: bufio.NewScanner(stdout)}
	if !s.lines.Scan() || s.lines.Text() != "serving" {
		t.Fatalf("the server says %q", s.lines.Text())
	}
	return s
}

// stop ends the server and returns how many users it has linked. It fails the test if a single write failed.
func (s *liveServer) stop(t *testing.T) int {
	t.Helper()
	_ = s.stdin.Close()
	served := -1
	if s.lines.Scan() {
		served, _ = strconv.Atoi(s.lines.Text())
	}
	if err := s.cmd.Wait(); err != nil {
		t.Fatalf("the server: %v", err)
	}
	return served
}

// settingsDir writes settings with that store and a LINE channel.
func settingsDir(t *testing.T, s config.Store) string {
	t.Helper()
	s.AuditRetention = config.Duration(24 * time.Hour)
	settings := config.Settings{
		Version: config.Version, Store: s,
		Channels: []config.Channel{{
			UID: "0b7c1f52-0a51-4c0e-9d5c-8f2a6f1f9a11", Namespace: "vision", Name: "hr", Platform: "LINE", PageID: "507oftxz",
			DisplayName: "Vision HR", PublicURL: "https://link.vision.example/hr",
			LINE: &config.LINE{APIEndpoint: "https://api.line.me", AccountLinkEndpoint: "https://access.line.me"},
			OIDC: config.OIDC{IssuerURL: "https://sso.vision.example", ClientID: "chatbot", Scopes: []string{"openid"}, UserClaim: "sub"},
		}},
	}
	data, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, config.SettingsFile), data, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}
