package main

import (
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"channellink.dev/operator/webhookserver/adminapi"
	"channellink.dev/operator/webhookserver/config"
	"channellink.dev/operator/webhookserver/secretfile/secretfiletest"
	"channellink.dev/operator/webhookserver/store/pgtest"
)

const (
	fieldDSN  = "store.postgres.dsnSecretRef"
	fieldKeys = "store.encryptionKeySecretRef"
)

// runbook is the program as somebody meets it who follows docs/operations.md: its Secrets and settings change, its pod is
// replaced, and `kubectl exec` runs its command for links.
type runbook struct {
	references, settings *secretfiletest.Volume
	secrets              map[string]string // by field
	parsed               config.Settings
	keys                 string
	signer               *adminapi.Signer
	pod                  *process
}

// newRunbook starts the program on a SQLite file.
func newRunbook(t *testing.T) *runbook {
	t.Helper()
	key, err := adminapi.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	r := &runbook{secrets: map[string]string{fieldSecret: "client-secret"}}
	if r.signer, err = adminapi.NewSigner(key); err != nil {
		t.Fatal(err)
	}
	set, err := adminapi.NewKeySet(key.Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	r.references = secretfiletest.NewVolume(t, r.secrets)
	r.settings = settingsVolume(t, r.references, set)
	for name, to := range map[string]func([]byte) error{
		config.SettingsFile:     func(data []byte) (err error) { r.parsed, err = config.Parse(data); return err },
		config.OperatorKeysFile: func(data []byte) error { r.keys = string(data); return nil },
	} {
		data, err := os.ReadFile(r.settings.Path(name))
		if err == nil {
			err = to(data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	r.pod = start(t, r.settings, "--ready-drain", "0s")
	r.untilStore(t, open)
	return r
}

// mount writes the Secret behind a reference; the kubelet brings it to the running pod.
func (r *runbook) mount(t *testing.T, field, value string) {
	t.Helper()
	r.secrets[field] = value
	r.references.Publish(t, r.secrets)
}

// file is a reference's file, as the settings name it.
func (r *runbook) file(field string) config.File {
	return config.File{Field: field, Path: r.references.Path(field)}
}

// replacePod ends the pod, as a rollout with the strategy Recreate does, and starts the next with that store.
func (r *runbook) replacePod(t *testing.T, store config.Store) {
	t.Helper()
	if err := r.pod.command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := r.pod.command.Wait(); err != nil {
		t.Fatalf("the program ended with %v", err)
	}
	r.parsed.Store = store
	data, err := json.Marshal(r.parsed)
	if err != nil {
		t.Fatal(err)
	}
	r.settings.Publish(t, map[string]string{config.SettingsFile: string(data), config.OperatorKeysFile: r.keys})
	r.pod = start(t, r.settings, "--ready-drain", "0s")
}

var (
	open       = adminapi.Store{State: adminapi.StoreOpen}
	keyInvalid = adminapi.Store{State: adminapi.StoreFailed, Reason: adminapi.StoreKeyInvalid}
)

// untilStore waits until the program reports its store so: what StoreReady follows.
func (r *runbook) untilStore(t *testing.T, want adminapi.Store) {
	t.Helper()
	client := adminapi.NewClient(time.Now)
	eventually(t, func() error {
		got, err := client.Status(t.Context(), adminapi.Target{BaseURL: r.pod.Admin, Audience: uid}, r.signer)
		if err != nil || got.Store != want {
			return fmt.Errorf("the store is %+v (%w), want %+v", got.Store, err, want)
		}
		return nil
	})
}

// links runs `webhookserver links` beside the program.
func (r *runbook) links(t *testing.T, command, in string) string {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, "links", command, "--settings-dir", r.settings.Dir)
	cmd.Stdin, cmd.Stderr = strings.NewReader(in), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("links %s: %v", command, err)
	}
	return string(out)
}

// wantImport imports, and compares what the command counts and what is there afterwards.
func (r *runbook) wantImport(t *testing.T, when, backup, want string) {
	t.Helper()
	if got := strings.TrimSpace(r.links(t, "import", backup)); got != want {
		t.Errorf("%s: %s, want %s", when, got, want)
	}
	if got := r.links(t, "export", ""); got != backup {
		t.Errorf("%s there is\n%swant\n%s", when, got, backup)
	}
}

// linkTwo links two chat users, and returns the backup that knows them.
func (r *runbook) linkTwo(t *testing.T) string {
	t.Helper()
	const line = `{"version":1,"userID":"U%032d","issuer":"https://sso.vision.example","subject":"s%d","confirmed":true,"linkedAt":"2026-01-31T00:00:00Z"}` + "\n"
	r.links(t, "import", fmt.Sprintf(line+line, 1, 1, 2, 2))
	backup := r.links(t, "export", "")
	if n := strings.Count(backup, "\n"); n != 2 {
		t.Fatalf("%d links, want 2:\n%s", n, backup)
	}
	return backup
}

// SQLite to PostgreSQL, by export and import with the real command. The file stays what it was, as the way back.
func TestMoveToPostgreSQL(t *testing.T) {
	r := newRunbook(t)
	backup, sqlite := r.linkTwo(t), r.parsed.Store

	server := pgtest.Start(t)
	r.mount(t, fieldDSN, server.DSN(server.NewDatabase(t)))
	postgres := config.Store{Postgres: &config.Postgres{DSN: r.file(fieldDSN), MaxConns: 10}, AuditRetention: sqlite.AuditRetention}
	r.replacePod(t, postgres)
	r.untilStore(t, open)
	if there := r.links(t, "export", ""); there != "" {
		t.Errorf("nobody is linked before the import, and there is\n%s", there)
	}
	r.wantImport(t, "moved", backup, `{"read":2,"stored":2}`)
	r.wantImport(t, "moved twice", backup, `{"read":2,"stored":0}`)

	r.replacePod(t, sqlite)
	r.untilStore(t, open)
	r.wantImport(t, "moved back, to the volume that stayed", backup, `{"read":2,"stored":0}`)
}

// A volume is lost: the next pod makes a new file, and the last export fills it.
func TestLostVolume(t *testing.T) {
	r := newRunbook(t)
	backup, empty := r.linkTwo(t), r.parsed.Store
	empty.SQLite = &config.SQLite{Dir: t.TempDir()}
	r.replacePod(t, empty)
	r.untilStore(t, open)
	r.wantImport(t, "on a new volume", backup, `{"read":2,"stored":2}`)
}

// The encryption key is changed: new above old, a new pod, new alone, a new pod. Who takes the old one away too early is told
// when the next pod starts, and puts it back; that pod needs no restart.
func TestEncryptionKeyRotation(t *testing.T) {
	const older, newer, other = "b2xkZXIgb2xkZXIgb2xkZXI", "bmV3ZXIgbmV3ZXIgbmV3ZXI", "b3RoZXIgb3RoZXIgb3RoZXI"
	r := newRunbook(t)
	sealed := r.parsed.Store
	keys := r.file(fieldKeys)
	sealed.EncryptionKeys = &keys
	for _, step := range []struct {
		reason, keys string
		want         adminapi.Store
	}{
		{"what lies there in clear is sealed", older, open},
		{"the older key opens, and all is sealed anew", newer + "\n" + older, open},
		{"so the older one can go", newer, open},
		{"a key that never sealed anything opens nothing", other, keyInvalid},
	} {
		r.mount(t, fieldKeys, step.keys+"\n")
		r.replacePod(t, sealed)
		t.Log(step.reason)
		r.untilStore(t, step.want)
	}
	r.mount(t, fieldKeys, other+"\n"+newer+"\n")
	r.untilStore(t, open)
}
