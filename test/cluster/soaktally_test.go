//go:build cluster && soak

package cluster

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/chatsim"
)

// How a link ends.
const (
	loggedOut = "logged out in the chat"
	unlinked  = "unlinked by an AccountUnlink"
)

// soakTally counts what became of people.
type soakTally struct {
	mu     sync.Mutex
	linked map[string]int // by channel
	ended  map[string]int
	away   map[string]int // by where
	said   []string
	// slowestLink is the longest time from the platform's word to the active link, slowestUnlink that from an AccountUnlink
	// to its end.
	slowestLink, slowestUnlink time.Duration
}

func (y *soakTally) says(words string) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.said = append(y.said, words)
}

func (y *soakTally) links(channel string, after time.Duration) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.linked = counted(y.linked, channel)
	y.slowestLink = max(y.slowestLink, after)
}

func (y *soakTally) unlinks(after time.Duration) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.slowestUnlink = max(y.slowestUnlink, after)
}

func (y *soakTally) ends(how string) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.ended = counted(y.ended, how)
}

// ofALogin is what tells one visitor's address from another's, or nothing.
var ofALogin = regexp.MustCompile(`(/consent|/auth)/[^ (]*|-e2e-\w+\.localhost:\d+|127\.0\.0\.1:\d+->|:$`)

// turnsAway notes where somebody's login ended before the platform's word.
func (y *soakTally) turnsAway(err error) {
	first, _, _ := strings.Cut(err.Error(), "\n")
	y.mu.Lock()
	defer y.mu.Unlock()
	y.away = counted(y.away, ofALogin.ReplaceAllString(first, "$1"))
}

func counted(in map[string]int, key string) map[string]int {
	if in == nil {
		in = map[string]int{}
	}
	in[key]++
	return in
}

// count is how things stand.
type count struct {
	linked               map[string]int
	links, ended, turned int
	again                int64
}

func (w *soakWorld) count() count {
	y := &w.tally
	y.mu.Lock()
	defer y.mu.Unlock()
	return count{maps.Clone(y.linked), sum(y.linked), sum(y.ended), sum(y.away), w.platforms.again.Load()}
}

// since says in words what has happened.
func (c count) since(before count) string {
	return fmt.Sprintf("%d linked, %d unlinked, %d turned away, %d webhooks sent again",
		c.links-before.links, c.ended-before.ended, c.turned-before.turned, c.again-before.again)
}

func sum(of map[string]int) int {
	n := 0
	for _, value := range of {
		n += value
	}
	return n
}

// platform says who is linked: each chat user whom the platform of a channel calls linked, but for those whom an AccountUnlink
// has unlinked and LINE cannot be told of.
func (w *soakWorld) platform(t *testing.T, c *soakChannel) (map[string]string, error) {
	var users []chatsim.UserState
	if err := w.control(t, http.MethodGet, "channels/"+c.Name+"/users", nil, &users); err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	who := map[string]string{}
	for _, user := range users {
		if user.Linked && !w.revoked[user.ID] {
			who[user.ID] = user.Name
		}
	}
	return who, nil
}

// exported asks the server's own command, in its pod, for all active links.
func exported(ctx context.Context, c *soakChannel) (map[string]string, error) {
	out, err := kubectl(ctx, "-n", c.Namespace, "exec", "deployment/"+c.Name, "--", "/webhookserver", "links", "export")
	if err != nil {
		return nil, fmt.Errorf("links export: %w: %s", err, out)
	}
	who := map[string]string{}
	for lines := bufio.NewScanner(strings.NewReader(out)); lines.Scan(); {
		var row struct {
			UserID, Account string
			Confirmed       bool
		}
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
			return nil, fmt.Errorf("links export says %q: %w", lines.Text(), err)
		}
		if who[row.UserID] != "" || !row.Confirmed {
			return nil, fmt.Errorf("links export says %q", lines.Text())
		}
		who[row.UserID] = row.Account
	}
	return who, nil
}

