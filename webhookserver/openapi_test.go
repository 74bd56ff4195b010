package webhookserver

import (
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"

	"channellink.dev/operator/webhookserver/config"
)

// loadOpenAPI reads the document of the routes.
func loadOpenAPI(t *testing.T) *openapi3.T {
	t.Helper()
	document, err := openapi3.NewLoader().LoadFromFile(filepath.Join("..", "docs", "openapi.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return document
}

// The document is one of OpenAPI 3.1, and everything that it defines is used.
func TestOpenAPIDocument(t *testing.T) {
	document := loadOpenAPI(t)
	if err := document.Validate(t.Context(), openapi3.EnableSchemaFormatValidation()); err != nil {
		t.Fatal(err)
	}
	if document.OpenAPI != "3.1.0" {
		t.Errorf("version %s", document.OpenAPI)
	}
	ids := map[string]bool{}
	for path, item := range document.Paths.Map() {
		for method, operation := range item.Operations() {
			if operation.OperationID == "" || ids[operation.OperationID] || operation.Summary == "" || len(operation.Tags) != 1 {
				t.Errorf("%s %s needs an id of its own, a summary and one tag", method, path)
			}
			ids[operation.OperationID] = true
			for _, tag := range operation.Tags {
				if document.Tags.Get(tag) == nil {
					t.Errorf("%s %s: no tag %s is described", method, path, tag)
				}
			}
		}
	}
}

// Every route that a server mounts stands in the document, on its port, and no other does.
func TestOpenAPINamesEveryRoute(t *testing.T) {
	mounted := map[string][]string{}
	for _, c := range everyRoute() {
		server, err := New(Config{
			Settings: config.Settings{Version: config.Version, Channels: []config.Channel{c}, Store: config.Store{SQLite: &config.SQLite{Dir: t.TempDir()}}},
			Now:      time.Now, Log: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		for port, routes := range map[string][]route{
			"public": server.publicRoutes(server.channels[0]), "ops": server.opsRoutes(), "admin": server.adminRoutes(),
		} {
			for _, r := range routes {
				method, path, ok := strings.Cut(r.pattern, " ")
				if ok { // the others are for what is not there
					mounted[port] = append(mounted[port], method+" "+strings.TrimSuffix(path, "{$}"))
				}
			}
		}
	}
	documented := map[string][]string{}
	for path, item := range loadOpenAPI(t).Paths.Map() {
		port := "public"
		for _, server := range item.Servers {
			port = strings.ToLower(strings.TrimPrefix(server.Description, "Port "))
		}
		for method := range item.Operations() {
			documented[port] = append(documented[port], method+" "+path)
		}
	}
	for _, all := range []map[string][]string{mounted, documented} {
		for port := range maps.Keys(all) {
			slices.Sort(all[port])
			all[port] = slices.Compact(all[port])
		}
	}
	if diff := cmp.Diff(mounted, documented); diff != "" {
		t.Errorf("docs/openapi.yaml (-mounted +documented)\n%s", diff)
	}
}

// everyRoute are channels that together have every route there is.
func everyRoute() []config.Channel {
	file := func(field string) *config.File {
		return &config.File{Field: field, Path: filepath.Join("/nowhere", field)}
	}
	base := config.Channel{
		UID: "1", Name: "vision-hr", PublicURL: "https://link.vision.example/hr", PageID: "1",
		OIDC: config.OIDC{IssuerURL: "https://sso.vision.example", ClientID: "chatbot", Scopes: []string{"openid"}, UserClaim: "sub"},
		API:  config.API{Token: file("api.tokenSecretRef"), IntrospectionToken: file("api.introspectionTokenSecretRef")},
	}
	onLINE, onFacebook, behindBotBonnie := base, base, base
	onLINE.Platform, onLINE.LINE = "LINE", &config.LINE{
		ChannelSecret: file("line.channelSecretRef"), AccountLinkEndpoint: "https://access.line.me/dialog/bot/accountLink",
	}
	onFacebook.Platform, onFacebook.Messenger = facebook, &config.Messenger{
		AppSecret: file("messenger.appSecretRef"), VerifyToken: file("messenger.verifyTokenSecretRef"),
		RedirectHosts: []string{"www.facebook.com"}, GraphEndpoint: "https://graph.facebook.com/v23.0",
	}
	behindBotBonnie.Platform, behindBotBonnie.LINE = "LINE", onLINE.LINE
	behindBotBonnie.BotBonnie = &config.BotBonnie{
		BotID: "bot-M-BOieOXZ", APIToken: *file("botBonnie.apiTokenSecretRef"), APISecret: file("botBonnie.apiSecretRef"),
		MaxCallsPerSecond: 10, APIEndpoint: "https://api.botbonnie.com", RedirectEndpoint: "https://rd.botbonnie.com/account/link",
	}
	behindBotBonnie.Services = []config.Service{{Name: "leave-balance", URL: "https://hr.vision.example/", Audience: "hr"}}
	return []config.Channel{onLINE, onFacebook, behindBotBonnie}
}
