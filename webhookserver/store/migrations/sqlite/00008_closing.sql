-- +goose Up

-- A person's links are being closed, and some are left. Servers of before do not look
-- here: by "closed" they would take everybody's for what is left.
ALTER TABLE revocations ADD COLUMN closing INTEGER NOT NULL DEFAULT 0;
