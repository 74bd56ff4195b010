package secretfile

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"channellink.dev/operator/webhookserver/secretfile/secretfiletest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const canary = "CANARY-51c0"

// C27, C65: a secret does not come out of a log, an error or a dump, wherever it
// is held.
func TestSecretIsRedacted(t *testing.T) {
	secret := NewSecret(canary)
	type exported struct {
		S Secret
		P *Secret
		L []Secret
		M map[Secret]Secret
		F Snapshot
	}
	type unexported struct {
		s Secret
		l []Secret
		f Snapshot
	}
	snapshot := Snapshot{}.next([]byte(canary), nil)
	list := []Secret{secret}
	holders := []any{
		secret, &secret, list, snapshot, &snapshot,
		exported{secret, &secret, list, map[Secret]Secret{secret: secret}, snapshot},
		unexported{secret, list, snapshot},
		&unexported{secret, list, snapshot},
	}
	leaks := []string{
		canary, fmt.Sprintf("%x", canary), fmt.Sprintf("%X", canary),
		strings.Trim(fmt.Sprint([]byte(canary)), "[]"), base64.StdEncoding.EncodeToString([]byte(canary)),
	}
	for _, holder := range holders {
		var out strings.Builder
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%10s"} {
			fmt.Fprintf(&out, verb+"\n", holder)
		}
		for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
			slog.New(handler).Info("m", "held", holder)
		}
		if err := json.NewEncoder(&out).Encode(holder); err != nil {
			t.Fatal(err)
		}
		for _, leak := range leaks {
			if strings.Contains(out.String(), leak) {
				t.Errorf("%T leaks %q:\n%s", holder, leak, out.String())
			}
		}
	}
	if secret.Reveal() != canary {
		t.Error("Reveal does not return the secret")
	}
}

func TestValues(t *testing.T) {
	cases := []struct {
		reason string
		raw    string
		state  State
		want   []string
	}{
		{"one value", "s3cret", Present, []string{"s3cret"}},
		{"a trailing newline is an editor's", "s3cret\n", Present, []string{"s3cret"}},
		{"CRLF", "new\r\nold\r\n", Present, []string{"new", "old"}},
		{"newest first", "new\nold", Present, []string{"new", "old"}},
		{"blank lines", "\n\nnew\n \nold\n\n", Present, []string{"new", "old"}},
		{"spaces belong to the value", " a b \n", Present, []string{" a b "}},
		{"at most eight", strings.Repeat("x\n", 20), Present, []string{"x", "x", "x", "x", "x", "x", "x", "x"}},
		{"no byte", "", Empty, nil},
		{"white space alone", " \r\n\t\n", Empty, nil},
		{"just not too large", strings.Repeat("x", MaxSize), Present, []string{strings.Repeat("x", MaxSize)}},
		{"too large", strings.Repeat("x", MaxSize+1), Unreadable, nil},
	}
	for _, tc := range cases {
		t.Run(tc.reason, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "key")
			write(t, path, tc.raw)
			got := NewWatcher(Options{}).File(path).Load()
			if got.State() != tc.state {
				t.Errorf("state %s, want %s", got.State(), tc.state)
			}
			if diff := cmp.Diff(tc.want, reveal(got.Values())); diff != "" {
				t.Error(diff)
			}
			if newest, ok := got.Newest(); ok != (tc.want != nil) || ok && newest.Reveal() != tc.want[0] {
				t.Errorf("Newest = %q, %t", newest.Reveal(), ok)
			}
		})
	}
}

func reveal(secrets []Secret) []string {
	var out []string
	for _, s := range secrets {
		out = append(out, s.Reveal())
	}
	return out
}

func TestUnreadable(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{pipe, dir} { // a pipe must not block the reader
		if got := NewWatcher(Options{}).File(path).Load(); got.State() != Unreadable || got.Usable() {
			t.Errorf("%s: state %s, usable %t", path, got.State(), got.Usable())
		}
	}
}

// A value that was there once is served until another comes (DESIGN section 3).
func TestStates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "later", "key")
		file := run(t, Options{pollOnly: true}, path)
		steps := []struct {
			reason string
			change func()
			state  State
			served string
		}{
			{"the directory is not there yet", func() {}, Missing, ""},
			{"an empty directory", func() { mkdir(t, filepath.Dir(path)) }, Missing, ""},
			{"an empty file", func() { write(t, path, "") }, Empty, ""},
			{"a first value", func() { write(t, path, "one") }, Present, "one"},
			{"another", func() { write(t, path, "two") }, Present, "two"},
			{"emptied: the last one is served", func() { write(t, path, "\n") }, Empty, "two"},
			{"removed", func() { remove(t, path) }, Vanished, "two"},
			{"spoiled", func() { write(t, path, strings.Repeat("x", MaxSize+1)) }, Unreadable, "two"},
			{"back", func() { write(t, path, "three") }, Present, "three"},
			{"the whole volume gone", func() { remove(t, filepath.Dir(path)) }, Vanished, "three"},
		}
		for _, step := range steps {
			step.change()
			time.Sleep(DefaultPoll) // the bubble's clock
			synctest.Wait()
			got := file.Load()
			if got.State() != step.state || string(bytes.TrimSpace(got.Raw())) != step.served {
				t.Errorf("%s: %s %q, want %s %q", step.reason, got.State(), got.Raw(), step.state, step.served)
			}
			if got.Usable() != (step.served != "") {
				t.Errorf("%s: Usable = %t", step.reason, got.Usable())
			}
		}
	})
}

