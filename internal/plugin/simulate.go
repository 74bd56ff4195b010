package plugin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/pflag"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"channellink.dev/operator/api/v1alpha1"
)

// simulation are the flags of `simulate`.
type simulation struct {
	user, code, service, to string
	relayed                 bool
}

func simulateCommand(flags *pflag.FlagSet) func(context.Context, *session) error {
	var o simulation
	flags.StringVar(&o.user, "user", "", "chat user whom it is about, if not a made-up one; - reads the id from standard input")
	flags.StringVar(&o.code, "code", "", "of linked and failed: LINE's nonce, Messenger's authorization_code")
	flags.StringVar(&o.service, "service", "", "of service: which of spec.services, if there are several")
	flags.BoolVar(&o.relayed, "relayed", false, "with BotBonnie in front: the platform's own event, as a relay passes it on")
	flags.StringVar(&o.to, "to", "", "send to this address instead of the public one, such as http://localhost:8080 of a port-forward")
	return func(ctx context.Context, s *session) error { return s.simulate(ctx, o) }
}

// simulate sends one event. Whoever can read the channel's secret can do that without this program; it has no power of its
// own.
func (s *session) simulate(ctx context.Context, o simulation) error {
	l, err := s.link(ctx)
	if err != nil {
		return err
	}
	kind := "verify"
	if len(s.rest) > 0 {
		kind = s.rest[0]
	}
	if o.user, err = s.given(o.user); err != nil {
		return err
	}
	by := o.sender(l)
	var req *http.Request
	switch {
	case o.relayed && l.Spec.BotBonnie == nil:
		return errors.New("simulate: nothing stands before this channel: leave --relayed out")
	case by == botBonnie:
		req, err = s.moduleCall(ctx, l, kind, o)
	default:
		req, err = s.event(ctx, l, kind, o)
	}
	if err != nil {
		return err
	}
	if o.to == "" && !accepted(l) {
		// Who may write a ChannelLink may not read its Secrets: Meta's verification would carry the verify token to any address.
		return fmt.Errorf("simulate: the operator has not accepted %s as it is now, so nothing is sent to its publicURL: see `kubectl channellink status %s`, or name an address with --to", l.Name, l.Name)
	}
	fmt.Fprintf(s.Out, "%s %s: %s as %s sends it\n", req.Method, target(req.URL), kind, by)
	got, err := s.do(req)
	if err != nil {
		message, do := unreached(err, req.URL.Hostname())
		if o.to != "" {
			do = "See that the port-forward runs."
		}
		return fmt.Errorf("simulate: %s. %s", message, do)
	}
	return s.tell(got, l, kind, by, o.user)
}

// botBonnie is who sends what neither LINE nor Meta sends.
const botBonnie = "BotBonnie"

// sender is who calls the channel.
func (o simulation) sender(l *v1alpha1.ChannelLink) string {
	if l.Spec.BotBonnie != nil && !o.relayed {
		return botBonnie
	}
	return string(l.Spec.Platform)
}

// event makes the request of a platform.
func (s *session) event(ctx context.Context, l *v1alpha1.ChannelLink, kind string, o simulation) (*http.Request, error) {
	if o.service != "" || kind == "service" {
		return nil, errors.New("simulate: services are asked by BotBonnie alone")
	}
	if l.Spec.Platform == v1alpha1.PlatformFacebook && kind == "verify" {
		m := l.Spec.Messenger
		if m == nil || m.VerifyTokenSecretRef == nil {
			return nil, errors.New("simulate: spec.messenger.verifyTokenSecretRef is not set")
		}
		token, err := s.secret(ctx, *m.VerifyTokenSecretRef)
		if err != nil {
			return nil, err
		}
		query := url.Values{"hub.mode": {"subscribe"}, "hub.challenge": {"1158201444"}, "hub.verify_token": {token}}
		return o.newRequest(ctx, l, http.MethodGet, "/webhook", query, nil)
	}
	body, err := eventBody(l, kind, o, s.Now())
	if err != nil {
		return nil, err
	}
	ref := signedWith(l)
	if ref == nil {
		return nil, errors.New("simulate: the spec names no secret that the platform signs with: messenger.appSecretRef or line.channelSecretRef")
	}
	secret, err := s.secret(ctx, *ref)
	if err != nil {
		return nil, err
	}
	req, err := o.newRequest(ctx, l, http.MethodPost, "/webhook", nil, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	name, value := sign(l.Spec.Platform, secret, body)
	req.Header.Set(name, value)
	return req, nil
}

// newRequest makes a request that reaches the channel wherever it is sent to: the server knows it by its host and path.
func (o simulation) newRequest(ctx context.Context, l *v1alpha1.ChannelLink, method, path string, query url.Values, body []byte) (*http.Request, error) {
	to, err := url.Parse(strings.TrimSuffix(string(l.Spec.PublicURL), "/") + path)
	if err != nil {
		return nil, errors.New("simulate: spec.publicURL is not a URL")
	}
	public := to.Host
	if o.to != "" {
		at, err := url.Parse(o.to)
		if err != nil || at.Host == "" {
			return nil, errors.New("simulate: --to wants an address such as http://localhost:8080")
		}
		to.Scheme, to.Host = at.Scheme, at.Host
	}
	to.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, method, to.String(), bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("simulate: the address is not a URL")
	}
	req.Host = public
	return req, nil
}

// signedWith is the secret with which the platform signs.
func signedWith(l *v1alpha1.ChannelLink) *v1alpha1.SecretKeyReference {
	switch {
	case l.Spec.Platform == v1alpha1.PlatformFacebook && l.Spec.Messenger != nil:
		return l.Spec.Messenger.AppSecretRef
	case l.Spec.Platform == v1alpha1.PlatformLINE && l.Spec.LINE != nil:
		return l.Spec.LINE.ChannelSecretRef
	default:
		return nil
	}
}

// secret reads a value as its user may; of several the newest, which is the first line.
func (s *session) secret(ctx context.Context, ref v1alpha1.SecretKeyReference) (string, error) {
	var secret corev1.Secret
	err := s.client.Get(ctx, client.ObjectKey{Namespace: s.namespace, Name: string(ref.Name)}, &secret)
	switch {
	case apierrors.IsForbidden(err):
		return "", fmt.Errorf("simulate: you may not read the Secret %s, and without it nothing can be signed", ref.Name)
	case err != nil:
		return "", fmt.Errorf("read the Secret %s: %w", ref.Name, err)
	}
	first, _, _ := strings.Cut(strings.TrimSpace(string(secret.Data[string(ref.Key)])), "\n")
	if first = strings.TrimSpace(first); first == "" {
		return "", fmt.Errorf("simulate: the Secret %s has no value under the key %s", ref.Name, ref.Key)
	}
	return first, nil
}
