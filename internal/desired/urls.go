package desired

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	"channellink.dev/operator/api/v1alpha1"
)

// publicAddress is where the outside reaches the server: the parts of publicURL that a route is made of.
type publicAddress struct {
	// host without port; the schema has it a DNS name in lower case.
	host string
	// path prefix, at least a slash.
	path string
}

// address takes publicURL apart.
func address(link *v1alpha1.ChannelLink) (publicAddress, error) {
	u, err := url.Parse(string(link.Spec.PublicURL))
	if err != nil {
		return publicAddress{}, fmt.Errorf("spec.publicURL: %w", err)
	}
	at := publicAddress{host: u.Hostname(), path: u.Path}
	if at.path == "" {
		at.path = "/"
	}
	return at, nil
}

// field is a URL of the spec that this package judges.
type field struct {
	name string
	url  v1alpha1.URL
	// platformHost is the chat platform's own host; empty where any host may stand.
	platformHost string
	// backend of the company itself: the schema lets plain http pass for Services of the cluster.
	backend bool
}

// Public hosts of the chat platforms.
const (
	hostBotBonnieAPI      = "api.botbonnie.com"
	hostBotBonnieRedirect = "rd.botbonnie.com"
	hostGraph             = "graph.facebook.com"
	hostLINEAPI           = "api.line.me"
	hostLINEAccess        = "access.line.me"
)

// judgedFields are the URLs that the server, or a person's browser on its behalf, goes to with something worth stealing.
func judgedFields(spec *v1alpha1.ChannelLinkSpec) []field {
	botBonnie := orEmpty(orEmpty(spec.BotBonnie).Endpoints)
	line := orEmpty(orEmpty(spec.LINE).Endpoints)
	fields := []field{
		{name: "publicURL", url: spec.PublicURL},
		{name: "oidc.issuerURL", url: spec.OIDC.IssuerURL},
		{name: "botBonnie.endpoints.api", url: botBonnie.API, platformHost: hostBotBonnieAPI},
		{name: "botBonnie.endpoints.redirect", url: botBonnie.Redirect, platformHost: hostBotBonnieRedirect},
		{name: "messenger.graphEndpoint", url: orEmpty(spec.Messenger).GraphEndpoint, platformHost: hostGraph},
		{name: "line.endpoints.api", url: line.API, platformHost: hostLINEAPI},
		{name: "line.endpoints.accountLink", url: line.AccountLink, platformHost: hostLINEAccess},
		{name: "webhook.forwardTo", url: v1alpha1.URL(orEmpty(spec.Webhook).ForwardTo), backend: true},
	}
	for _, service := range spec.Services {
		fields = append(fields, field{name: "services[" + service.Name + "].url", url: v1alpha1.URL(service.URL), backend: true})
	}
	return fields
}

// checkURLs refuses plain http and endpoints that are not the platforms' own, unless the operator's flags allow them.
// Otherwise whoever may write a ChannelLink could have a platform's token sent to a host of his own.
func checkURLs(in Input) error {
	for _, f := range judgedFields(&in.Link.Spec) {
		if f.url == "" {
			continue
		}
		u, err := url.Parse(string(f.url))
		if err != nil {
			return fmt.Errorf("spec.%s: %w", f.name, err)
		}
		local := isLocalName(u.Hostname())
		allowed := local && in.Operator.Network.AllowLocal || !local && f.backend
		if u.Scheme != "https" && !allowed {
			return &URLError{Reason: ErrInsecureURL, Field: f.name, Host: u.Host, Local: local}
		}
		if f.platformHost != "" && !isHost(u, f.platformHost) && !slices.ContainsFunc(in.Operator.AllowEndpointHosts, allows(u)) {
			return &URLError{Reason: ErrEndpointNotAllowed, Field: f.name, Host: u.Host}
		}
	}
	return nil
}

// isLocalName says whether the host is localhost or below it (RFC 6761, section 6.3).
func isLocalName(host string) bool {
	host = strings.ToLower(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// isHost says whether the URL is of exactly that host, on the port of its scheme.
func isHost(u *url.URL, host string) bool {
	return strings.EqualFold(u.Hostname(), host) && (u.Port() == "" || u.Port() == "443")
}

// allows says whether an entry of the flag covers the URL's host. An entry without a port covers every port.
func allows(u *url.URL) func(entry string) bool {
	return func(entry string) bool {
		if _, _, err := net.SplitHostPort(entry); err == nil {
			return strings.EqualFold(entry, u.Host)
		}
		return strings.EqualFold(entry, u.Hostname())
	}
}
