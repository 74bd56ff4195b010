package config_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"channellink.dev/operator/webhookserver/config"
)

func settings(change func(*config.Settings)) config.Settings {
	s := config.Settings{
		Version: config.Version,
		Store: config.Store{
			SQLite:         &config.SQLite{Dir: config.DataDir},
			AuditRetention: config.Duration(9600 * time.Hour),
		},
		Channels: []config.Channel{{
			UID: "0b7c", Platform: "LINE", PageID: "507oftxz", PublicURL: "https://link.vision.example/hr",
			OIDC: config.OIDC{IssuerURL: "https://sso.vision.example", ClientID: "chatbot", Scopes: []string{"openid"}},
		}},
	}
	if change != nil {
		change(&s)
	}
	return s
}

func TestParseReadsWhatIsWritten(t *testing.T) {
	want := settings(func(s *config.Settings) {
		age := config.Duration(90 * time.Minute)
		s.Channels[0].OIDC.MaxAge = &age
		s.Channels[0].BotBonnie = &config.BotBonnie{
			BotID: "bot-M-BOieOXZ", MaxCallsPerSecond: 2.5,
			APIToken: config.File{Field: "botBonnie.apiTokenSecretRef", Path: "/x/token"},
		}
	})
	data, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(data), `"maxAge":"1h30m0s"`) {
		t.Errorf("a duration should be written for people, got %s", data)
	}
	got, err := config.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("settings changed on the way (-want +got):\n%s", diff)
	}
}

func TestParseRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		reason string
		data   string
		is     error
		says   string
	}{
		"other version": {
			reason: "the halves of two releases must not guess at each other's settings",
			data:   `{"version": 999}`, is: config.ErrVersion, says: "version 999",
		},
		"unknown field": {
			reason: "a setting that the server does not know is one that it would not enforce",
			data:   `{"version": 1, "requireHat": true}`, says: "requireHat",
		},
		"no store": {
			reason: "without a store nothing can be linked",
			data:   `{"version": 1}`, says: "exactly one of store.sqlite and store.postgres",
		},
		"two documents": {
			reason: "half-written files must not pass",
			data:   `{"version": 1, "store": {"sqlite": {"dir": "/d"}, "auditRetention": "1h"}} {}`, says: "invalid character",
		},
		"duration without unit": {
			reason: "5 could be seconds or nanoseconds",
			data:   `{"version": 1, "store": {"auditRetention": "5"}}`, says: "want a number with a unit",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := config.Parse([]byte(tc.data))
			if err == nil {
				t.Fatalf("accepted, but %s", tc.reason)
			}
			if tc.is != nil && !errors.Is(err, tc.is) {
				t.Errorf("error %v is not %v", err, tc.is)
			}
			if !strings.Contains(err.Error(), tc.says) {
				t.Errorf("error %q does not say %q", err, tc.says)
			}
		})
	}
}

func TestValidateNamesThePositionOfABadExpression(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*config.Settings)
		want   *config.ExpressionError
	}{
		"claims do not parse": {
			change: func(s *config.Settings) { s.Channels[0].OIDC.RequiredClaims = "claims.email ==" },
			want:   &config.ExpressionError{Field: "oidc.requiredClaims", Line: 1, Column: 16},
		},
		"claims give no bool": {
			change: func(s *config.Settings) { s.Channels[0].OIDC.RequiredClaims = "size(claims)" },
			want:   &config.ExpressionError{Field: "oidc.requiredClaims", Line: 1, Column: 1},
		},
		"template does not parse": {
			change: func(s *config.Settings) {
				s.Channels[0].Services = []config.Service{{Name: "leave", Template: "{{ .days }}\n{{ if }}"}}
			},
			want: &config.ExpressionError{Field: "services[leave].template", Line: 2, Column: 1},
		},
		"all is well": {
			change: func(s *config.Settings) {
				s.Channels[0].OIDC.RequiredClaims = `claims.email_verified && claims.email.endsWith("@vision.example")`
				s.Channels[0].Services = []config.Service{{Name: "leave", Template: "還剩 {{ .days }} 天"}}
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := settings(tc.change)
			err := s.Validate()
			if tc.want == nil {
				if err != nil {
					t.Fatalf("refused: %v", err)
				}
				return
			}
			var got *config.ExpressionError
			if !errors.As(err, &got) || !errors.Is(err, config.ErrInvalidExpression) {
				t.Fatalf("error %v, want an ExpressionError", err)
			}
			if got.Problem == "" {
				t.Error("the error does not say what is wrong")
			}
			got.Problem = ""
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
