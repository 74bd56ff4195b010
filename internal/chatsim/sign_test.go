package chatsim

import "testing"

// The vectors are those of the platforms' own documentation and of public libraries.
func TestSignatures(t *testing.T) {
	line := func(secret, body string) string { return signLINE(secret, []byte(body)) }
	meta := func(secret, body string) string { return signMeta(secret, []byte(body)) }
	botBonnie := func(secret, body string) string { return signBotBonnie(secret, []byte(body)) }
	for _, tc := range []struct {
		reason            string
		sign              func(secret, body string) string
		secret, body, out string
	}{
		{
			"LINE's documentation, verify-webhook-signature", line, "8c570fa6dd201bb328f1c1eac23a96d8",
			`{"destination":"U8e742f61d673b39c7fff3cecb7536ef0","events":[]}`, "GhRKmvmHys4Pi8DxkF4+EayaH0OqtJtaZxgTD9fMDLs=",
		},
		{"line-bot-sdk-nodejs", line, "test_secret", `{"hello":"world"}`, "t7Hn4ZDHqs6e+wdvI5TyQIvzie0DmMUmuXEBqyyE/tM="},
		{"line-bot-sdk-java", line, "SECRET", `{}`, "3q8QXTAGaey18yL8FWTqdVlbMr6hcuNvM4tefa0o9nA="},
		{"bottender, LINE", line, "FAKE_SECRET", "rawBody", "XtFE4w+/e5cw8ys6BSALGj3ZCYgRtBdCBxyEfrkgLPc="},
		{
			"octokit/webhooks-methods.js, the construction that Meta uses", meta, "mysecret", `{"foo":"bar"}`,
			"sha256=4864d2759938a15468b5df9ade20bf161da9b4f737ea61794142f3484236bda3",
		},
		{
			"GitHub's documentation, the same construction", meta, "It's a Secret to Everybody", "Hello, World!",
			"sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
		},
		{"bottender, Messenger", botBonnie, "FAKE_SECRET", "rawBody", "sha1=0d814d436b45c33ef664a317ff4b8dc2d3d8fe2a"},
		{"bottender, Messenger, another body", botBonnie, "FAKE_SECRET", `{}`, "sha1=1c99183cb7c44ea27fb834746086b65b89800db8"},
		{
			"restfb, appsecret_proof", appSecretProof, "test", "test",
			"88cd2108b5347d973cf39cdf9053d7dd42704876d8c9a9bd8e2d168259d3ddf7",
		},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			if got := tc.sign(tc.secret, tc.body); got != tc.out {
				t.Errorf("got %s, want %s", got, tc.out)
			}
		})
	}
}
