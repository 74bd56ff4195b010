package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/secretfile"
)

// PutKey implements [link.KeyStore]. The primary key decides which of two
// replicas was first.
func (s *Store) PutKey(ctx context.Context, key link.Key) (link.Key, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	value, keyID, err := s.sealer.seal([]byte(key.Material.Reveal()), keyContext(key))
	if err != nil {
		return link.Key{}, fmt.Errorf("store: put key: %w", err)
	}
	_, err = s.write.ExecContext(ctx, `
		INSERT INTO server_keys (channel, purpose, generation, id, material, sealed_with, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (channel, purpose, generation) DO NOTHING`,
		key.Channel, key.Purpose, key.Generation, key.ID, value, keyID, micros(key.CreatedAt))
	if err != nil {
		return link.Key{}, s.fail("put key", err)
	}
	keys, err := s.Keys(ctx, key.Channel, key.Purpose)
	if err != nil {
		return link.Key{}, err
	}
	for _, stored := range keys {
		if stored.Generation == key.Generation {
			return stored, nil
		}
	}
	return link.Key{}, fmt.Errorf("store: put key: %w", link.ErrNotFound) // removed at once by somebody else
}

// Keys implements [link.KeyStore]. Keys that are sealed with an older encryption
// key, or not yet, are sealed with the newest as they are read: after a restart
// the older one can go.
func (s *Store) Keys(ctx context.Context, channel link.ChannelID, purpose link.KeyPurpose) ([]link.Key, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	rows, err := s.read.QueryContext(ctx, `
		SELECT generation, id, material, sealed_with, created_at
		FROM server_keys WHERE channel = $1 AND purpose = $2
		ORDER BY generation DESC`, channel, purpose)
	if err != nil {
		return nil, s.fail("read keys", err)
	}
	keys, stale, err := s.scanKeys(rows, channel, purpose)
	if err != nil {
		return nil, err
	}
	for _, old := range stale {
		if err := s.reseal(ctx, old); err != nil {
			s.log.WarnContext(ctx, "key not sealed anew, next try at the next read", "key", old.ID, "error", err)
		}
	}
	return keys, nil
}

// DropKeys implements [link.KeyStore].
func (s *Store) DropKeys(ctx context.Context, channel link.ChannelID, purpose link.KeyPurpose, below int) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := s.write.ExecContext(ctx, `
		DELETE FROM server_keys WHERE channel = $1 AND purpose = $2 AND generation < $3`, channel, purpose, below)
	return s.fail("drop keys", err)
}

type staleKey struct {
	link.Key
	sealedWith string
}

func (s *Store) scanKeys(rows *sql.Rows, channel link.ChannelID, purpose link.KeyPurpose) (keys []link.Key, stale []staleKey, err error) {
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		key := link.Key{Channel: channel, Purpose: purpose}
		var value []byte
		var sealedWith string
		var created int64
		if err := rows.Scan(&key.Generation, &key.ID, &value, &sealedWith, &created); err != nil {
			return nil, nil, s.fail("read keys", err)
		}
		plain, isStale, err := s.sealer.open(value, sealedWith, keyContext(key))
		if err != nil {
			return nil, nil, fmt.Errorf("store: read keys: %w", err)
		}
		key.Material, key.CreatedAt = secretfile.NewSecret(string(plain)), fromMicros(created)
		keys = append(keys, key)
		if isStale {
			stale = append(stale, staleKey{key, sealedWith})
		}
	}
	return keys, stale, s.fail("read keys", rows.Err())
}

// reseal replaces a value unless another replica has done so.
func (s *Store) reseal(ctx context.Context, old staleKey) error {
	value, keyID, err := s.sealer.seal([]byte(old.Material.Reveal()), keyContext(old.Key))
	if err != nil {
		return fmt.Errorf("store: seal key anew: %w", err)
	}
	_, err = s.write.ExecContext(ctx, `
		UPDATE server_keys SET material = $1, sealed_with = $2
		WHERE channel = $3 AND purpose = $4 AND generation = $5 AND sealed_with = $6`,
		value, keyID, old.Channel, old.Purpose, old.Generation, old.sealedWith)
	return s.fail("seal key anew", err)
}

// keyContext is what a sealed key is bound to.
func keyContext(key link.Key) []byte {
	context, _ := json.Marshal([]any{"server_keys", key.Channel, key.Purpose, key.Generation, key.ID}) // strings and a number: cannot fail
	return context
}