// audit compares what the platforms say with what the servers have, and closes the books.
func (w *soakWorld) audit(t *testing.T) {
	t.Helper()
	for _, c := range w.channels {
		until(t, "platform and server of "+c.Name+" to be of one mind", func() error {
			want, err := w.platform(t, c)
			if err != nil {
				return err
			}
			got, err := exported(t.Context(), c)
			if err != nil {
				return err
			}
			lost, wrong, tooMany := compared(want, got)
			if lost+wrong+tooMany > 0 {
				return fmt.Errorf("%d links are lost, %d are somebody else's, and %d nobody has made", lost, wrong, tooMany)
			}
			t.Logf("%s: %d logins that the platform took; %d chat users are linked: 0 lost, 0 wrong, 0 too many", c.Name, w.count().linked[c.Name], len(got))
			return nil
		})
	}
	for _, c := range w.channels {
		awaitReady(t, c.ChannelLink)
	}
	w.unlinksAreComplete(t)

	w.bot.mu.Lock()
	defer w.bot.mu.Unlock()
	y := &w.tally
	y.mu.Lock()
	defer y.mu.Unlock()
	unheard := slices.DeleteFunc(slices.Clone(y.said), func(words string) bool { return w.bot.heard[words] > 0 })
	if len(unheard) > 0 {
		t.Errorf("acknowledged, and never sent on to the bot: %d of %d: %v", len(unheard), len(y.said), unheard[:min(len(unheard), 10)])
	}
	if len(y.linked) < len(w.channels) || y.ended[loggedOut] == 0 || y.ended[unlinked] == 0 || len(y.said) == 0 {
		t.Errorf("on each channel somebody should link, and somebody be unlinked in each way: %v, %v", y.linked, y.ended)
	}
	t.Logf("%d visitors: %d linked; %d of them %s, %d %s; %d turned away", w.visitors.Load(), sum(y.linked),
		y.ended[loggedOut], loggedOut, y.ended[unlinked], unlinked, sum(y.away))
	t.Logf("%d webhooks, %d of them because the time before nobody took it; %d words acknowledged: %d not heard by the bot, %d heard more than once",
		w.platforms.sent.Load(), w.platforms.again.Load(), len(y.said), len(unheard), repeated(w.bot.heard))
	t.Logf("the slowest link was active %s after the platform's word, the slowest AccountUnlink complete after %s",
		y.slowestLink.Round(time.Millisecond), y.slowestUnlink.Round(time.Millisecond))
	for _, where := range slices.SortedFunc(maps.Keys(y.away), func(a, b string) int { return cmp.Compare(y.away[b], y.away[a]) }) {
		t.Logf("turned away %d times: %s", y.away[where], where)
	}
}

// compared counts who should be linked and is not, who is linked as somebody else, and who should not be linked at all.
func compared(want, got map[string]string) (lost, wrong, tooMany int) {
	for user, account := range want {
		switch got[user] {
		case account:
		case "":
			lost++
		default:
			wrong++
		}
	}
	for user := range got {
		if want[user] == "" {
			tooMany++
		}
	}
	return lost, wrong, tooMany
}

func TestSoakFindsWhatIsWrong(t *testing.T) {
	lost, wrong, tooMany := compared(
		map[string]string{"U1": "one", "U2": "two", "U3": "three"},
		map[string]string{"U1": "one", "U2": "three", "U4": "four"},
	)
	if lost != 1 || wrong != 1 || tooMany != 1 {
		t.Errorf("%d lost, %d wrong, %d too many; want one of each", lost, wrong, tooMany)
	}
}

func repeated(heard map[string]int) int {
	n := 0
	for _, times := range heard {
		if times > 1 {
			n++
		}
	}
	return n
}

// unlinksAreComplete looks at every AccountUnlink of the namespace that has not gone yet. Each was awaited by whoever made it.
func (w *soakWorld) unlinksAreComplete(t *testing.T) {
	t.Helper()
	list := &v1alpha1.AccountUnlinkList{}
	if err := cluster.List(t.Context(), list, client.InNamespace(w.namespace)); err != nil {
		t.Fatal(err)
	}
	var all error
	for _, u := range list.Items {
		if !meta.IsStatusConditionTrue(u.Status.Conditions, v1alpha1.ConditionComplete) {
			all = errors.Join(all, fmt.Errorf("%s: %+v", u.Name, u.Status))
		}
	}
	if all != nil {
		t.Errorf("not every AccountUnlink is complete: %v", all)
	}
}
