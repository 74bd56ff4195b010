package plugin

import (
	"context"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // BotBonnie signs with it
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"channellink.dev/operator/api/v1alpha1"
)

// signBotBonnie is the header with which BotBonnie signs the calls of a bot's modules (BotBonnie, JSON messages).
func signBotBonnie(secret string, body []byte) (name, value string) {
	mac := hmac.New(sha1.New, []byte(secret))
	_, _ = mac.Write(body) // a hash's Write never fails
	return "X-Hub-Signature", "sha1=" + hex.EncodeToString(mac.Sum(nil))
}

// moduleCall makes a call of one of the bot's modules to the company, with the key in its URL if the channel asks for one.
func (s *session) moduleCall(ctx context.Context, l *v1alpha1.ChannelLink, kind string, o simulation) (*http.Request, error) {
	path, err := modulePath(l, kind, o)
	if err != nil {
		return nil, err
	}
	b := l.Spec.BotBonnie
	if b.APISecretRef == nil {
		return nil, errors.New("simulate: spec.botBonnie.apiSecretRef is not set: the server takes no calls of the bot's modules")
	}
	secret, err := s.secret(ctx, *b.APISecretRef)
	if err != nil {
		return nil, err
	}
	query := url.Values{}
	if b.URLKeySecretRef != nil {
		key, err := s.secret(ctx, *b.URLKeySecretRef)
		if err != nil {
			return nil, err
		}
		query.Set("k", key)
	}
	body, err := moduleBody(l, o.user)
	if err != nil {
		return nil, err
	}
	req, err := o.newRequest(ctx, l, http.MethodPost, path, query, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	name, value := signBotBonnie(secret, body)
	req.Header.Set(name, value)
	return req, nil
}

// modulePath is what a call is about. What BotBonnie does not tell, or what only it can know, is refused.
func modulePath(l *v1alpha1.ChannelLink, kind string, o simulation) (string, error) {
	switch {
	case o.code != "":
		return "", errors.New("simulate: BotBonnie's calls carry no code. It keeps the code of a login in its own record of the user, which confirms the link and which nobody else can write")
	case o.service != "" && kind != "service":
		return "", fmt.Errorf("simulate: --service goes with service, not with %s", kind)
	}
	switch kind {
	case "verify":
		if o.user != "" {
			return "", errors.New("simulate: verify is about nobody: leave --user out, or say linked")
		}
		return "/botbonnie/linked", nil
	case "linked":
		if o.user == "" {
			return "", errors.New("simulate: linked wants --user; the server then looks for his login in BotBonnie's record")
		}
		return "/botbonnie/linked", nil
	case "unlinked":
		if o.user == "" {
			return "", errors.New("simulate: unlinked wants --user; the server takes it for the user's own wish and ends his link")
		}
		return "/botbonnie/unlinked", nil
	case "service":
		return servicePath(l, o.service)
	case "message", "failed":
		return "", fmt.Errorf("simulate: BotBonnie tells nobody of %q; where a relay passes the platform's events on, say --relayed", kind)
	default:
		return "", errors.New("simulate: say verify, linked, unlinked or service")
	}
}

// servicePath is the path of a personalised service; of a single one the name may be left out.
func servicePath(l *v1alpha1.ChannelLink, name string) (string, error) {
	var names []string
	for _, service := range l.Spec.Services {
		if service.Name == name {
			return "/services/" + name, nil
		}
		names = append(names, service.Name)
	}
	switch {
	case len(names) == 0:
		return "", errors.New("simulate: spec.services has no service")
	case name == "" && len(names) == 1:
		return "/services/" + names[0], nil
	default:
		return "", errors.New("simulate: say which service, by --service: " + strings.Join(names, ", "))
	}
}

// moduleBody is the body of a call. bot_uid is left out, which BotBonnie alone can make, and so is bot_isLinked: a server that
// is told no ends a link.
func moduleBody(l *v1alpha1.ChannelLink, user string) ([]byte, error) {
	channel, nobody := 1, nobodyOnLINE
	if l.Spec.Platform == v1alpha1.PlatformFacebook {
		channel, nobody = 0, nobodyOnMessenger
	}
	if user == "" {
		user = nobody
	}
	body, err := json.Marshal(object{
		"bot_id": l.Spec.BotBonnie.BotID, "bot_raw_uid": user, "bot_pid": l.Spec.PageID, "bot_channel": channel,
	})
	if err != nil {
		return nil, fmt.Errorf("make the call: %w", err)
	}
	return body, nil
}
