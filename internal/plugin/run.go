package plugin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// usage is for somebody who has typed the name alone.
const usage = `kubectl channellink looks after the channels of ChannelLinks.

  status NAME     the chain of conditions, and the URLs to paste into BotBonnie,
                  LINE, Meta and the identity provider
  doctor NAME     checks everything that a person would check, and says what to do
  links NAME      who is linked, ids masked; with --audit what happened
  unlink NAME     revokes the links of a chat user or a person, and waits
  simulate NAME   signs an event as the platform does and sends it to the channel

kubectl channellink COMMAND --help tells the flags of a command.
`

// Timeouts of what the plugin asks from the user's machine.
const (
	callTimeout = 10 * time.Second
	maxBody     = 1 << 20 // bytes of an answer
)

// Env is what a command works with. The zero value of HTTP and Kubectl is the real thing.
type Env struct {
	In       io.Reader
	Out, Err io.Writer
	Now      func() time.Time
	// HTTP calls issuers and public URLs; it must not follow redirects.
	HTTP *http.Client
	// Kubectl runs kubectl, for what needs a stream to a pod.
	Kubectl func(ctx context.Context, args []string, in io.Reader, out, err io.Writer) error
	// Every is the pause between two looks at something that is waited for.
	Every time.Duration
}

// ErrUnwell is returned when what was asked for was done and the news are bad: all is said already.
var ErrUnwell = errors.New("not well")

// command is one of the plugin's.
type command struct {
	name string
	// args are for the usage; each command takes a ChannelLink's name and perhaps more.
	args  string
	short string
	// flags registers the command's own flags and returns what runs it.
	flags func(*pflag.FlagSet) func(context.Context, *session) error
}

func commands() []command {
	return []command{
		{"status", "NAME", "The chain of conditions, and the URLs to paste.", statusCommand},
		{"doctor", "NAME", "Checks everything that a person would check, and says what to do.", doctorCommand},
		{"links", "NAME", "Who is linked, ids masked; with --audit what happened.", linksCommand},
		{"unlink", "NAME", "Revokes the links of a chat user or a person, and waits.", unlinkCommand},
		{"simulate", "NAME [verify|message|linked|failed|unlinked|service]", "Signs an event as the platform does and sends it to the channel.", simulateCommand},
	}
}

// Run runs one command. pflag.ErrHelp is returned when only help was asked for, and [ErrUnwell] when a check failed.
func Run(ctx context.Context, args []string, env Env) error {
	if len(args) == 0 || strings.HasPrefix(args[0], "-") || args[0] == "help" {
		fmt.Fprint(env.Out, usage)
		return pflag.ErrHelp
	}
	for _, c := range commands() {
		if c.name == args[0] {
			return run(ctx, c, args[1:], withDefaults(env))
		}
	}
	return fmt.Errorf("unknown command %q: say status, doctor, links, unlink or simulate", args[0])
}

func run(ctx context.Context, c command, args []string, env Env) error {
	flags := pflag.NewFlagSet(c.name, pflag.ContinueOnError)
	flags.SortFlags = false
	flags.Usage = func() {
		fmt.Fprintf(env.Out, "%s\n\nusage: kubectl channellink %s %s [flags]\n\n%s", c.short, c.name, c.args, flags.FlagUsages())
	}
	do := c.flags(flags)
	s := newSession(env, flags)
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() == 0 {
		return fmt.Errorf("%s: name a ChannelLink: kubectl channellink %s %s", c.name, c.name, c.args)
	}
	s.name, s.rest = flags.Arg(0), flags.Args()[1:]
	if len(s.rest) > strings.Count(c.args, " ") {
		return fmt.Errorf("%s: unknown argument %q", c.name, s.rest[len(s.rest)-1])
	}
	if err := s.connect(); err != nil {
		return err
	}
	return do(ctx, s)
}

func withDefaults(env Env) Env {
	if env.HTTP == nil {
		env.HTTP = newHTTPClient()
	}
	if env.Kubectl == nil {
		env.Kubectl = kubectl
	}
	if env.Every == 0 {
		env.Every = 2 * time.Second
	}
	return env
}

// kubectl runs the program that runs this one, so that it is on the path and knows every way to sign in.
func kubectl(ctx context.Context, args []string, in io.Reader, out, err io.Writer) error {
	cmd := exec.CommandContext(ctx, "kubectl", args...) //nolint:gosec // the arguments are the user's own
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, out, err
	return cmd.Run()
}
