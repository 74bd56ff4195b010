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
type simulation struct{ user, code, to string }

func simulateCommand(flags *pflag.FlagSet) func(context.Context, *session) error {
	var o simulation
	flags.StringVar(&o.user, "user", "", "chat user of the event; for message: a made-up one")
	flags.StringVar(&o.code, "code", "", "of linked and failed: LINE's nonce, Messenger's authorization_code")
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
	req, err := s.event(ctx, l, kind, o)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.Out, "%s %s: %s as %s sends it\n", req.Method, target(req.URL), kind, l.Spec.Platform)
	got, err := s.do(req)
	if err != nil {
		message, do := unreached(err, req.URL.Hostname())
		return fmt.Errorf("simulate: %s. %s", message, do)
	}
	said, well := meaning(got.status)
	fmt.Fprintf(s.Out, "%d: %s\n", got.status, said)
	if id := got.header.Get(requestIDHeader); id != "" {
		fmt.Fprintf(s.Out, "request %s in the server's log\n", id)
	}
	if !well {
		return ErrUnwell
	}
	return nil
}

// target is an address without its query, which may hold a token.
func target(u *url.URL) string { return u.Scheme + "://" + u.Host + u.Path }

// meaning says what a status code of the webhook means.
func meaning(code int) (said string, well bool) {
	switch code {
	case http.StatusOK:
		return "taken", true
	case http.StatusUnauthorized:
		return "the signature is wrong: the server has other values than the Secret has now (new ones arrive within 90 seconds)", false
	case http.StatusForbidden:
		return "the verify token is wrong: the server has other values than the Secret has now", false
	case http.StatusNotFound:
		return "nothing here: another path, or the spec names no secret that would let the server verify", false
	case http.StatusMisdirectedRequest:
		return "the server does not know this host: a proxy in front changes the Host header", false
	case http.StatusServiceUnavailable:
		return "not taken: the store, a sibling or the bot behind does not answer; the platform would try again", false
	case http.StatusBadGateway, http.StatusGatewayTimeout:
		return "the bot of spec.webhook.forwardTo does not answer, or a gateway in front does not reach the server", false
	default:
		return "not taken", false
	}
}

// event makes the request of a platform.
func (s *session) event(ctx context.Context, l *v1alpha1.ChannelLink, kind string, o simulation) (*http.Request, error) {
	to, err := o.address(l)
	if err != nil {
		return nil, err
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
		return o.newRequest(ctx, l, http.MethodGet, to+"?"+query.Encode(), nil)
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
	req, err := o.newRequest(ctx, l, http.MethodPost, to, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	name, value := sign(l.Spec.Platform, secret, body)
	req.Header.Set(name, value)
	return req, nil
}

// address is where the webhook is.
func (o simulation) address(l *v1alpha1.ChannelLink) (string, error) {
	public, err := url.Parse(strings.TrimSuffix(string(l.Spec.PublicURL), "/") + "/webhook")
	if err != nil {
		return "", errors.New("simulate: spec.publicURL is not a URL")
	}
	if o.to == "" {
		return public.String(), nil
	}
	at, err := url.Parse(o.to)
	if err != nil || at.Host == "" {
		return "", errors.New("simulate: --to wants an address such as http://localhost:8080")
	}
	return at.Scheme + "://" + at.Host + public.Path, nil
}

// newRequest makes a request that reaches the channel wherever it is sent to: the server knows it by its host and path.
func (o simulation) newRequest(ctx context.Context, l *v1alpha1.ChannelLink, method, to string, body []byte) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, to, bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("simulate: the address is not a URL")
	}
	if public, err := url.Parse(string(l.Spec.PublicURL)); err == nil {
		req.Host = public.Host
	}
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
