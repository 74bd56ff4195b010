package plugin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"channellink.dev/operator/internal/names"
)

// serverCommand is the program in the server's pod, and server its container.
const (
	serverCommand = "/webhookserver"
	server        = "server"
)

// linkRow is a line of `webhookserver links list`, as far as people read it here.
type linkRow struct {
	User      string    `json:"user"`
	Account   string    `json:"account"`
	Subject   string    `json:"subject"`
	Confirmed bool      `json:"confirmed"`
	LinkedAt  time.Time `json:"linkedAt"`
}

// auditRow is a line of `webhookserver links audit`.
type auditRow struct {
	At   time.Time `json:"at"`
	What string    `json:"what"`
	Link string    `json:"link"`
	User string    `json:"user"`
	By   string    `json:"by"`
	Why  string    `json:"why"`
}

func linksCommand(flags *pflag.FlagSet) func(context.Context, *session) error {
	format := outputFlag(flags)
	audit := flags.Bool("audit", false, "what happened to links, who asked and why, instead of who is linked")
	oneUser := flags.Bool("one-user", false, "with --audit: only the chat user whose id is on standard input")
	return func(ctx context.Context, s *session) error {
		if *oneUser && !*audit {
			return errors.New("links: --one-user goes with --audit")
		}
		if format.json() {
			return s.links(ctx, *audit, *oneUser, s.Out)
		}
		var lines bytes.Buffer
		if err := s.links(ctx, *audit, *oneUser, &lines); err != nil {
			return err
		}
		rows, err := linkTable(lines.Bytes(), *audit)
		if err != nil {
			return err
		}
		if len(rows) == 1 {
			fmt.Fprintln(s.Err, nothing(*audit))
			return nil
		}
		return table(s.Out, rows)
	}
}

// nothing says that there is nothing to list, beside the output, which a program may read.
func nothing(audit bool) string {
	if audit {
		return "nothing has happened to links"
	}
	return "nobody is linked"
}

// links has the server's own command write its lines. Who may run it is decided by the right to pods/exec.
func (s *session) links(ctx context.Context, audit, oneUser bool, out io.Writer) error {
	l, err := s.link(ctx)
	if err != nil {
		return err
	}
	args := append([]string{"exec", "deploy/" + names.Base(l), "--container=" + server}, s.connectionArgs()...)
	in := io.Reader(nil)
	if oneUser {
		args, in = append(args, "--stdin"), s.In
	}
	args = append(args, "--", serverCommand, "links")
	switch {
	case oneUser:
		args = append(args, "audit", "-one-user")
	case audit:
		args = append(args, "audit")
	default:
		args = append(args, "list")
	}
	masked := &masked{out: out}
	if err := s.Kubectl(ctx, args, in, masked, s.Err); err != nil {
		return fmt.Errorf("run the server's own command: %w; kubectl channellink status %s --namespace %s says whether a server runs", err, l.Name, l.Namespace)
	}
	return masked.err
}

// masked passes lines on as long as they name nobody: a server of another release must not be able to have this one print
// what it may not.
type masked struct {
	out  io.Writer
	rest []byte
	err  error
}

var errNamed = errors.New("the server's command names a user in full: its release is not this plugin's")

// Write implements [io.Writer].
func (m *masked) Write(p []byte) (int, error) {
	m.rest = append(m.rest, p...)
	for {
		line, rest, whole := bytes.Cut(m.rest, []byte("\n"))
		if !whole {
			return len(p), nil
		}
		m.rest = rest
		var row linkRow
		if json.Unmarshal(line, &row) != nil || !nameless(row.User) {
			m.err = errNamed
			return 0, m.err
		}
		if _, err := m.out.Write(append(line, '\n')); err != nil {
			return 0, err
		}
	}
}

// hashLength is how long a keyed hash is in hexadecimal digits; no user's id is.
const hashLength = 64

// nameless tells a masked id or a hash from an id.
func nameless(user string) bool {
	return strings.Contains(user, "…") || len(user) == hashLength || user == ""
}

// linkTable makes a table of the lines.
func linkTable(lines []byte, audit bool) ([][]string, error) {
	rows := [][]string{{"USER", "ACCOUNT", "CONFIRMED", "LINKED"}}
	if audit {
		rows = [][]string{{"AT", "WHAT", "USER", "BY", "WHY"}}
	}
	decoder := json.NewDecoder(bytes.NewReader(lines))
	for {
		var l linkRow
		var a auditRow
		var raw json.RawMessage
		err := decoder.Decode(&raw)
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err == nil {
			err = errors.Join(json.Unmarshal(raw, &l), json.Unmarshal(raw, &a))
		}
		if err != nil {
			return nil, fmt.Errorf("read what the server's command has written: %w", err)
		}
		if audit {
			rows = append(rows, []string{a.At.UTC().Format(time.RFC3339), a.What, short(a.User), a.By, a.Why})
			continue
		}
		rows = append(rows, []string{l.User, l.Account, strconv.FormatBool(l.Confirmed), l.LinkedAt.UTC().Format(time.RFC3339)})
	}
}

// short is enough of a hash to tell people apart.
func short(hash string) string {
	const enough = 12
	return hash[:min(len(hash), enough)]
}
