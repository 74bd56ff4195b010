package botapi

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"channellink.dev/operator/webhookserver/config"
	"channellink.dev/operator/webhookserver/link"
)

// The bounds of a call.
const (
	// maxBody is a prompt with a long title and address, or a form of a code and a user id, with room to spare.
	maxBody = 8 << 10
	// work is how long a call may take. A prompt may need two calls of the platform, one of them tried again.
	work = 12 * time.Second
	// storeAgain is what callers are told to wait while the store is away.
	storeAgain = 5 * time.Second
)

// Store is what the API reads.
type Store interface {
	ActiveLink(ctx context.Context, channel link.ChannelID, userID string, notBefore time.Time) (link.Link, error)
	LinkByCode(ctx context.Context, channel link.ChannelID, code link.CodeHash) (link.Link, error)
}

// Options are what an [API] is made of.
type Options struct {
	Channel config.Channel
	ID      link.ChannelID
	Store   func() (Store, error)
	// BotToken and IntrospectionToken tell in constant time whether a bearer token is good.
	BotToken, IntrospectionToken func(given string) bool
	Prompter                     Prompter
	Unlinker                     Unlinker
	// Words are those of prompts in the language that is preferred, as in Accept-Language.
	Words func(preferred string) Words
	// Receive reads a body of at most limit bytes within the server's time. A code other than 0 is what to answer if it
	// cannot be had.
	Receive func(w http.ResponseWriter, r *http.Request, limit int64) (body []byte, code int)
	Now     func() time.Time
	Log     *slog.Logger
}

// API serves one channel.
type API struct{ Options }

// New returns the API of a channel.
func New(o Options) *API { return &API{o} }

// call is a handler of a caller who is known. It returns what to answer with 200, or with the code of a [reply].
type call func(ctx context.Context, r *http.Request, body []byte) (any, error)

// reply is an answer with another code than 200; a nil body is none.
type reply struct {
	code int
	body any
}

// Nothing answers what the API does not have.
func (a *API) Nothing() http.HandlerFunc {
	return a.serve(botRealm, a.BotToken, func(context.Context, *http.Request, []byte) (any, error) {
		return nil, &Problem{Code: http.StatusNotFound, Cause: NoSuchRoute, Detail: "There is no such route, or not with this method."}
	})
}

// serve asks for the token before anything is read, then for the body, and writes the answer.
func (a *API) serve(realm string, known func(string) bool, do call) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if challenge := challengeFor(realm, r.Header["Authorization"], known); challenge != "" {
			w.Header().Set("WWW-Authenticate", challenge)
			closeUnread(w, r)
			writeProblem(w, &Problem{Code: http.StatusUnauthorized})
			return
		}
		if coding := r.Header.Get("Content-Encoding"); coding != "" && coding != "identity" {
			closeUnread(w, r)
			writeProblem(w, &Problem{Code: http.StatusUnsupportedMediaType})
			return
		}
		body, code := a.Receive(w, r, maxBody)
		if code != 0 {
			writeProblem(w, &Problem{Code: code})
			return
		}
		// What was begun is brought to its end, also when the bot does not wait for it.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), work)
		defer cancel()
		answer, err := do(ctx, r, body)
		if err != nil {
			p := problemOf(err)
			a.note(ctx, r, p, err)
			writeProblem(w, p)
			return
		}
		write(w, answer)
	}
}

// closeUnread ends the connection with the answer, because a body that nobody reads stands in it.
func closeUnread(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength != 0 {
		w.Header().Set("Connection", "close")
	}
}

// note logs what the owner of the channel should know: what is not the caller's own mistake.
func (a *API) note(ctx context.Context, r *http.Request, p *Problem, err error) {
	level := slog.LevelDebug
	if p.Code >= http.StatusInternalServerError || p.Code == http.StatusTooManyRequests {
		level = slog.LevelWarn
	}
	a.Log.Log(ctx, level, "call of the bot failed", "channel", a.Channel.Name, "route", r.Pattern, "cause", p.Cause, "error", err)
}

// oldest is when a link must have been made to count; zero without linking.maxAge.
func (a *API) oldest() time.Time {
	if a.Channel.Linking.MaxAge == nil {
		return time.Time{}
	}
	return a.Now().Add(-a.Channel.Linking.MaxAge.Std())
}
