package authorize

import (
	"context"
	"net/url"

	"channellink.dev/operator/webhookserver/link"
)

// Platform is what a login needs of the chat platform. Its calls are stateless: what they must know again later is in the
// entry. The types that it speaks in are those of package link, because the platforms do not import this one.
type Platform interface {
	// Enter checks the query of GET /authorize. That no name comes twice, that the values are text without control
	// characters and of bearable length has been checked before. Its error is a [link.ParamError], or the store's.
	Enter(ctx context.Context, query url.Values) (link.Entry, error)
	// Return is where the browser goes with the code of a link whose consent was given. It is the whole URL, ready for a
	// Location header. An error means that the entry is not one that Enter made.
	Return(e link.Entry, code string) (location string, err error)
	// Cancel is where the browser goes when the user says no. ok is false on a platform that has no way of saying it; the
	// login ends with a page of ours then.
	Cancel(e link.Entry) (location string, ok bool)
	// ChatUser asks the platform who the entry is for, within ctx. Name and picture are best effort: without them it
	// returns what there is and no error. An error means that the platform could have vouched for the user and did not:
	// [link.ErrExpired] if it says that the token is no good any more, any other if it cannot be asked now.
	ChatUser(ctx context.Context, e link.Entry) (link.ChatUser, error)
}
