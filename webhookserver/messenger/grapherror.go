package messenger

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/outbound"
)

// GraphError is a call that Graph refused. It holds numbers alone: Graph's own texts
// repeat what was sent.
type GraphError struct {
	Status, Code, Subcode int
	// RetryAfter is how long the page is to be left alone, if Graph said so; a day at most.
	RetryAfter time.Duration
}

// Error names the numbers, which Meta's documentation explains.
func (e *GraphError) Error() string {
	return fmt.Sprintf("graph refused: status %d, code %d/%d", e.Status, e.Code, e.Subcode)
}

// Codes of Graph and of the Messenger Platform (error codes).
const (
	codePermission = 10
	codeParameter  = 100
	codeSession    = 102
	codeToken      = 190
	codeAppAccess  = 200
	codePageAccess = 230
	codeNotThere   = 551
	codeLinking    = 10303

	// subcodeNobody: no user matches a parameter.
	subcodeNobody = 2018001
)

// rateCodes are limits of the app, the user, the page, and of calls of one kind.
var rateCodes = map[int]bool{4: true, 17: true, 32: true, 613: true}

// unreachable are the subcodes that are about the user and not about the message or our
// rights: he has not written for too long, takes no messages, or is no user of the page.
var unreachable = map[[2]int]bool{
	{codeParameter, 33}: true, {codeParameter, subcodeNobody}: true,
	{codePermission, 2018065}: true, {codePermission, 2018108}: true, {codePermission, 2018278}: true,
}

// Is reports what the numbers mean to whoever sends a message, as an error of package
// link.
func (e *GraphError) Is(target error) bool { return target == e.meaning() }

func (e *GraphError) meaning() error {
	switch {
	case e.Code == codeNotThere, unreachable[[2]int{e.Code, e.Subcode}]:
		return link.ErrUserUnreachable
	case rateCodes[e.Code], e.Status == http.StatusTooManyRequests:
		return link.ErrRateLimited
	case e.Code == codeToken, e.Code == codeSession, e.Code == codePermission, e.Code == codeAppAccess,
		e.Code == codePageAccess, e.Status == http.StatusUnauthorized:
		return link.ErrTokenRejected
	case e.Code == codeParameter:
		return link.ErrMessageRefused
	}
	return nil
}

// usageHeader tells how near a page is to its limits (Graph API, rate limiting).
const usageHeader = "X-Business-Use-Case-Usage"

// maxWait bounds, in minutes, how long a page can be left alone: no limit of Graph's counts for longer than a day.
const maxWait = 24 * 60

// graphError reads why Graph refused a call.
func graphError(resp *outbound.Response) *GraphError {
	var said struct {
		Error struct {
			Code    int `json:"code"`
			Subcode int `json:"error_subcode"`
		} `json:"error"`
	}
	_ = json.Unmarshal(resp.Body, &said) // a proxy's page: the status alone then
	e := &GraphError{Status: resp.Status, Code: said.Error.Code, Subcode: said.Error.Subcode}
	var usage map[string][]struct {
		Minutes int `json:"estimated_time_to_regain_access"`
	}
	_ = json.Unmarshal([]byte(resp.Header.Get(usageHeader)), &usage) // most answers have none
	for _, pages := range usage {
		for _, page := range pages {
			e.RetryAfter = max(e.RetryAfter, time.Duration(min(max(page.Minutes, 0), maxWait))*time.Minute)
		}
	}
	return e
}
