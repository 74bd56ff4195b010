-- +goose Up

-- The oldest schema version whose servers still work with this database. A
-- migration that takes something away (contract) raises it.
CREATE TABLE schema_compat (
    min_reader BIGINT NOT NULL
);
INSERT INTO schema_compat (min_reader) VALUES (1);

-- Keys that the server makes for itself. The primary key makes replicas that
-- start together agree on the first key of a generation.
CREATE TABLE server_keys (
    channel     TEXT    NOT NULL,
    purpose     TEXT    NOT NULL,
    generation  BIGINT  NOT NULL,
    id          TEXT    NOT NULL,
    material    BYTEA   NOT NULL,
    sealed_with TEXT    NOT NULL, -- id of the encryption key, '' if not sealed
    created_at  BIGINT  NOT NULL, -- microseconds since 1970 UTC, as all times
    PRIMARY KEY (channel, purpose, generation)
);

-- The last good documents of each channel's issuers. Nothing in them is secret.
CREATE TABLE issuer_documents (
    channel    TEXT    NOT NULL,
    issuer     TEXT    NOT NULL,
    discovery  BYTEA   NOT NULL,
    jwks       BYTEA   NOT NULL,
    fetched_at BIGINT  NOT NULL,
    PRIMARY KEY (channel, issuer)
);
