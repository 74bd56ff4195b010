package link

import "context"

// Store is what the server remembers. Implementations are safe for concurrent use
// by several goroutines and, where the database allows it, several processes. A
// write that returned nil survives a crash. Every method returns within about two
// seconds: [ErrUnavailable] if the database does not answer by then.
type Store interface {
	KeyStore
	IssuerStore
	SessionStore
	LinkStore
	Ledger
	AuditStore
	IssuedStore
	WaitingStore
	FactStore
	// Ping reports whether the store can serve: nil or [ErrUnavailable].
	Ping(ctx context.Context) error
	Close() error
}
