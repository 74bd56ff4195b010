//go:build cluster && soak

package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/chatsim"
)

const (
	// patience bounds how long a link may take once the platform has said that the accounts are linked, or are no more, and
	// how long an AccountUnlink may. Nothing is wrong for as long.
	patience = 5 * time.Minute
	// disappointment is how long nobody comes where somebody was turned away.
	disappointment = time.Second
	// leavesAgain: one visitor of so many is unlinked in the end.
	leavesAgain = 3
	// stays is how long he stays at least: the time at which an AccountUnlink was made has whole seconds, and a login of the
	// same second counts as later.
	stays = 3 * time.Second
	// exits are where they go, two at once.
	exits = 2
	// seenWithin is after how many seconds a complete AccountUnlink goes: as many as there were would count as a leak.
	seenWithin = 120
	// heard: what one visitor of so many sends and gets is searched for in all that operator and servers have told.
	heard = 300
)

// visit is one person: he comes into a channel's chat, says something and logs in; every third is to be unlinked later.
func (w *soakWorld) visit(t *testing.T, c *soakChannel) {
	t.Helper()
	n := w.visitors.Add(1)
	var state chatsim.UserState
	if err := w.control(t, http.MethodPost, "channels/"+c.Name+"/users", chatsim.User{Name: accountOf(n)}, &state); err != nil {
		t.Error(err)
		return
	}
	path := "channels/" + c.Name + "/users/" + state.ID
	if c.speaks { // it comes back when somebody has acknowledged the words
		if err := w.control(t, http.MethodPost, path+"/messages", chatsim.Said{Text: wordsOf(n)}, nil); err != nil {
			t.Error(err)
			return
		}
		w.tally.says(wordsOf(n))
	}
	var login chatsim.Login
	if err := w.control(t, http.MethodPost, path+"/login", nil, &login); err != nil {
		t.Error(err)
		return
	}
	p := newPerson(t)
	p.unheard = n%heard != 0
	// LINE looks whose browser it is.
	p.keep(w.chatHost(), &http.Cookie{Name: "chatsim-line-user", Value: state.ID})
	p.keep(chatHostOfServers+":"+port, &http.Cookie{Name: "chatsim-line-user", Value: state.ID})
	if err := p.tryLogIn(login.URL, accountOf(n)); err != nil {
		w.tally.turnsAway(err)
		pause(t.Context(), disappointment)
		return
	}
	began := time.Now()
	if !until(t, fmt.Sprintf("the link of visitor %d on %s", n, c.Name), func() error { return w.linked(t, c, state.ID, accountOf(n)) }) {
		return
	}
	w.tally.links(c.Name, time.Since(began))
	if n%leavesAgain == 0 {
		w.leavers <- leaver{c, n, state.ID, time.Now()}
	}
}

// leaver is a visitor who is linked and is to be no more.
type leaver struct {
	*soakChannel
	number int64
	user   string
	since  time.Time
}

// maxLeavers is more than there can be: as many come and go.
const maxLeavers = 1000

// leave unlinks whoever waits for it, until ctx ends and nobody does.
func (w *soakWorld) leave(ctx context.Context, t *testing.T) {
	t.Helper()
	for !t.Failed() {
		select {
		case l := <-w.leavers:
			pause(t.Context(), time.Until(l.since.Add(stays)))
			if l.number%2 == 0 || !l.logsOut {
				w.revoke(t, l)
			} else {
				w.logOut(t, l)
			}
		default:
			if !pause(ctx, poll) {
				return
			}
		}
	}
}

func (w *soakWorld) logOut(t *testing.T, l leaver) {
	t.Helper()
	if err := w.control(t, http.MethodPost, "channels/"+l.Name+"/users/"+l.user+"/logout", nil, nil); err != nil {
		t.Error(err)
		return
	}
	if until(t, "the end of the link of "+l.String(), func() error { return w.linked(t, l.soakChannel, l.user, "") }) {
		w.tally.ends(loggedOut)
	}
}

func (l leaver) String() string { return fmt.Sprintf("visitor %d on %s", l.number, l.Name) }

// linked asks the server, as the company's bot, and says what is wrong with the link of the chat user. With account empty
// there must be none. A link of somebody else's fails the test.
func (w *soakWorld) linked(t *testing.T, c *soakChannel, user, account string) error {
	said, err := lookedUp(t.Context(), publicURLOf(c, w.namespace)+"/api/v1/users/"+user)
	if err != nil {
		return err
	}
	var found struct {
		Linked, Confirmed bool
		Account           string
	}
	if err := json.Unmarshal([]byte(said), &found); err != nil {
		return fmt.Errorf("looking somebody up: %w: %s", err, said)
	}
	if found.Linked && account != "" && found.Account != account {
		t.Errorf("on %s %s is linked as %+v", c.Name, account, found)
	}
	if found.Linked != (account != "") || found.Confirmed != found.Linked {
		return fmt.Errorf("the server says %+v", found)
	}
	return nil
}

// revoke has an AccountUnlink unlink the chat user.
func (w *soakWorld) revoke(t *testing.T, l leaver) {
	t.Helper()
	began := time.Now()
	u := &v1alpha1.AccountUnlink{
		ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("visitor-%d", l.number), Namespace: w.namespace},
		Spec: v1alpha1.AccountUnlinkSpec{
			ChannelLinkRef: &v1alpha1.ChannelLinkReference{Name: v1alpha1.ObjectName(l.Name)},
			User:           v1alpha1.UnlinkUser{UserID: l.user}, Reason: "HR-1234 leaver",
			LinkedBefore: new(metav1.NewTime(began)), TTLSecondsAfterFinished: ptr.To[int32](seenWithin),
		},
	}
	done := until(t, "the AccountUnlink of "+l.String(), func() error {
		ctx, cancel := context.WithTimeout(t.Context(), apiTime)
		defer cancel()
		err := cluster.Get(ctx, client.ObjectKeyFromObject(u), u)
		if apierrors.IsNotFound(err) {
			err = cluster.Create(ctx, u)
		}
		if err == nil && !meta.IsStatusConditionTrue(u.Status.Conditions, v1alpha1.ConditionComplete) {
			err = fmt.Errorf("it stands at %+v", u.Status)
		}
		return err
	})
	if !done {
		return
	}
	w.mu.Lock()
	w.revoked[l.user] = true
	w.mu.Unlock()
	w.tally.unlinks(time.Since(began))
	if until(t, "the unlinking of "+l.String(), func() error { return w.linked(t, l.soakChannel, l.user, "") }) {
		w.tally.ends(unlinked)
	}
}

// apiTime bounds a request to the API server, which now and then says nothing.
const apiTime = 10 * time.Second

// until waits until there is no error, and reports whether there is none in the end. It may run beside the test.
func until(t *testing.T, what string, ask func() error) bool {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := ask()
		if err == nil {
			return true
		}
		if time.Now().After(deadline) || !pause(t.Context(), poll) {
			t.Errorf("waited for %s: %v", what, err)
			return false
		}
	}
}

func publicURLOf(c *soakChannel, namespace string) string {
	return fmt.Sprintf("http://%s-%s.localhost:%s", c.Name, namespace, port)
}
