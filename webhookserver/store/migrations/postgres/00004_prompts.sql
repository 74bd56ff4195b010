-- +goose Up

-- Tokens of the platform that it issued because a prompt asked for one, as hashes,
-- and for whom: a login that begins with one is known to be that user's.
CREATE TABLE issued_tokens (
    channel    TEXT    NOT NULL,
    token_hash BYTEA   NOT NULL,
    user_id    TEXT    NOT NULL,
    expires_at BIGINT  NOT NULL,
    PRIMARY KEY (channel, token_hash)
);
CREATE INDEX issued_tokens_expiry ON issued_tokens (expires_at);

-- The code of a link is a pseudonym (linking.code: Stable) that others may know, and
-- no credential, whatever the setting is later.
ALTER TABLE links ADD COLUMN stable_code BOOLEAN NOT NULL DEFAULT FALSE;
