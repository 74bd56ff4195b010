package webhookserver_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"channellink.dev/operator/webhookserver/config"
)

// What verifiers find below the public URL, and for how long they may keep it.
func TestWellKnown(t *testing.T) {
	w, _, _ := servedWorld(t, nil)
	discovery := w.get(t, "/hr/.well-known/openid-configuration")
	var document map[string]any
	if err := json.Unmarshal([]byte(discovery.Body), &document); err != nil || discovery.Code != http.StatusOK {
		t.Fatalf("%d %s", discovery.Code, discovery.Body)
	}
	delete(document, "claims_supported")
	if diff := cmp.Diff(map[string]any{
		"issuer": "https://link.vision.example/hr", "jwks_uri": "https://link.vision.example/hr/.well-known/jwks.json",
		"id_token_signing_alg_values_supported": []any{"ES256"}, "response_types_supported": []any{"id_token"},
		"subject_types_supported": []any{"public"},
	}, document); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}

	keys := w.get(t, "/hr/.well-known/jwks.json")
	var set jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(keys.Body), &set); err != nil || keys.Code != http.StatusOK || len(set.Keys) != 1 {
		t.Fatalf("%d %s", keys.Code, keys.Body)
	}
	if key := set.Keys[0]; !key.IsPublic() || !key.Valid() || key.KeyID == "" || key.Algorithm != "ES256" || key.Use != "sig" || strings.Contains(keys.Body, `"d"`) {
		t.Errorf("%s", keys.Body)
	}
	for _, a := range []answer{discovery, keys} {
		if got := a.Header.Get("Cache-Control"); got != "public, max-age=3600" {
			t.Errorf("Cache-Control is %q", got)
		}
	}
	if got := keys.Header.Get("Content-Type"); got != "application/jwk-set+json" {
		t.Errorf("keys are %s", got)
	}
}

// A channel without services asserts nothing and has nothing to tell.
func TestNoServices(t *testing.T) {
	for reason, options := range map[string][]option{
		"no service":               {behindBotBonnie("https://api.botbonnie.com")},
		"no BotBonnie":             {withServices(config.Service{Name: "leave-balance", URL: "https://hr.vision.example/", Audience: "hr"})},
		"no secret to verify with": {behindBotBonnie("https://api.botbonnie.com"), withServices(config.Service{Name: "leave-balance", URL: "https://hr.vision.example/", Audience: "hr"}), withoutAPISecret},
	} {
		w := newWorld(t, options...)
		w.untilReady(t)
		body := moduleCall(lineUser, "")
		for _, a := range []answer{
			w.get(t, "/hr/.well-known/jwks.json"), w.get(t, "/hr/.well-known/openid-configuration"),
			w.ask(t, "leave-balance", body),
		} {
			if a.Code != http.StatusNotFound {
				t.Errorf("%s: %d %s", reason, a.Code, a.Body)
			}
		}
	}
}

func withoutAPISecret(_ *world, s *config.Settings) {
	s.Channels[0].BotBonnie.APISecret = nil
}
