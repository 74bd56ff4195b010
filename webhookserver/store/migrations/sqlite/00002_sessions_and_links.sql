-- +goose Up

-- Login sessions. What the browser and the issuer hold is stored as SHA-256;
-- secrets (PKCE verifier, the platform's parameters, claims for the consent page)
-- is sealed when there is an encryption key, and emptied when the session is done.
CREATE TABLE sessions (
    channel        TEXT    NOT NULL,
    flow           TEXT    NOT NULL,
    step           TEXT    NOT NULL,
    state_hash     BLOB    NOT NULL,
    cookie_hash    BLOB    NOT NULL,
    nonce_hash     BLOB    NOT NULL,
    form_hash      BLOB    NOT NULL,
    platform_token TEXT    NOT NULL, -- a hash; '' without one
    user_id        TEXT    NOT NULL, -- '' if not known
    user_verified  INTEGER NOT NULL,
    locale         TEXT    NOT NULL,
    issuer         TEXT    NOT NULL, -- '' until identified, as subject and account
    subject        TEXT    NOT NULL,
    account        TEXT    NOT NULL,
    secrets        BLOB    NOT NULL,
    sealed_with    TEXT    NOT NULL,
    started_at     INTEGER NOT NULL,
    expires_at     INTEGER NOT NULL,
    PRIMARY KEY (channel, flow)
) STRICT;
CREATE UNIQUE INDEX sessions_state ON sessions (channel, state_hash);
CREATE INDEX sessions_open ON sessions (channel, expires_at) WHERE step <> 'done';
CREATE INDEX sessions_expiry ON sessions (expires_at);

-- Links, pending ones included. The codes of one person may be equal
-- (linking.code: Stable), so they are no key.
CREATE TABLE links (
    channel        TEXT    NOT NULL,
    id             TEXT    NOT NULL,
    user_id        TEXT    NOT NULL, -- '' on a pending link for nobody in particular
    issuer         TEXT    NOT NULL,
    subject        TEXT    NOT NULL,
    account        TEXT    NOT NULL,
    state          TEXT    NOT NULL,
    confirmed      INTEGER NOT NULL,
    code_hash      BLOB    NOT NULL,
    platform_token TEXT    NOT NULL,
    max_links      INTEGER NOT NULL, -- linking.maxLinksPerSubject as it was at consent
    expiry_told    INTEGER NOT NULL, -- an unconfirmed end was counted
    login_at       INTEGER NOT NULL,
    consent_at     INTEGER NOT NULL,
    expires_at     INTEGER NOT NULL,
    linked_at      INTEGER NOT NULL, -- 0 while pending
    PRIMARY KEY (channel, id)
) STRICT;
CREATE UNIQUE INDEX links_one_active ON links (channel, user_id) WHERE state = 'active';
CREATE INDEX links_code ON links (channel, code_hash);
CREATE INDEX links_person ON links (channel, issuer, subject);
CREATE INDEX links_pending ON links (channel, expires_at) WHERE state = 'pending';
CREATE INDEX links_unlinking ON links (channel, user_id) WHERE state = 'unlinking';

-- The newest unlinking of each chat user, by the events' own time: a confirmation
-- that is older comes too late. The row is also what transactions about one chat
-- user wait for each other at. It outlives the link, so it holds a keyed hash.
CREATE TABLE chat_users (
    channel     TEXT    NOT NULL,
    user_hash   BLOB    NOT NULL,
    unlinked_at INTEGER NOT NULL,
    PRIMARY KEY (channel, user_hash)
) STRICT;
CREATE INDEX chat_users_unlinked ON chat_users (unlinked_at);

-- Events whose effect is done.
CREATE TABLE used_events (
    channel    TEXT    NOT NULL,
    event_hash BLOB    NOT NULL,
    used_at    INTEGER NOT NULL,
    PRIMARY KEY (channel, event_hash)
) STRICT;
CREATE INDEX used_events_age ON used_events (used_at);

-- Tokens of the platform that a consent has spent, as hashes.
CREATE TABLE spent_tokens (
    channel    TEXT    NOT NULL,
    token_hash TEXT    NOT NULL,
    spent_at   INTEGER NOT NULL,
    PRIMARY KEY (channel, token_hash)
) STRICT;
CREATE INDEX spent_tokens_age ON spent_tokens (spent_at);

-- The newest confirmation by a platform, exact to a minute.
CREATE TABLE confirmations (
    channel      TEXT    NOT NULL PRIMARY KEY,
    confirmed_at INTEGER NOT NULL
) STRICT;

-- What happened to links. Hashes are keyed with the channel's user-hash key.
CREATE TABLE audit (
    id           INTEGER PRIMARY KEY,
    channel      TEXT    NOT NULL,
    at           INTEGER NOT NULL,
    what         TEXT    NOT NULL,
    link_id      TEXT    NOT NULL,
    user_hash    BLOB    NOT NULL,
    subject_hash BLOB    NOT NULL,
    account_hash BLOB    NOT NULL,
    by_whom      TEXT    NOT NULL,
    why          TEXT    NOT NULL
) STRICT;
CREATE INDEX audit_age ON audit (at);
CREATE INDEX audit_user ON audit (channel, user_hash);
