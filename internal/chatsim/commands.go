package chatsim

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// commands unlink the user from a terminal. The object's name is that of the link: who links again needs another.
// A caller holds the mutex.
func (s *Simulator) commands(c *channel, u *user) string {
	namespace, link, _ := strings.Cut(c.Resource, "/")
	sum := sha256.Sum256([]byte(u.ID + u.code))
	name := "leaver-" + hex.EncodeToString(sum[:3])
	var b strings.Builder
	line := func(text ...string) {
		for _, t := range text {
			b.WriteString(t)
		}
		b.WriteByte('\n')
	}
	if s.config.Shell != "" {
		line(s.config.Shell)
	}
	line("kubectl apply -f - <<'END'")
	line("apiVersion: channellink.dev/v1alpha1")
	line("kind: AccountUnlink")
	line("metadata: {name: ", name, ", namespace: ", namespace, "}")
	line("spec:")
	line("  channelLinkRef: {name: ", link, "}")
	line("  user: {userID: \"", u.ID, "\"}")
	line("  reason: has left the company")
	if c.BotBonnie != nil {
		line("  actions:")
		if len(c.BotBonnie.Tags) > 0 {
			line("  - {type: addTag, value: ", c.BotBonnie.Tags[0], "}")
		}
		line("  - {type: saveParams, name: employee, value: \"no\"}")
		line("  - {type: notifyAgent, message: This person has left the company.}")
	}
	line("END")
	line("kubectl -n ", namespace, " wait --for=condition=Complete accountunlink/", name)
	return b.String()
}
