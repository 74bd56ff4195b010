package desired

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/webhookserver/config"
)

// The chat platforms' public endpoints.
const (
	endpointBotBonnieAPI      = "https://" + hostBotBonnieAPI
	endpointBotBonnieRedirect = "https://" + hostBotBonnieRedirect + "/account/link"
	endpointLINEAPI           = "https://" + hostLINEAPI
	endpointLINEAccountLink   = "https://" + hostLINEAccess + "/dialog/bot/accountLink"
	// endpointGraph carries a version, because Meta answers calls without one as the oldest that it still has. A
	// version lives for two years.
	endpointGraph = "https://" + hostGraph + "/v25.0"
)

// redirectHosts are where Messenger has been seen to send a login's redirect_uri; Meta publishes no list.
var redirectHosts = []string{"www.facebook.com", "facebook.com", "m.facebook.com", "www.messenger.com", "messenger.com"}

// Settings gives the server's settings with every default resolved: the server has none of its own, so that what it does
// can be read in its ConfigMap. The error is a URLError or config.ErrInvalidExpression.
func Settings(in Input) (config.Settings, error) {
	if err := checkURLs(in); err != nil {
		return config.Settings{}, err
	}
	found := filesOf(&in.Link.Spec)
	settings := config.Settings{
		Version:  config.Version,
		LogLevel: string(server(in.Link).LogLevel),
		Network:  in.Operator.Network,
		Store:    storeSettings(in.Link, found),
		Channels: []config.Channel{channelSettings(in, found)},
	}
	if settings.LogLevel == "" {
		settings.LogLevel = "info"
	}
	if err := settings.Validate(); err != nil {
		return config.Settings{}, err
	}
	return settings, nil
}

func storeSettings(link *v1alpha1.ChannelLink, found files) config.Store {
	spec := orEmpty(link.Spec.Store)
	store := config.Store{
		EncryptionKeys: found[v1alpha1.FieldStoreEncryptionKey],
		AuditRetention: duration(spec.AuditRetention, 9600*time.Hour),
	}
	if spec.Postgres == nil {
		store.SQLite = &config.SQLite{Dir: config.DataDir}
		return store
	}
	store.Postgres = &config.Postgres{
		DSN:      *found[v1alpha1.FieldStorePostgresDSN],
		MaxConns: or(spec.Postgres.MaxConns, 10),
	}
	return store
}

func channelSettings(in Input, found files) config.Channel {
	spec := &in.Link.Spec
	channel := config.Channel{
		UID:              string(in.Link.UID),
		Namespace:        in.Link.Namespace,
		Name:             in.Link.Name,
		Platform:         string(spec.Platform),
		PageID:           spec.PageID,
		DisplayName:      firstOf(spec.DisplayName, in.Link.Name),
		PublicURL:        string(spec.PublicURL),
		TrustedProxyHops: or(server(in.Link).TrustedProxyHops, 0),
		BotBonnie:        botBonnieSettings(in.Link, found),
		OIDC:             oidcSettings(spec, found),
		Linking:          linkingSettings(spec, found),
		Services:         serviceSettings(spec),
		API: config.API{
			Token:              found[v1alpha1.FieldAPIToken],
			IntrospectionToken: found[v1alpha1.FieldAPIIntrospectionToken],
		},
		Webhook: webhookSettings(spec),
	}
	branding := orEmpty(spec.Branding)
	channel.Branding = config.Branding{
		LoginTitle:  firstOf(branding.LoginTitle, channel.DisplayName),
		LogoutTitle: firstOf(branding.LogoutTitle, channel.DisplayName),
		ImageURL:    string(branding.ImageURL),
		Logo:        found[v1alpha1.FieldBrandingLogo],
		AccentColor: branding.AccentColor,
	}
	// The platform's section is there behind BotBonnie too, without secrets: redirects are checked against its hosts.
	switch spec.Platform {
	case v1alpha1.PlatformFacebook:
		channel.Messenger = messengerSettings(in, found)
	case v1alpha1.PlatformLINE:
		channel.LINE = lineSettings(spec, found)
	}
	return channel
}

func botBonnieSettings(link *v1alpha1.ChannelLink, found files) *config.BotBonnie {
	spec := link.Spec.BotBonnie
	if spec == nil {
		return nil
	}
	endpoints := orEmpty(spec.Endpoints)
	return &config.BotBonnie{
		BotID:              spec.BotID,
		APIToken:           *found[v1alpha1.FieldBotBonnieAPIToken],
		APISecret:          found[v1alpha1.FieldBotBonnieAPISecret],
		URLKey:             found[v1alpha1.FieldBotBonnieURLKey],
		StartLinkingModule: spec.StartLinkingModule,
		MaxCallsPerSecond:  share(or(spec.MaxCallsPerSecond, 10), mostReplicas(link)),
		APIEndpoint:        base(endpoints.API, endpointBotBonnieAPI),
		RedirectEndpoint:   firstOf(string(endpoints.Redirect), endpointBotBonnieRedirect),
	}
}

func messengerSettings(in Input, found files) *config.Messenger {
	spec := orEmpty(in.Link.Spec.Messenger)
	messenger := &config.Messenger{
		AppSecret:       found[v1alpha1.FieldMessengerAppSecret],
		VerifyToken:     found[v1alpha1.FieldMessengerVerifyToken],
		PageAccessToken: found[v1alpha1.FieldMessengerPageToken],
		AllowSHA1:       or(spec.AllowSHA1, false),
		RedirectHosts:   plain(spec.RedirectHosts),
		GraphEndpoint:   base(spec.GraphEndpoint, endpointGraph),
	}
	observed := orEmpty(in.Link.Spec.Webhook).Registration == v1alpha1.WebhookRegistrationObserve
	for _, sibling := range in.Siblings {
		messenger.Siblings = append(messenger.Siblings, sibling.ServiceURL)
		if observed {
			messenger.SiblingWebhooks = append(messenger.SiblingWebhooks, sibling.WebhookURL)
		}
	}
	if len(messenger.RedirectHosts) == 0 {
		messenger.RedirectHosts = slices.Clone(redirectHosts)
	}
	return messenger
}

