-- +goose Up

-- Revocations that somebody has to bring to an end: few, however many have ended.
CREATE INDEX revocations_waiting ON revocations (channel, worked_at) WHERE ended_at = 0;
