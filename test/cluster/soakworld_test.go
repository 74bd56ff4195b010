//go:build cluster && soak

package cluster

import (
	_ "embed"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/chatsim"
	"channellink.dev/operator/webhookserver/store/pgtest"
)

//go:embed testdata/soak.yaml
var soakTemplate string

// accounts are the people whom the issuer knows. Far fewer come at once, so that a link of somebody else's would show.
const accounts = 200

func accountOf(n int64) string { return fmt.Sprintf("person-%03d@vision.example", n%accounts) }

// soakChannel is one way from a chat to a link.
type soakChannel struct {
	*v1alpha1.ChannelLink
	// speaks: its server sends the platform's events on to the company's bot. Behind BotBonnie that is BotBonnie's to do.
	speaks bool
	// logsOut: the platform has a button for it, and tells of it until somebody listens. LINE has none, and BotBonnie's
	// modules call once: there a person taps again.
	logsOut bool
}

// soakWorld is everything around the people: a namespace with three channels and a dex of their own, and outside the cluster,
// in this process, platforms, bot and database.
type soakWorld struct {
	namespace string
	channels  []*soakChannel
	simulator *chatsim.Simulator
	platforms patient
	bot       soakBot
	pg        *pgtest.Server
	tally     soakTally
	visitors  atomic.Int64
	leavers   chan leaver

	mu sync.Mutex
	// revoked are the chat users whom an AccountUnlink has unlinked.
	revoked map[string]bool
	// caused are the restarts, by pod, that are ours or were before; standstills those of the API server.
	caused      map[types.UID]int32
	standstills int32
}

func newSoakWorld(t *testing.T) *soakWorld {
	t.Helper()
	w := &soakWorld{
		namespace: namespace(t), pg: pgtest.Start(t), platforms: patient{to: loopback.Transport},
		leavers: make(chan leaver, maxLeavers), revoked: map[string]bool{}, caused: map[types.UID]int32{},
	}
	for _, pod := range w.pods(t, operatorNamespace, operatorPods) {
		w.caused[pod.UID] = restarts(&pod)
	}
	w.startDex(t)
	database, outside := listenFor(t, w.pg.Socket()), listenOnNode(t)
	dsn := func() string {
		return fmt.Sprintf("postgres://postgres@%s/%s?sslmode=disable", database, w.pg.NewDatabase(t))
	}
	address := outside.Addr().(*net.TCPAddr)
	objects := objectsOf(t, soakTemplate, "@NAMESPACE@", w.namespace, "@PORT@", port,
		"@NODE@", address.IP.String(), "@OUTSIDE@", fmt.Sprint(address.Port),
		"@DSN-MESSENGER@", dsn(), "@DSN-LINE@", dsn(), "@DSN-BOTBONNIE@", dsn())
	w.playPlatforms(t, outside, objects)
	for _, object := range objects {
		create(t, object)
	}
	for _, c := range []soakChannel{{speaks: true, logsOut: true}, {speaks: true}, {}} {
		c.ChannelLink = &v1alpha1.ChannelLink{ObjectMeta: metav1.ObjectMeta{
			Namespace: w.namespace, Name: []string{"messenger", "line", "botbonnie"}[len(w.channels)],
		}}
		w.channels = append(w.channels, &c)
	}
	for _, c := range w.channels {
		awaitReady(t, c.ChannelLink)
		awaitPage(t, c.ChannelLink, "Vision HR")
	}
	return w
}

// objectsOf reads the objects of a file, with something put in the place of something else.
func objectsOf(t *testing.T, text string, oldnew ...string) []*unstructured.Unstructured {
	t.Helper()
	var objects []*unstructured.Unstructured
	for document := range strings.SplitSeq(strings.NewReplacer(oldnew...).Replace(text), "\n---\n") {
		object := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(document), &object.Object); err != nil {
			t.Fatal(err)
		}
		objects = append(objects, object)
	}
	return objects
}
