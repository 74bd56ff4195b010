package botapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/messenger"
	"channellink.dev/operator/webhookserver/outbound"
)

// Cause says why a call was not carried out, for programs. The set is closed.
type Cause string

// The causes.
const (
	InvalidRequest      Cause = "InvalidRequest"
	InvalidUserID       Cause = "InvalidUserID"
	NoSuchRoute         Cause = "NoSuchRoute"
	NotConfigured       Cause = "NotConfigured"       // the ChannelLink lacks a field that the call needs
	NotSupported        Cause = "NotSupported"        // the platform has no such thing
	UserUnreachable     Cause = "UserUnreachable"     // blocked the bot, is no friend of it, wrote too long ago
	MessageRefused      Cause = "MessageRefused"      // the platform finds fault with title or picture
	QuotaReached        Cause = "QuotaReached"        // the plan's messages of this month are used up
	TokenRejected       Cause = "TokenRejected"       // the platform does not accept the channel's token
	RateLimited         Cause = "RateLimited"         // too many calls of the platform
	PlatformUnavailable Cause = "PlatformUnavailable" // nothing was sent
	DeliveryUnknown     Cause = "DeliveryUnknown"     // no answer came: the message may have arrived
	StoreUnavailable    Cause = "StoreUnavailable"
	Internal            Cause = "Internal"
)

// Problem is why a call is not carried out, as the caller is told. Detail is a fixed sentence: nothing of an upstream's stands
// in it.
type Problem struct {
	Code       int
	Cause      Cause
	Detail     string
	RetryAfter time.Duration
}

// Error names code and cause.
func (p *Problem) Error() string { return fmt.Sprintf("%d %s", p.Code, p.Cause) }

// NeedsField is the problem of a channel that lacks a field of its ChannelLink.
func NeedsField(field string) *Problem {
	return &Problem{Code: http.StatusConflict, Cause: NotConfigured, Detail: "The ChannelLink needs " + field + " for this."}
}

// Unsupported is the problem of a thing that the channel's platform does not have.
func Unsupported(detail string) *Problem {
	return &Problem{Code: http.StatusConflict, Cause: NotSupported, Detail: detail}
}

func invalid(detail string) *Problem {
	return &Problem{Code: http.StatusBadRequest, Cause: InvalidRequest, Detail: detail}
}

// What errors mean to the caller, the first that fits.
var meanings = []struct {
	err error
	Problem
}{
	{link.ErrUnavailable, Problem{http.StatusServiceUnavailable, StoreUnavailable, "The links cannot be read now.", storeAgain}},
	{link.ErrSealed, Problem{http.StatusServiceUnavailable, StoreUnavailable, "The links cannot be read now.", storeAgain}},
	{link.ErrUserUnreachable, Problem{http.StatusUnprocessableEntity, UserUnreachable, "The user has blocked the bot, is no friend of it, or wrote too long ago.", 0}},
	{link.ErrMessageRefused, Problem{http.StatusUnprocessableEntity, MessageRefused, "The platform refuses the message: look at title and imageURL.", 0}},
	{link.ErrQuotaReached, Problem{http.StatusUnprocessableEntity, QuotaReached, "The messages of this month are used up at the platform.", 0}},
	{link.ErrTokenRejected, Problem{http.StatusBadGateway, TokenRejected, "The platform rejects the channel's access token or its permissions.", 0}},
	{link.ErrRateLimited, Problem{http.StatusTooManyRequests, RateLimited, "The platform takes no more calls for now.", 10 * time.Second}},
	{outbound.RateLimited, Problem{http.StatusTooManyRequests, RateLimited, "The server makes no more calls of the platform for now.", 2 * time.Second}},
}

// problemOf finds out what an error means to the caller. What a platform leaves open is told by [deliveryError].
func problemOf(err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	for _, m := range meanings {
		if !errors.Is(err, m.err) {
			continue
		}
		p := m.Problem
		if said, ok := errors.AsType[*messenger.GraphError](err); ok && p.Cause == RateLimited && said.RetryAfter > 0 {
			p.RetryAfter = said.RetryAfter
		}
		return &p
	}
	_, graph := errors.AsType[*messenger.GraphError](err) // a temporary code, or one that nobody knows
	if graph || outbound.ReasonOf(err) != "" {
		return &Problem{http.StatusServiceUnavailable, PlatformUnavailable, "The platform cannot be called now. Nothing was sent.", 30 * time.Second}
	}
	return &Problem{Code: http.StatusInternalServerError, Cause: Internal}
}

// deliveryError is the error of a message that was under way when it occurred: when no answer came, nobody can say whether the
// user has got it.
func deliveryError(err error) error {
	e, ok := errors.AsType[*outbound.Error](err)
	if !ok {
		return err
	}
	switch e.Reason {
	case outbound.TimedOut, outbound.ConnectionLost, outbound.BadStatus, outbound.BadContent, outbound.TooLarge:
		return errors.Join(&Problem{
			Code: http.StatusGatewayTimeout, Cause: DeliveryUnknown,
			Detail: "The platform did not answer in time. The message may have arrived all the same.",
		}, err)
	default:
		return err
	}
}

// problemBody is a problem as the caller gets it: the code in words, as everywhere on this server, and what a program can act
// upon.
type problemBody struct {
	Error  string `json:"error"`
	Cause  Cause  `json:"cause,omitempty"`
	Detail string `json:"detail,omitempty"`
}

func writeProblem(w http.ResponseWriter, p *Problem) {
	if p.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(p.RetryAfter.Seconds()))))
	}
	write(w, reply{p.Code, problemBody{http.StatusText(p.Code), p.Cause, p.Detail}})
}

// write answers in JSON.
func write(w http.ResponseWriter, answer any) {
	r, ok := answer.(reply)
	if !ok {
		r = reply{http.StatusOK, answer}
	}
	if r.body == nil {
		w.WriteHeader(r.code)
		return
	}
	body, err := json.Marshal(r.body)
	if err != nil {
		panic(err) // a type that JSON has no word for: a fault of ours, recovered and logged by the server
	}
	body = append(body, '\n')
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(r.code)
	_, _ = w.Write(body) // the caller is gone: nobody is left to be told
}
