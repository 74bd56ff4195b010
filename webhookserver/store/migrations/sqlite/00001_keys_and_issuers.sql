-- +goose Up

-- The oldest schema version whose servers still work with this database. A
-- migration that takes something away (contract) raises it.
CREATE TABLE schema_compat (
    min_reader INTEGER NOT NULL
) STRICT;
INSERT INTO schema_compat (min_reader) VALUES (1);

-- Keys that the server makes for itself. The primary key makes replicas that
-- start together agree on the first key of a generation.
CREATE TABLE server_keys (
    channel     TEXT    NOT NULL,
    purpose     TEXT    NOT NULL,
    generation  INTEGER NOT NULL,
    id          TEXT    NOT NULL,
    material    BLOB    NOT NULL,
    sealed_with TEXT    NOT NULL, -- id of the encryption key, '' if not sealed
    created_at  INTEGER NOT NULL, -- microseconds since 1970 UTC, as all times
    PRIMARY KEY (channel, purpose, generation)
) STRICT;

-- The last good documents of each channel's issuers. Nothing in them is secret.
CREATE TABLE issuer_documents (
    channel    TEXT    NOT NULL,
    issuer     TEXT    NOT NULL,
    discovery  BLOB    NOT NULL,
    jwks       BLOB    NOT NULL,
    fetched_at INTEGER NOT NULL,
    PRIMARY KEY (channel, issuer)
) STRICT;
