//go:build apiserver

package controllers_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/gomega"
	"k8s.io/client-go/rest"
)

// cable is the operator's connection to the API server. It breaks after so many writes, the last of which is carried out
// without its answer coming through.
type cable struct {
	http.RoundTripper
	left   *atomic.Int64
	broken chan struct{}
}

// RoundTrip implements http.RoundTripper.
func (c cable) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodGet || strings.Contains(r.URL.Path, "/events") {
		return c.RoundTripper.RoundTrip(r)
	}
	left := c.left.Add(-1)
	if left < 0 {
		return nil, errEnded
	}
	response, err := c.RoundTripper.RoundTrip(r)
	if left > 0 || err != nil {
		return response, err
	}
	close(c.broken)
	return nil, errors.Join(errEnded, response.Body.Close())
}

// The operator ends after each of its writes in turn, while it unlinks all and removes the ChannelLink. The next process goes
// on where that one stopped: everybody is unlinked, in one call, and nothing is left. C69, C71
func TestTheOperatorEndsWhileItUnlinksAll(t *testing.T) {
	// The question whether the namespace goes, the status, the volume, the six other objects, the finalizer.
	const writes = 10
	for end := range writes {
		t.Run(fmt.Sprintf("after write %d", end+1), func(t *testing.T) {
			o := newOperator(t) // one after the other: makers of certificates cannot do two at once
			t.Parallel()
			namespace := env.Namespace(t)
			o.watch = []string{namespace}
			first := o.config
			remaining, broken := new(atomic.Int64), make(chan struct{})
			remaining.Store(int64(immortal))
			o.config = rest.CopyConfig(first)
			o.config.Wrap(func(rt http.RoundTripper) http.RoundTripper { return cable{rt, remaining, broken} })
			o.start()
			link := create(t, "line", namespace, unlinkAll, ofVision(fmt.Sprint("link-", end)))
			o.readyWithin(t, link, 3*patience)
			o.servers.platform(link, progress(0, 10, 0))
			remaining.Store(int64(end + 1))
			remove(t, link)
			NewWithT(t).Eventually(broken).WithTimeout(3 * patience).Should(BeClosed())
			o.stop()
			o.config = first
			o.start()
			goes(t, link)
			if kinds := left(t, namespace); len(kinds) > 0 {
				t.Errorf("left are %v", kinds)
			}
			if diff := cmp.Diff(1, o.servers.entryOf(link, link).calls); diff != "" {
				t.Errorf("calls of the platform (-want +got):\n%s", diff)
			}
		})
	}
}
