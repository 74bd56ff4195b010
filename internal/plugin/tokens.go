package plugin

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"channellink.dev/operator/api/v1alpha1"
)

// Public addresses of the platforms' APIs.
const (
	publicBotBonnie = "https://api.botbonnie.com"
	publicLINE      = "https://api.line.me"
	publicGraph     = "https://graph.facebook.com/v25.0"
)

// tokenTrial is a question that a platform answers to the owner of a token alone, and that changes nothing.
type tokenTrial struct {
	platform, field string
	ref             *v1alpha1.SecretKeyReference
	// ask makes the question.
	ask func(ctx context.Context, token string) (*http.Request, error)
	// whose says what is wrong with a token that the platform takes; empty for nothing.
	whose func(body []byte) string
}

// checkTokens asks each platform whether it takes the token that the channel has for it. Tokens go where the operator has the
// server send them, and nowhere while it has not accepted the spec as it is.
func (s *session) checkTokens(ctx context.Context, l *v1alpha1.ChannelLink) []check {
	if !accepted(l) {
		return nil
	}
	var checks []check
	for _, trial := range s.tokenTrials(l) {
		token, err := s.secret(ctx, *trial.ref)
		if err != nil {
			continue // the check of the Secret says so
		}
		checks = append(checks, s.try(ctx, trial, token))
	}
	return checks
}

// accepted tells whether the operator has accepted the spec as it is now: its URLs are then ones that the namespace may claim,
// and what is secret may be sent there.
func accepted(l *v1alpha1.ChannelLink) bool {
	condition := meta.FindStatusCondition(l.Status.Conditions, v1alpha1.ConditionAccepted)
	return condition != nil && condition.Status == metav1.ConditionTrue && condition.ObservedGeneration == l.Generation
}

func (s *session) tokenTrials(l *v1alpha1.ChannelLink) []tokenTrial {
	var all []tokenTrial
	if b := l.Spec.BotBonnie; b != nil {
		all = append(all, s.botBonnieTrial(b))
	}
	if spec := l.Spec.LINE; spec != nil && spec.ChannelAccessTokenSecretRef != nil {
		all = append(all, lineTrial(spec))
	}
	if m := l.Spec.Messenger; m != nil && m.PageAccessTokenSecretRef != nil {
		all = append(all, s.graphTrial(l, m))
	}
	return all
}

// try asks. What a platform says beyond yes and no is not printed: it may speak of tokens and users.
func (s *session) try(ctx context.Context, trial tokenTrial, token string) check {
	c := check{Name: "Token of " + trial.platform, Result: unknownResult}
	req, err := trial.ask(ctx, token)
	if err != nil {
		c.Message = "cannot be tried: the address in the spec is no URL"
		return c
	}
	got, err := s.do(req)
	if err != nil {
		c.Message, _ = unreached(err, req.URL.Hostname())
		c.Message += ", seen from this machine"
		return c
	}
	code := refusal(got)
	switch {
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		c.Result, c.Message = failedResult, fmt.Sprintf("%s refuses it, with %d", trial.platform, code)
		c.Do = "Put a valid one, of this very bot, channel or page, into the key that spec." + trial.field + " names."
	case code >= http.StatusMultipleChoices:
		c.Message = fmt.Sprintf("%s answers %d, which says nothing of it", trial.platform, code)
	default:
		c.Result, c.Message = wellResult, trial.platform+" takes it"
		if wrong := trial.whose(got.body); wrong != "" {
			c.Result, c.Message, c.Do = failedResult, wrong, "Put that of this channel into the key that spec."+trial.field+" names."
		}
	}
	return c
}

// graphBadToken is Graph's code of a token that is no good, whatever the status is (Graph API, error codes).
const graphBadToken = 190

// refusal is how an answer ended. BotBonnie and Graph tell of errors in the body too.
func refusal(got answer) int {
	var said struct {
		ErrorCode json.Number `json:"errorCode"`
		Error     struct{ Code int }
	}
	_ = json.Unmarshal(got.body, &said) // most have none
	if said.Error.Code == graphBadToken {
		return http.StatusUnauthorized
	}
	if code, err := strconv.Atoi(said.ErrorCode.String()); err == nil && got.status < http.StatusMultipleChoices {
		return code
	}
	return got.status
}

// botBonnieTrial lists the bot's users of the next hour, of whom there are none (BotBonnie, user data).
func (s *session) botBonnieTrial(b *v1alpha1.BotBonnie) tokenTrial {
	base := publicBotBonnie
	if b.Endpoints != nil {
		base = cmp.Or(string(b.Endpoints.API), base)
	}
	return tokenTrial{
		platform: botBonnie, field: v1alpha1.FieldBotBonnieAPIToken, ref: &b.APITokenSecretRef,
		ask: func(ctx context.Context, token string) (*http.Request, error) {
			query := url.Values{"botId": {b.BotID}, "limit": {"1"}, "from": {strconv.FormatInt(s.Now().Add(time.Hour).UnixMilli(), 10)}}
			return bearing(ctx, base, "/v1/api/bot/customers?"+query.Encode(), token)
		},
		whose: func([]byte) string { return "" },
	}
}

// lineTrial asks whose bot the token is for (LINE Messaging API, get bot info).
func lineTrial(spec *v1alpha1.LINE) tokenTrial {
	base := publicLINE
	if spec.Endpoints != nil {
		base = cmp.Or(string(spec.Endpoints.API), base)
	}
	return tokenTrial{
		platform: "LINE", field: v1alpha1.FieldLINEAccessToken, ref: spec.ChannelAccessTokenSecretRef,
		ask: func(ctx context.Context, token string) (*http.Request, error) {
			return bearing(ctx, base, "/v2/bot/info", token)
		},
		whose: func(body []byte) string {
			var bot struct{ UserID string }
			if spec.BotUserID != "" && json.Unmarshal(body, &bot) == nil && bot.UserID != spec.BotUserID {
				return "LINE takes it for another bot than that of spec.line.botUserID"
			}
			return ""
		},
	}
}

// graphTrial asks which page the token is of (Graph API, page).
func (s *session) graphTrial(l *v1alpha1.ChannelLink, m *v1alpha1.Messenger) tokenTrial {
	base := cmp.Or(string(m.GraphEndpoint), publicGraph)
	return tokenTrial{
		platform: "Graph", field: v1alpha1.FieldMessengerPageToken, ref: m.PageAccessTokenSecretRef,
		ask: func(ctx context.Context, token string) (*http.Request, error) {
			query := url.Values{"fields": {"id"}, "access_token": {token}}
			if m.AppSecretRef != nil {
				if secret, err := s.secret(ctx, *m.AppSecretRef); err == nil {
					mac := hmac.New(sha256.New, []byte(secret))
					_, _ = mac.Write([]byte(token)) // a hash's Write never fails
					query.Set("appsecret_proof", hex.EncodeToString(mac.Sum(nil)))
				}
			}
			return http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(base, "/")+"/me?"+query.Encode(), nil)
		},
		whose: func(body []byte) string {
			var page struct{ ID json.Number }
			if json.Unmarshal(body, &page) == nil && page.ID.String() != l.Spec.PageID {
				return "Graph takes it for another page than spec.pageID"
			}
			return ""
		},
	}
}

func bearing(ctx context.Context, base, path, token string) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(base, "/")+path, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	return req, nil
}
