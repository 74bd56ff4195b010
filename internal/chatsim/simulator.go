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
	// replyTokens are LINE's, by their text.
	replyTokens map[string]replyToken
	// resources is nil where there is no Kubernetes.
	resources Resources
	// watchers are told, by the closing of a channel, that there is something new to see.
	watchers chan struct{}
}

// channel is a Channel at work. Its fields are guarded by the simulator's mutex.
type channel struct {
	Channel
	users    []*user
	switches Switches
	// last is the newest webhook, to be sent again.
	last *webhook
	// accessToken and apiToken are those that are good now.
	accessToken, apiToken string
	// endpoint is the webhook URL that a call to LINE has set; empty until then.
	endpoint string
	// pushes are those that LINE took under a retry key.
	pushes map[string]acceptedPush
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
	// EchoUnlink has the platform tell of an unlinking that the company itself asked for, as it tells of the user's own.
	EchoUnlink bool `json:"echoUnlink,omitempty"`
	// WebhookOff has nothing delivered, as the switch of that name in LINE's console.
	WebhookOff bool `json:"webhookOff,omitempty"`
	// Redeliver is how often a webhook that was not acknowledged is sent again; LINE's is off until the console says so.
	Redeliver int `json:"redeliver,omitempty"`
}

// user is a User with what the platforms remember of him.
type user struct {
	User
	// linked is whether the platform calls the accounts linked. LINE keeps no such state: there it is what it told last.
	linked bool
	// linkedAt is when he was linked last.
	linkedAt time.Time
	// extID is the code that BotBonnie keeps, and code what the platform itself was given last.
	extID, code string
	// created is BotBonnie's; active is when the user did something last.
	created, active time.Time
	// tags, params and notices are what BotBonnie keeps and tells the agents.
	tags    []string
	params  map[string]string
	notices []string

	chat                    []Message
	lastMessage, lastButton int
}

// Options are what the simulator works with.
type Options struct {
	// Now is the real time; what the simulator goes by is offset from it by a switch.
	Now func() time.Time
	// Transport sends webhooks; nil means the default one.
	Transport http.RoundTripper
	// Resources are what the page shows of Kubernetes; nil for nothing.
	Resources Resources
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
		resources:   o.Resources,
		tokens:      map[string]*token{},
		replyTokens: map[string]replyToken{},
		watchers:    make(chan struct{}),
	}
	s.log.changed = func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.changed()
	}
	for _, c := range config.Channels {
		s.addChannel(c)
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

// addChannel opens a chat. A caller holds the mutex, or is New.
func (s *Simulator) addChannel(c Channel) {
	added := &channel{Channel: c, accessToken: c.AccessToken, pushes: map[string]acceptedPush{}}
	if c.BotBonnie != nil {
		added.apiToken = c.BotBonnie.APIToken
	}
	s.channels = append(s.channels, added)
	for _, u := range c.Users {
		s.addUser(added, u)
	}
}

// changed wakes whoever watches. A caller holds the mutex.
func (s *Simulator) changed() {
	close(s.watchers)
	s.watchers = make(chan struct{})
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
