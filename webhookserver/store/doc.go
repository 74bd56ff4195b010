// Package store implements [link.Store] on SQLite, the embedded default for one
// replica, and on PostgreSQL, for any number of them.
//
// Both run the same statements through database/sql; what differs is in sqlite.go
// and postgres.go: how to open, what an error means, and the types of columns.
//
// # Schema changes
//
// Migrations are numbered, only go forward, and run when a store is opened: one
// process migrates, under an advisory lock (PostgreSQL) or the lock of the file
// (SQLite), and the others wait. During a rollout servers of two versions share
// one database, so a change comes in two steps: a release that adds (expand), and
// a later one that takes away (contract) and sets schema_compat.min_reader to the
// oldest schema version whose servers can live with it. A server whose newest
// migration is older than min_reader refuses to start ([SchemaTooNew]); one that
// is merely older works on.
//
// # Errors
//
// No error holds a text of the database's, which may quote rows or a password: an
// [Error] is what was tried, a [Reason] of a closed set and a code.
package store
