-- +goose Up

-- Login sessions. What the browser and the issuer hold is stored as SHA-256;
-- secrets (PKCE verifier, the platform's parameters, claims for the consent page)
-- is sealed when there is an encryption key, and emptied when the session is done.
CREATE TABLE sessions (
    channel        TEXT    NOT NULL,
    flow           TEXT    NOT NULL,
    step           TEXT    NOT NULL,
    state_hash     BYTEA   NOT NULL,
    cookie_hash    BYTEA   NOT NULL,
    nonce_hash     BYTEA   NOT NULL,
    form_hash      BYTEA   NOT NULL,
    platform_token TEXT    NOT NULL, -- a hash; '' without one
    user_id        TEXT    NOT NULL, -- '' if not known
    user_verified  BOOLEAN NOT NULL,
    locale         TEXT    NOT NULL,
    issuer         TEXT    NOT NULL, -- '' until identified, as subject and account
    subject        TEXT    NOT NULL,
    account        TEXT    NOT NULL,
    secrets        BYTEA   NOT NULL,
    sealed_with    TEXT    NOT NULL,
    started_at     BIGINT  NOT NULL,
    expires_at     BIGINT  NOT NULL,
    PRIMARY KEY (channel, flow)
);
CREATE UNIQUE INDEX sessions_state ON sessions (channel, state_hash);
CREATE INDEX sessions_open ON sessions (channel, expires_at) WHERE step <> 'done';
CREATE INDEX sessions_expiry ON sessions (expires_at);

-- Links, pending ones included. The codes of one person may be equal
-- (linking.code: Stable), so they are no key.
CREATE TABLE links (
    channel        TEXT    NOT NULL,
    id             TEXT    NOT NULL,
    user_id        TEXT COLLATE "C" NOT NULL, -- '' on a pending link for nobody in particular
    issuer         TEXT    NOT NULL,
    subject        TEXT    NOT NULL,
    account        TEXT    NOT NULL,
    state          TEXT    NOT NULL,
    confirmed      BOOLEAN NOT NULL,
    code_hash      BYTEA   NOT NULL,
    platform_token TEXT    NOT NULL,
    max_links      BIGINT  NOT NULL, -- linking.maxLinksPerSubject as it was at consent
    expiry_told    BOOLEAN NOT NULL, -- an unconfirmed end was counted
    login_at       BIGINT  NOT NULL,
    consent_at     BIGINT  NOT NULL,
    expires_at     BIGINT  NOT NULL,
    linked_at      BIGINT  NOT NULL, -- 0 while pending
    PRIMARY KEY (channel, id)
);
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
    user_hash   BYTEA   NOT NULL,
    unlinked_at BIGINT  NOT NULL,
    PRIMARY KEY (channel, user_hash)
);
CREATE INDEX chat_users_unlinked ON chat_users (unlinked_at);

-- Events whose effect is done.
CREATE TABLE used_events (
    channel    TEXT   NOT NULL,
    event_hash BYTEA  NOT NULL,
    used_at    BIGINT NOT NULL,
    PRIMARY KEY (channel, event_hash)
);
CREATE INDEX used_events_age ON used_events (used_at);

-- Tokens of the platform that a consent has spent, as hashes.
CREATE TABLE spent_tokens (
    channel    TEXT   NOT NULL,
    token_hash TEXT   NOT NULL,
    spent_at   BIGINT NOT NULL,
    PRIMARY KEY (channel, token_hash)
);
CREATE INDEX spent_tokens_age ON spent_tokens (spent_at);

-- The newest confirmation by a platform, exact to a minute.
CREATE TABLE confirmations (
    channel      TEXT   NOT NULL PRIMARY KEY,
    confirmed_at BIGINT NOT NULL
);

-- What happened to links. Hashes are keyed with the channel's user-hash key.
CREATE TABLE audit (
    id           BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    channel      TEXT   NOT NULL,
    at           BIGINT NOT NULL,
    what         TEXT   NOT NULL,
    link_id      TEXT   NOT NULL,
    user_hash    BYTEA  NOT NULL,
    subject_hash BYTEA  NOT NULL,
    account_hash BYTEA  NOT NULL,
    by_whom      TEXT   NOT NULL,
    why          TEXT   NOT NULL
);
CREATE INDEX audit_age ON audit (at);
CREATE INDEX audit_user ON audit (channel, user_hash);
