package testenv

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// auditPolicy records who asked what, once for each request: a watch when it begins (it may not end before the test
// does), all else when it is answered.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitManagedFields: true
rules:
- level: None
  nonResourceURLs: ["/healthz*", "/livez*", "/readyz*"]
- level: Metadata
  verbs: [watch]
  omitStages: [RequestReceived, ResponseComplete]
- level: Metadata
  omitStages: [RequestReceived, ResponseStarted]
`

// auditTimeout bounds the wait for an answered request to appear in the record.
const auditTimeout = 30 * time.Second

// auditLog is the file that kube-apiserver appends its audit events to, one JSON object a line.
type auditLog struct {
	policy, path string
}

func newAuditLog(dir string) (*auditLog, error) {
	l := &auditLog{policy: filepath.Join(dir, "audit-policy.yaml"), path: filepath.Join(dir, "audit.jsonl")}
	if err := os.WriteFile(l.policy, []byte(auditPolicy), 0o600); err != nil {
		return nil, fmt.Errorf("write the audit policy: %w", err)
	}
	return l, nil
}

// flags are those of kube-apiserver. In blocking mode an event is in the file before its request is answered.
func (l *auditLog) flags() map[string]string {
	return map[string]string{
		"audit-policy-file": l.policy,
		"audit-log-path":    l.path,
		"audit-log-mode":    "blocking",
	}
}

// Recording is what the API server was asked from one moment on.
type Recording struct {
	env    *Environment
	offset int64
}

// Record begins a recording. The Environment must have been started WithAudit.
func (e *Environment) Record(tb testing.TB) *Recording {
	tb.Helper()
	if e.audit == nil {
		tb.Fatal("this Environment was started without WithAudit")
	}
	e.passMark(tb)
	info, err := os.Stat(e.audit.path)
	if err != nil {
		tb.Fatalf("read the audit log: %v", err)
	}
	return &Recording{env: e, offset: info.Size()}
}

// Events returns every request that was answered since the recording began, and every watch that began, whoever asked.
// See ByUser and Tally.
func (r *Recording) Events(tb testing.TB) []auditv1.Event {
	tb.Helper()
	r.env.passMark(tb)
	events, err := r.env.audit.read(r.offset)
	if err != nil {
		tb.Fatal(err)
	}
	return slices.DeleteFunc(events, func(e auditv1.Event) bool { return strings.HasPrefix(e.UserAgent, markUserAgent) })
}

// markUserAgent begins the user agent of the requests that passMark makes.
const markUserAgent = "testenv-mark/"

// passMark makes a request and waits until the record has it: what was answered before is then there too.
func (e *Environment) passMark(tb testing.TB) {
	tb.Helper()
	config := rest.CopyConfig(e.Config)
	config.UserAgent = markUserAgent + rand.Text()
	c, err := client.New(config, client.Options{Scheme: e.Scheme})
	if err != nil {
		tb.Fatalf("mark the audit log: %v", err)
	}
	ctx := context.WithoutCancel(tb.Context()) // recordings are also read in cleanups
	if err := c.Get(ctx, client.ObjectKey{Name: "default"}, &corev1.Namespace{}); err != nil {
		tb.Fatalf("mark the audit log: %v", err)
	}
	err = wait.PollUntilContextTimeout(ctx, 10*time.Millisecond, auditTimeout, true, func(context.Context) (bool, error) {
		content, err := os.ReadFile(e.audit.path)
		return bytes.Contains(content, []byte(config.UserAgent)), err
	})
	if err != nil {
		tb.Fatalf("find the mark in the audit log: %v", err)
	}
}

// read parses the events from this offset on. A line that is still being written ends the reading.
func (l *auditLog) read(offset int64) ([]auditv1.Event, error) {
	content, err := os.ReadFile(l.path)
	if err != nil {
		return nil, fmt.Errorf("read the audit log: %w", err)
	}
	var events []auditv1.Event
	for line := range bytes.Lines(content[offset:]) {
		if !bytes.HasSuffix(line, []byte("\n")) {
			break
		}
		var event auditv1.Event
		if err := json.Unmarshal(line, &event); err != nil {
			return nil, fmt.Errorf("parse an audit event: %w", err)
		}
		events = append(events, event)
	}
	return events, nil
}

// ByUser keeps the requests of this user.
func ByUser(events []auditv1.Event, user string) []auditv1.Event {
	var kept []auditv1.Event
	for _, event := range events {
		if event.User.Username == user {
			kept = append(kept, event)
		}
	}
	return kept
}

// Writes keeps the requests that create, change or delete, answered well or not.
func Writes(events []auditv1.Event) []auditv1.Event {
	var kept []auditv1.Event
	for _, event := range events {
		switch event.Verb {
		case "create", "update", "patch", "delete", "deletecollection":
			kept = append(kept, event)
		}
	}
	return kept
}

// Tally counts the requests by verb and resource, for a readable comparison: `patch channellinks.channellink.dev/status`,
// `get secrets`. A request for no resource counts by its path: `get /version`.
func Tally(events []auditv1.Event) map[string]int {
	counts := map[string]int{}
	for _, event := range events {
		counts[event.Verb+" "+target(event)]++
	}
	return counts
}

func target(event auditv1.Event) string {
	ref := event.ObjectRef
	if ref == nil || ref.Resource == "" {
		path, _, _ := strings.Cut(event.RequestURI, "?")
		return path
	}
	name := ref.Resource
	if ref.APIGroup != "" {
		name += "." + ref.APIGroup
	}
	if ref.Subresource != "" {
		name += "/" + ref.Subresource
	}
	return name
}
