-- +goose Up

-- What was seen of a channel and is true from then on (link.Fact).
CREATE TABLE channel_facts (
    channel TEXT    NOT NULL,
    fact    TEXT    NOT NULL,
    seen_at INTEGER NOT NULL,
    PRIMARY KEY (channel, fact)
) STRICT;
