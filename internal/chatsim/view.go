package chatsim

import (
	"context"
	"net/http"
	"strings"
	"time"
)

// maxWire bounds what the page shows of the wire; the newest stay.
const maxWire = 60

// View is what the page shows: one user's chat, and beside it what that sets in motion.
type View struct {
	Channel string `json:"channel"`
	// Company is what the chat app calls it, and App the chat app.
	Company   string `json:"company"`
	App       string `json:"app"`
	BotBonnie bool   `json:"botBonnie"`

	User     ViewUser  `json:"user"`
	Messages []Message `json:"messages"`
	Steps    []Step    `json:"steps"`
	// Wire are the requests that are about this user or channel, the newest last.
	Wire []Request `json:"wire"`
	// Resource is the ChannelLink; nil where there is no Kubernetes.
	Resource *Resource `json:"resource,omitempty"`
	// Commands unlink the user from a terminal; empty where there is no Kubernetes.
	Commands string `json:"commands,omitempty"`
}

// ViewUser is what the platforms know of the user. Codes are not shown in full: they are credentials.
type ViewUser struct {
	ID      string            `json:"id"`
	Name    string            `json:"name"`
	Linked  bool              `json:"linked"`
	CRMID   string            `json:"crmID,omitempty"`
	Tags    []string          `json:"tags,omitempty"`
	Params  map[string]string `json:"params,omitempty"`
	Notices []string          `json:"notices,omitempty"`
}

// Step is one thing to try, in this order.
type Step struct {
	Text string `json:"text"`
	Done bool   `json:"done"`
}

// view makes the page's view. A caller does not hold the mutex.
func (s *Simulator) view(c *channel, u *user, resource *Resource) View {
	wire := s.log.about(c.Name, u.ID)
	s.mu.Lock()
	defer s.mu.Unlock()
	state := u.state()
	v := View{
		Channel: c.Name, Company: c.displayName(), App: c.app(), BotBonnie: c.BotBonnie != nil,
		User: ViewUser{
			ID: u.ID, Name: u.Name, Linked: u.linked, CRMID: shortened(u.extID),
			Tags: state.Tags, Params: state.Params, Notices: state.Notices,
		},
		Messages: u.messages(), Wire: wire[max(0, len(wire)-maxWire):],
	}
	if resource != nil {
		mine := *resource
		mine.Unlinks = resource.unlinksOf(u.ID)
		v.Resource = &mine
		v.Commands = s.commands(c, u)
	}
	v.Steps = u.steps(v.Resource)
	if c.Kind == LINE && c.BotBonnie == nil && v.Resource.unlinkedSince(u.linkedAt) {
		v.User.Linked = false // nobody tells LINE, which keeps no links
	}
	return v
}

// shortened shows of a code what tells it from others.
func shortened(code string) string {
	const shown = 6
	if len(code) <= shown {
		return code
	}
	return code[:shown] + "…"
}

// steps says how far the user has come. A caller holds the mutex.
func (u *user) steps(resource *Resource) []Step {
	asked, answered := false, false
	var sinceLinked bool
	for _, m := range u.chat {
		asked = asked || m.By == ByUser
		sinceLinked = sinceLinked || m.By == ByUser && u.linkedOnce() && m.At.After(u.linkedAt)
		answered = answered || sinceLinked && m.By == ByBot
	}
	ended := u.linkedOnce() && (!u.linked || resource.unlinkedSince(u.linkedAt))
	return []Step{
		{"Ask for your leave balance", asked},
		{"Log in with the company account", u.linkedOnce()},
		{"Ask again: now it is your balance", answered},
		{"Unlink with kubectl, and ask once more", ended},
	}
}

func (u *user) linkedOnce() bool { return !u.linkedAt.IsZero() }

// onView finds the channel and the user that the query names; without a user, the first one.
func (s *Simulator) onView(next func(http.ResponseWriter, *http.Request, *channel, *user)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, u := s.whose(r.FormValue("channel"), r.FormValue("user"))
		if u == nil {
			failed(w, http.StatusNotFound, "no such channel or user")
			return
		}
		next(w, r, c, u)
	}
}

// whose finds a channel and one of its users: the first of either where none is named, and nil where there is none.
func (s *Simulator) whose(name, id string) (*channel, *user) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.find(func(c *channel) bool { return name == "" || c.Name == name })
	if c == nil {
		return nil, nil
	}
	if id == "" && len(c.users) > 0 {
		return c, c.users[0]
	}
	return c, c.user(id)
}

// resource reads the channel's ChannelLink; nil where there is no Kubernetes.
func (s *Simulator) resource(ctx context.Context, c *channel) *Resource {
	namespace, name, ok := strings.Cut(c.Resource, "/")
	if !ok || s.resources == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	r, err := s.resources.ChannelLink(ctx, namespace, name)
	if err != nil {
		return &Resource{Namespace: namespace, Name: name, Problem: err.Error()}
	}
	return &r
}

// unlinkedSince reports whether an AccountUnlink that was made since then has ended well. Kubernetes keeps whole seconds.
func (r *Resource) unlinkedSince(then time.Time) bool {
	if r == nil {
		return false
	}
	for _, u := range r.Unlinks {
		if u.Complete && !u.Created.Before(then.Truncate(time.Second)) {
			return true
		}
	}
	return false
}
