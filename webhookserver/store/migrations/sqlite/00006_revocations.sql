-- +goose Up

-- The ledger of revocations. What names a person is a keyed hash; actions, which may,
-- are sealed when there is an encryption key, and go when nobody waits or has failed.
CREATE TABLE revocations (
    channel      TEXT NOT NULL,
    id           TEXT NOT NULL, -- given by whoever asks: the key of idempotency
    target       TEXT NOT NULL, -- user, subject, account or all
    target_hash  BLOB NOT NULL,
    fence        INTEGER NOT NULL,
    actions      BLOB NOT NULL,
    sealed_with  TEXT NOT NULL,
    requester    TEXT NOT NULL,
    reason       TEXT NOT NULL,
    epoch        TEXT NOT NULL,
    closed       INTEGER NOT NULL, -- all links are closed
    closed_up_to TEXT NOT NULL, -- user_id, while links of all users are being closed
    run          INTEGER NOT NULL, -- number of the lease
    leased_until INTEGER NOT NULL, -- 0 when nobody works on it
    attempts     INTEGER NOT NULL,
    counted_run  INTEGER NOT NULL, -- the last run that counts as an attempt
    started_at   INTEGER NOT NULL,
    worked_at    INTEGER NOT NULL,
    ended_at     INTEGER NOT NULL, -- 0 while somebody waits
    PRIMARY KEY (channel, id)
) STRICT;
CREATE INDEX revocations_fence ON revocations (channel, target_hash, fence);
CREATE INDEX revocations_age ON revocations (worked_at);

-- How far a revocation has come for each chat user. user_id goes when it has come to
-- its end.
CREATE TABLE revoked_users (
    channel     TEXT NOT NULL,
    id          TEXT NOT NULL,
    user_hash   BLOB NOT NULL,
    user_id     TEXT NOT NULL,
    masked      TEXT NOT NULL,
    state       TEXT NOT NULL,
    cause       TEXT NOT NULL,
    http_status INTEGER NOT NULL,
    attempts    INTEGER NOT NULL,
    called_run  INTEGER NOT NULL, -- the last run that called; 0 before any
    PRIMARY KEY (channel, id, user_hash)
) STRICT;
CREATE INDEX revoked_users_due ON revoked_users (channel, id, called_run, user_hash) WHERE state = 'Waiting';

-- When a link was closed, and when we last called for a chat user: what comes back
-- within a minute is our own echo.
ALTER TABLE links ADD COLUMN closed_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE chat_users ADD COLUMN called_at INTEGER NOT NULL DEFAULT 0;

-- Revocations look for links by user and by account.
CREATE INDEX links_user ON links (channel, user_id);
CREATE INDEX links_account ON links (channel, issuer, account);
