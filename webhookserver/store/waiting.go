package store

import (
	"context"

	"channellink.dev/operator/webhookserver/link"
)

// WaitingUsers implements [link.WaitingStore].
func (s *Store) WaitingUsers(ctx context.Context, channel link.ChannelID, prefix, userID string, limit int) ([]link.WaitingUser, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var waiting []link.WaitingUser
	err := eachRow(ctx, s.read, func(r scanner) error {
		var w link.WaitingUser
		var fence, started, worked int64
		err := r.Scan(&w.ID, &w.UserID, &fence, &started, &worked)
		w.Fence, w.StartedAt, w.WorkedAt = fromMicros(fence), fromMicros(started), fromMicros(worked)
		waiting = append(waiting, w)
		return err
	}, `
		SELECT r.id, u.user_id, r.fence, r.started_at, r.worked_at
		FROM revocations r JOIN revoked_users u ON u.channel = r.channel AND u.id = r.id AND u.state = 'Waiting'
		WHERE r.channel = $1 AND r.ended_at = 0 AND r.target = 'user' AND SUBSTR(r.id, 1, $2) = $3 AND (u.user_id = $4 OR $4 = '')
		ORDER BY r.worked_at, r.id LIMIT $5`, channel, len(prefix), prefix, userID, limit)
	return waiting, s.fail("read waiting users", err)
}
