package botbonnie

import (
	"context"
	"encoding/json"
	"net/url"
	"strconv"
	"time"

	"channellink.dev/operator/webhookserver/event"
	"channellink.dev/operator/webhookserver/outbound"
)

// Bounds of one look-up. A record with its tags and parameters has some 2 KiB, so a
// page stays well below what the client reads.
const (
	pageSize = 200
	maxPages = 25
)

// Customer is BotBonnie's record of one chat user (BotBonnie, user data).
type Customer struct {
	// UserID is the platform's: LINE user id or PSID.
	UserID   string
	PageID   string
	Platform Platform
	Name     string
	// Picture is its address.
	Picture string
	// ExtID is the code that the last account linking carried; empty without one.
	ExtID string
}

// Customers calls fn with the users whose last interaction is later than since, until
// fn returns false. It reads at most 5000 and then ends with [outbound.TooLarge]: the
// caller asks for a shorter while then, or knows that it has not seen everybody.
func (a *API) Customers(ctx context.Context, since time.Time, fn func(Customer) bool) error {
	query := url.Values{
		"botId": {a.BotID},
		"limit": {strconv.Itoa(pageSize)},
		"from":  {strconv.FormatInt(since.UnixMilli(), 10)},
	}
	for range maxPages {
		var page struct {
			Records []json.RawMessage `json:"records"`
			Next    json.RawMessage   `json:"next"`
		}
		if err := a.get(ctx, "bot/customers", query, &page); err != nil {
			return err
		}
		for _, record := range page.Records {
			if c, ok := readCustomer(record); ok && !fn(c) {
				return nil
			}
		}
		next := cursor(page.Next)
		if next == "" || next == query.Get("next") || len(page.Records) == 0 {
			return nil
		}
		query.Set("next", next)
	}
	return &outbound.Error{Reason: outbound.TooLarge}
}

// readCustomer reads a record. One that cannot be read is passed over: it must not
// hide the others.
func readCustomer(raw json.RawMessage) (Customer, bool) {
	var r struct {
		ID       event.ID        `json:"id"`
		PageID   event.ID        `json:"pageId"`
		Platform Platform        `json:"platform"`
		Name     json.RawMessage `json:"name"`
		Picture  json.RawMessage `json:"pic"`
		ExtID    json.RawMessage `json:"extId"`
	}
	if json.Unmarshal(raw, &r) != nil || r.ID == "" {
		return Customer{}, false
	}
	return Customer{
		UserID: string(r.ID), PageID: string(r.PageID), Platform: r.Platform,
		Name: text(r.Name), Picture: text(r.Picture), ExtID: text(r.ExtID),
	}, true
}

// cursor is where the next page begins, which is documented as neither string nor
// number; empty when there is none.
func cursor(raw json.RawMessage) string {
	var n json.Number
	if json.Unmarshal(raw, &n) == nil {
		return n.String()
	}
	return text(raw)
}

// text is the string of a member that may be of any type, or empty.
func text(raw json.RawMessage) string {
	var s string
	_ = json.Unmarshal(raw, &s) // null or a number: as if it were not there
	return s
}
