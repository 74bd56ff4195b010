package chatsim

import (
	"cmp"
	"net/http"
	"sync"
	"time"
)

// Simulator is the handler of all platforms: their paths do not meet, so they share an origin.
type Simulator struct {
	config Config
	client *http.Client
	routes *http.ServeMux
	log    *recorder
	clock  func() time.Time

	mu       sync.Mutex
	offset   time.Duration
	channels []*channel
	tokens   map[string]*token // by its text
	faults   []*Fault
}

// channel is a Channel at work. Its fields are guarded by the simulator's mutex.
type channel struct {
	Channel
	users    []*user
	switches Switches
	// last is the newest webhook, to be sent again.
	last *webhook
}

// Switches are what a test changes about a channel.
type Switches struct {
	// EarlyExtID has BotBonnie keep the code when its redirector is asked, and not when the platform has judged it.
	EarlyExtID bool `json:"earlyExtID,omitempty"`
	// Mute has the modules of the bot call nobody, as those of a bot without them.
	Mute bool `json:"mute,omitempty"`
	// Relay has BotBonnie send the platform's webhooks on, untouched.
	Relay bool `json:"relay,omitempty"`
	// Duplicates is how many times more each webhook is sent, acknowledged or not.
	Duplicates int `json:"duplicates,omitempty"`
	// Redeliver is how often a webhook that was not acknowledged is sent again; LINE's is off until the console says so.
	Redeliver int `json:"redeliver,omitempty"`
}

// user is a User with what the platforms remember of him.
type user struct {
	User
	// linked is whether the platform calls the accounts linked. LINE keeps no such state: there it is what it told last.
	linked bool
	// extID is the code that BotBonnie keeps.
	extID string
	// created and active are BotBonnie's.
	created, active time.Time
}

// Options are what the simulator works with.
type Options struct {
	// Now is the real time; what the simulator goes by is offset from it by a switch.
	Now func() time.Time
	// Transport sends webhooks; nil means the default one.
	Transport http.RoundTripper
}

// New plays the configuration.
func New(config Config, o Options) (*Simulator, error) {
	if err := config.validate(); err != nil {
		return nil, err
	}
	config.APIURL = cmp.Or(config.APIURL, config.URL)
	s := &Simulator{
		config: config,
		clock:  o.Now,
		log:    &recorder{bodies: config.RecordBodies},
		client: &http.Client{
			Transport: o.Transport,
			// What a platform is told is an answer, never another address.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		tokens: map[string]*token{},
	}
	for _, c := range config.Channels {
		ch := &channel{Channel: c}
		s.channels = append(s.channels, ch)
		for _, u := range c.Users {
			s.addUser(ch, u)
		}
	}
	s.routes = http.NewServeMux()
	s.routeLINE()
	s.routeMessenger()
	s.routeGraph()
	s.routeBotBonnie()
	s.routeControl()
	s.routePage()
	return s, nil
}

// ServeHTTP records and answers the request.
func (s *Simulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.log.serve(w, r, s.now(), http.HandlerFunc(s.withFaults))
}

// now is the simulator's time.
func (s *Simulator) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.nowLocked()
}

func (s *Simulator) nowLocked() time.Time { return s.clock().Add(s.offset) }

// find returns the first channel that is, or nil. A caller holds the mutex.
func (s *Simulator) find(is func(*channel) bool) *channel {
	for _, c := range s.channels {
		if is(c) {
			return c
		}
	}
	return nil
}

func (c *channel) user(id string) *user {
	for _, u := range c.users {
		if u.ID == id {
			return u
		}
	}
	return nil
}