// promised is how soon after the volume's change a new value counts, whatever the poll
// is: so the documentation has it.
const promised = 90 * time.Second

// C47: a rotation is seen in time when no event comes, and a reader that waits is
// woken once for it.
func TestPollBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "key")
		write(t, path, "old")
		file := run(t, Options{pollOnly: true}, path)
		synctest.Wait()
		_, changed := file.Watch()
		start := time.Now()
		write(t, path, "new\nold\n")
		<-changed
		if waited := time.Since(start); waited > promised {
			t.Errorf("seen after %s, want at most %s", waited, promised)
		}
		_, changed = file.Watch()
		time.Sleep(3 * DefaultPoll) // the bubble's clock
		select {
		case <-changed:
			t.Error("woken without a change")
		default:
		}
	})
}

// C47: the kubelet's way of changing a volume is seen by its event, long before
// the poll; readers get a whole old or a whole new value, never none.
func TestKubeletSwap(t *testing.T) {
	volume := secretfiletest.NewVolume(t, map[string]string{"token": "v0", "other": "same"})

	watcher := NewWatcher(Options{Poll: time.Hour})
	token, other := watcher.File(volume.Path("token")), watcher.File(volume.Path("other"))
	late := watcher.File(volume.Path("late"))
	start(t, watcher)
	_, otherChanged := other.Watch()

	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			last := 0
			for {
				select {
				case <-stop:
					return
				default:
				}
				var version int
				got := newest(token.Load())
				if _, err := fmt.Sscanf(got, "v%d", &version); err != nil || version < last {
					t.Errorf("read %q after v%d", got, last)
					return
				}
				last = version
			}
		})
	}
	for i := 1; i <= 20; i++ {
		volume.Publish(t, map[string]string{"token": fmt.Sprintf("v%d\nv%d\n", i, i-1), "other": "same"})
		await(t, token, func(s Snapshot) bool { return newest(s) == fmt.Sprintf("v%d", i) })
	}
	volume.Publish(t, map[string]string{"other": "same", "late": "here"})
	await(t, token, func(s Snapshot) bool { return s.State() == Vanished && newest(s) == "v20" })
	await(t, late, func(s Snapshot) bool { return s.State() == Present })
	close(stop)
	readers.Wait()
	select {
	case <-otherChanged:
		t.Error("an unchanged file was reported")
	default:
	}
}

// A file may be added while the watcher runs; the same path is the same File.
func TestFileWhileRunning(t *testing.T) {
	watcher := NewWatcher(Options{Poll: time.Hour})
	start(t, watcher)
	path := filepath.Join(t.TempDir(), "key")
	write(t, path, "one")
	file := watcher.File(path)
	if watcher.File(filepath.Dir(path)+"/./key") != file {
		t.Error("the same path gave another File")
	}
	if got := newest(file.Load()); got != "one" {
		t.Errorf("not read at once: %q", got)
	}
	write(t, path, "two")
	await(t, file, func(s Snapshot) bool { return newest(s) == "two" })
}

func newest(s Snapshot) string {
	secret, _ := s.Newest()
	return secret.Reveal()
}

func run(t *testing.T, o Options, path string) *File {
	t.Helper()
	watcher := NewWatcher(o)
	file := watcher.File(path)
	start(t, watcher)
	return file
}

func start(t *testing.T, watcher *Watcher) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); watcher.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
}

// await waits for a snapshot that the condition holds for.
func await(t *testing.T, file *File, holds func(Snapshot) bool) {
	t.Helper()
	limit := time.After(30 * time.Second)
	for {
		snapshot, changed := file.Watch()
		if holds(snapshot) {
			return
		}
		select {
		case <-changed:
		case <-limit:
			t.Fatalf("%s: still %s", file.Path(), snapshot.State())
		}
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	check(t, os.WriteFile(path, []byte(content), 0o600))
}

func mkdir(t *testing.T, path string) { t.Helper(); check(t, os.Mkdir(path, 0o700)) }

func remove(t *testing.T, path string) { t.Helper(); check(t, os.RemoveAll(path)) }

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
