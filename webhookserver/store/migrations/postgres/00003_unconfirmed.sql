-- +goose Up

-- Links whose confirmation is still to come: pending ones, and those that the login
-- alone made active (linking.confirmation: AfterRedirect).
CREATE INDEX links_unconfirmed ON links (channel, state, expires_at) WHERE NOT confirmed;
DROP INDEX links_pending;
