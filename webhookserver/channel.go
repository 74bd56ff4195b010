package webhookserver

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"

	"channellink.dev/operator/webhookserver/authorize"
	"channellink.dev/operator/webhookserver/config"
	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/secretfile"
	"channellink.dev/operator/webhookserver/unlink"
)

// channel is one chat channel that the process serves, with all that it keeps for it.
type channel struct {
	config.Channel
	id         link.ChannelID
	host       string // of publicURL, lower case, without port
	prefix     string // path of publicURL, without a final slash
	references []reference
	issuer     *issuerWatch
	logins     *authorize.Logins
	siblings   *siblings  // nil without any
	bot        *bot       // nil without webhook.forwardTo
	confirmer  *confirmer // nil without BotBonnie
	unlinker   *unlink.Unlinker
	registrar  *registrar       // nil unless webhook.registration is Observe
	services   *channelServices // nil without any
	poison     poison
	tally      atomic.Pointer[tally] // nil until it was counted
	routes     *http.ServeMux        // below prefix
}

func newChannel(c config.Channel, files *secretfile.Watcher) (*channel, error) {
	u, err := url.Parse(c.PublicURL)
	if err != nil || u.Hostname() == "" {
		return nil, fmt.Errorf("channel %s: publicURL %q is not a URL", c.UID, c.PublicURL)
	}
	return &channel{
		Channel:    c,
		id:         link.NewChannelID(c.Platform, c.PageID),
		host:       strings.ToLower(u.Hostname()),
		prefix:     strings.TrimRight(u.Path, "/"),
		references: channelReferences(&c, files),
	}, nil
}

// missing lists the fields without which the channel cannot serve.
func (c *channel) missing() []string {
	var fields []string
	for _, r := range c.references {
		if !r.optional && !r.usable() {
			fields = append(fields, r.field)
		}
	}
	return fields
}

// answersTo reports whether a request with this Host header can be for the channel: the host of its public URL, or the name
// of a Service of its namespace, by which its siblings call it. The port does not matter, since proxies differ in whether
// they pass it on, and no answer repeats it.
func (c *channel) answersTo(hostHeader string) bool {
	host := strings.ToLower(hostHeader)
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if host == c.host {
		return true
	}
	if _, err := netip.ParseAddr(host); err == nil || c.Namespace == "" {
		return false
	}
	// SERVICE.NAMESPACE.svc, with or without the cluster's domain. Of that the usual one counts alone: nobody tells us for
	// certain which it is, and anybody can have hr.svc.evil.example lead here.
	_, rest, _ := strings.Cut(host, ".")
	return strings.TrimSuffix(rest, ".cluster.local") == c.Namespace+".svc"
}

// below returns the rest of path under the channel's prefix, beginning with a slash.
func (c *channel) below(path string) (string, bool) {
	rest, ok := strings.CutPrefix(path, c.prefix)
	switch {
	case !ok:
		return "", false
	case rest == "":
		return "/", true
	case rest[0] != '/':
		return "", false
	}
	return rest, true
}
