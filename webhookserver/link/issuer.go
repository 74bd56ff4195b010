package link

import (
	"context"
	"time"
)

// IssuerDocuments are an issuer's own documents as they were last fetched and
// found good, so that a restart during an outage of the issuer does not stop
// logins.
type IssuerDocuments struct {
	Channel   ChannelID
	Issuer    string // issuer URL
	Discovery []byte // JSON of /.well-known/openid-configuration
	JWKS      []byte // JSON of jwks_uri
	FetchedAt time.Time
}

// IssuerStore keeps the documents of each channel's issuers.
type IssuerStore interface {
	// PutIssuerDocuments stores documents, unless newer ones are there: replicas
	// refresh independently.
	PutIssuerDocuments(ctx context.Context, d IssuerDocuments) error
	// IssuerDocuments returns what is stored, or [ErrNotFound].
	IssuerDocuments(ctx context.Context, channel ChannelID, issuer string) (IssuerDocuments, error)
}
