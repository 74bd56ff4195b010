package linkscmd

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"channellink.dev/operator/webhookserver/config"
	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/secretfile"
	"channellink.dev/operator/webhookserver/store"
)

// usage is what somebody reads who is in a pod and in a hurry.
const usage = `usage: webhookserver links list|export|import|audit [flags]

  list    every active link, a JSON object a line, ids masked
  export  every active link whole, for import; holds personal data
  import  reads what export writes from standard input; a link that is not newer
          than the one that is there is left out, so it can be run again
  audit   what happened to links, who asked and why, oldest first; people are
          told as keyed hashes, so give a user's id to find his rows

`

// Env is what the command works with.
type Env struct {
	In  io.Reader
	Out io.Writer // lines of NDJSON alone
	Err io.Writer // usage
	Now func() time.Time
}

// Run runs one of the commands. Args begin with its name. flag.ErrHelp is returned when only help was asked for.
func Run(ctx context.Context, args []string, env Env) error {
	flags := flag.NewFlagSet("webhookserver links", flag.ContinueOnError)
	flags.SetOutput(env.Err)
	dir := flags.String("settings-dir", config.SettingsDir, "directory with "+config.SettingsFile)
	only := flags.String("channel", "", "only this channel, as platform/pageID (default: all of the settings)")
	oneUser := flags.Bool("one-user", false, "audit: only the chat user whose id is on standard input")
	commands := map[string]func(context.Context, link.Store, []link.ChannelID, Env) error{
		"list":   list,
		"export": export,
		"import": importLinks,
		"audit": func(ctx context.Context, s link.Store, channels []link.ChannelID, env Env) error {
			return audit(ctx, s, channels, env, *oneUser)
		},
	}
	flags.Usage = func() {
		_, _ = io.WriteString(env.Err, usage) // nobody to tell when that fails
		flags.PrintDefaults()
	}
	if len(args) == 0 || commands[args[0]] == nil {
		flags.Usage()
		if len(args) > 0 && slices.Contains([]string{"-h", "-help", "--help", "help"}, args[0]) {
			return flag.ErrHelp
		}
		return errors.New("links: say list, export, import or audit")
	}
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("links %s: unknown argument %q", args[0], flags.Arg(0))
	}
	settings, err := readSettings(*dir)
	if err != nil {
		return err
	}
	channels, err := pick(settings, link.ChannelID(*only))
	if err != nil {
		return err
	}
	opened, err := open(ctx, settings.Store)
	if err != nil {
		return err
	}
	return errors.Join(commands[args[0]](ctx, opened, channels, env), opened.Close())
}

func readSettings(dir string) (config.Settings, error) {
	data, err := os.ReadFile(filepath.Join(filepath.Clean(dir), config.SettingsFile))
	if err != nil {
		return config.Settings{}, err
	}
	return config.Parse(data)
}

// pick returns the channels of the settings, or one of them.
func pick(settings config.Settings, only link.ChannelID) ([]link.ChannelID, error) {
	var channels []link.ChannelID
	for _, c := range settings.Channels {
		if id := link.NewChannelID(c.Platform, c.PageID); only == "" || id == only {
			channels = append(channels, id)
		}
	}
	if len(channels) == 0 {
		return nil, errors.New("links: no such channel in the settings")
	}
	return channels, nil
}

// maxConns is the command's share of the connections to PostgreSQL: one for the page that is read, one to spare.
const maxConns = 2

// open opens the server's store beside the server; see store.Options.
func open(ctx context.Context, s config.Store) (link.Store, error) {
	files := secretfile.NewWatcher(secretfile.Options{})
	options := store.Options{Beside: true}
	if s.EncryptionKeys != nil {
		keys := files.File(s.EncryptionKeys.Path).Load().Values()
		if len(keys) == 0 { // or the import would store a new key in clear
			return nil, fmt.Errorf("links: %s: the file is missing or empty", s.EncryptionKeys.Field)
		}
		options.EncryptionKeys = func() []secretfile.Secret { return keys }
	}
	if s.Postgres != nil {
		dsn, ok := files.File(s.Postgres.DSN.Path).Load().Newest()
		if !ok {
			return nil, fmt.Errorf("links: %s: the file is missing or empty", s.Postgres.DSN.Field)
		}
		return store.OpenPostgres(ctx, store.PostgresOptions{Options: options, DSN: dsn, MaxConns: maxConns})
	}
	return store.OpenSQLite(ctx, store.SQLiteOptions{Options: options, Path: filepath.Join(s.SQLite.Dir, store.DatabaseFile)})
}

func list(ctx context.Context, s link.Store, channels []link.ChannelID, env Env) error {
	return write(ctx, s, channels, env.Out, func(l link.Link) any { return newRow(l) })
}

func export(ctx context.Context, s link.Store, channels []link.ChannelID, env Env) error {
	return write(ctx, s, channels, env.Out, func(l link.Link) any { return newRecord(l) })
}

func write(ctx context.Context, s link.Store, channels []link.ChannelID, out io.Writer, line func(link.Link) any) error {
	buffered := bufio.NewWriter(out)
	lines := json.NewEncoder(buffered)
	lines.SetEscapeHTML(false)
	for _, channel := range channels {
		if err := s.Links(ctx, channel, "", func(l link.Link) error { return lines.Encode(line(l)) }); err != nil {
			return err
		}
	}
	return buffered.Flush()
}