func lineSettings(spec *v1alpha1.ChannelLinkSpec, found files) *config.LINE {
	line := orEmpty(spec.LINE)
	endpoints := orEmpty(line.Endpoints)
	return &config.LINE{
		ChannelSecret:       found[v1alpha1.FieldLINEChannelSecret],
		ChannelAccessToken:  found[v1alpha1.FieldLINEAccessToken],
		BotUserID:           line.BotUserID,
		APIEndpoint:         base(endpoints.API, endpointLINEAPI),
		AccountLinkEndpoint: firstOf(string(endpoints.AccountLink), endpointLINEAccountLink),
	}
}

func oidcSettings(spec *v1alpha1.ChannelLinkSpec, found files) config.OIDC {
	oidc := &spec.OIDC
	settings := config.OIDC{
		IssuerURL:          string(oidc.IssuerURL),
		ClientID:           oidc.ClientID,
		ClientSecret:       found[v1alpha1.FieldOIDCClientSecret],
		ClientSecretIssuer: issuerFileOf(spec),
		PrivateKey:         found[v1alpha1.FieldOIDCPrivateKey],
		CABundle:           found[v1alpha1.FieldOIDCCABundle],
		Scopes:             plain(oidc.Scopes),
		UserClaim:          firstOf(string(oidc.UserClaim), "sub"),
		DisplayClaims:      plain(oidc.DisplayClaims),
		RequiredClaims:     oidc.RequiredClaims,
		Prompt:             string(oidc.Prompt),
		MaxAge:             optionalDuration(oidc.MaxAge),
		ACRValues:          plain(oidc.ACRValues),
		UILocales:          plain(oidc.UILocales),
		ExtraAuthParams:    plainMap(oidc.ExtraAuthParams),
		// Messenger has no way out of its webview.
		ExternalBrowser: oidc.ExternalBrowser == v1alpha1.ExternalBrowserAuto && spec.Platform == v1alpha1.PlatformLINE,
	}
	if len(settings.Scopes) == 0 {
		settings.Scopes = []string{"openid", "profile", "email"}
	}
	// An empty list is an answer: show no claim.
	if settings.DisplayClaims == nil {
		settings.DisplayClaims = []string{"name", "email"}
	}
	return settings
}

func linkingSettings(spec *v1alpha1.ChannelLinkSpec, found files) config.Linking {
	linking := orEmpty(spec.Linking)
	return config.Linking{
		AfterRedirect:      linking.Confirmation == v1alpha1.ConfirmationAfterRedirect,
		StableCode:         linking.Code == v1alpha1.LinkCodeStable,
		CodeKey:            found[v1alpha1.FieldLinkingCodeKey],
		MaxLinksPerSubject: or(linking.MaxLinksPerSubject, 0),
		MaxAge:             optionalDuration(linking.MaxAge),
	}
}

func serviceSettings(spec *v1alpha1.ChannelLinkSpec) []config.Service {
	var services []config.Service
	for _, service := range spec.Services {
		services = append(services, config.Service{
			Name:         service.Name,
			URL:          string(service.URL),
			Audience:     service.Audience,
			Timeout:      duration(service.Timeout, 2*time.Second),
			Template:     service.Template,
			FallbackText: service.FallbackText,
		})
	}
	return services
}

func webhookSettings(spec *v1alpha1.ChannelLinkSpec) config.Webhook {
	webhook := orEmpty(spec.Webhook)
	return config.Webhook{
		ForwardTo: string(webhook.ForwardTo),
		Timeout:   duration(webhook.Timeout, time.Second),
		Observe:   webhook.Registration == v1alpha1.WebhookRegistrationObserve,
	}
}

// share is one replica's part of a bound on calls per second, rounded down to a thousandth: the parts never add up to more
// than the bound. With autoscaling the bound is divided by the most replicas there can be, since a new divisor would roll
// every pod at each scaling.
func share(bound, replicas int32) float64 {
	return math.Floor(1000*float64(bound)/float64(max(replicas, 1))) / 1000
}

// base is an address that paths are added to.
func base(url v1alpha1.URL, fallback string) string {
	return strings.TrimRight(firstOf(string(url), fallback), "/")
}

func firstOf(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

func duration(d *metav1.Duration, fallback time.Duration) config.Duration {
	if d == nil {
		return config.Duration(fallback)
	}
	return config.Duration(d.Duration)
}

func optionalDuration(d *metav1.Duration) *config.Duration {
	if d == nil {
		return nil
	}
	return new(config.Duration(d.Duration))
}

// encode writes the settings file. The bytes are the same for the same settings: the server reports their hash, and the
// operator tells from it whether an answer comes from the pods that it wants.
func encode(settings config.Settings) ([]byte, error) {
	var file bytes.Buffer
	encoder := json.NewEncoder(&file)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(settings); err != nil {
		return nil, fmt.Errorf("writing the settings: %w", err)
	}
	return file.Bytes(), nil
}

// hash is the SHA-256 of the settings file, in lower-case hex.
func hash(file []byte) string {
	sum := sha256.Sum256(file)
	return hex.EncodeToString(sum[:])
}
