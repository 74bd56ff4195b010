package webhookserver

import (
	"context"
	"encoding/hex"
	"log/slog"

	"channellink.dev/operator/webhookserver/authorize"
	"channellink.dev/operator/webhookserver/link"
)

// auditLogger marks the lines of the audit stream. The key is the one by which the operator's log names its parts too;
// `stream` and `log` would meet the words of container runtimes and log shippers.
const auditLogger = "audit"

// newAuditLog returns the stream of what becomes of links. It is written whatever logLevel is.
func newAuditLog(h slog.Handler) *slog.Logger {
	return slog.New(requestHandler{unconditional{h}}).With("logger", auditLogger)
}

// unconditional writes every line. A handler's own level is asked before it is called, and not again.
type unconditional struct{ slog.Handler }

// Enabled implements [slog.Handler].
func (unconditional) Enabled(context.Context, slog.Level) bool { return true }

// WithAttrs implements [slog.Handler].
func (u unconditional) WithAttrs(attrs []slog.Attr) slog.Handler {
	return unconditional{u.Handler.WithAttrs(attrs)}
}

// WithGroup implements [slog.Handler].
func (u unconditional) WithGroup(name string) slog.Handler {
	return unconditional{u.Handler.WithGroup(name)}
}

// audited tells of a row of the audit trail that is stored. People are told by the same keyed hashes as there.
func (s *Server) audited(ctx context.Context, row link.AuditRow) {
	s.audit.InfoContext(ctx, "audit", "what", row.What, "channel", s.nameOf(row.Channel), "page", string(row.Channel),
		"at", row.At, "link", row.LinkID,
		"user", hex.EncodeToString(row.UserHash), "subject", hex.EncodeToString(row.SubjectHash),
		"account", hex.EncodeToString(row.AccountHash), "by", row.By, "why", row.Why)
}

// refused tells of a login that was begun and not let through. Such a login has no row in the trail: it made no link.
func (s *Server) refused(ctx context.Context, c *channel, session link.Session, step string, reason authorize.Reason) {
	user := ""
	if store, err := s.store.Store(); err == nil && session.UserID != "" {
		if hash, err := store.UserHash(ctx, c.id, session.UserID, s.now()); err == nil {
			user = hex.EncodeToString(hash)
		}
	}
	s.audit.InfoContext(ctx, "audit", "what", "refused", "channel", c.Name, "page", string(c.id), "at", s.now().UTC(),
		"flow", session.Flow, "user", user, "by", "login", "step", step, "why", string(reason))
}

// nameOf is the name of the channel's ChannelLink.
func (s *Server) nameOf(id link.ChannelID) string {
	for _, c := range s.channels {
		if c.id == id {
			return c.Name
		}
	}
	return ""
}
