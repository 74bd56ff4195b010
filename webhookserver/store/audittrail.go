package store

import (
	"context"
	"time"

	"channellink.dev/operator/webhookserver/link"
)

// auditPage is how many rows of the audit trail are read at once.
const auditPage = 500

// auditRow is a row with the number that orders it.
type auditRow struct {
	link.AuditRow
	number int64
}

// Audit implements [link.AuditStore]. It reads page by page, so that a slow reader holds nothing open.
func (s *Store) Audit(ctx context.Context, channel link.ChannelID, userID string, fn func(link.AuditRow) error) error {
	condition, args := `channel = $1 AND id > $2`, []any{channel, int64(0), auditPage}
	if userID != "" {
		sign, err := s.signer(ctx, channel, time.Now())
		if err != nil {
			return err
		}
		condition, args = condition+` AND user_hash = $4`, append(args, sign.userHash(userID))
	}
	for {
		page, err := s.auditPage(ctx, condition, args)
		if err != nil {
			return s.fail("read audit trail", err)
		}
		for _, row := range page {
			if err := fn(row.AuditRow); err != nil {
				return err
			}
			args[1] = row.number
		}
		if len(page) < auditPage {
			return nil
		}
	}
}

func (s *Store) auditPage(ctx context.Context, condition string, args []any) (page []auditRow, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	//nolint:gosec // the condition is of this file
	rows, err := s.read.QueryContext(ctx, `
		SELECT id, channel, at, what, link_id, user_hash, subject_hash, account_hash, by_whom, why
		FROM audit WHERE `+condition+` ORDER BY id LIMIT $3`, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var r auditRow
		var at int64
		if err := rows.Scan(&r.number, &r.Channel, &at, &r.What, &r.LinkID, &r.UserHash, &r.SubjectHash, &r.AccountHash, &r.By, &r.Why); err != nil {
			return nil, err
		}
		r.At = fromMicros(at)
		page = append(page, r)
	}
	return page, rows.Err()
}
