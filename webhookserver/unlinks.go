package webhookserver

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"channellink.dev/operator/webhookserver/adminapi"
	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/unlink"
)

// maxUnlinkActions is BotBonnie's actions in one AccountUnlink.
const maxUnlinkActions = 32

// newUnlinker returns what carries out a channel's revocations. BotBonnie is told of every user who may be linked there,
// Messenger of those who were, when there is a token to tell it with; LINE keeps no links.
func (s *Server) newUnlinker(c *channel) *unlink.Unlinker {
	config := unlink.Config{
		Channel: c.id,
		Issuer:  c.OIDC.IssuerURL,
		Ledger:  func() (link.Ledger, error) { return s.store.Store() },
		Now:     s.now,
		Log:     s.log,
		Observe: func(what string) { s.metrics.unlinked(c.Name, what) },
	}
	switch m := c.Messenger; {
	case c.BotBonnie != nil:
		config.Tell, config.Actions = link.TellPossible, true
		config.Platform = botBonnieUnlinks{s, c}
	case m != nil && m.PageAccessToken != nil:
		config.Tell, config.Platform = link.TellLinked, graphUnlinks{s, c}
	}
	return unlink.New(config)
}

// putUnlink makes one attempt at an unlinking. Its answer says where the unlinking stands, also when nothing could be done.
func (s *Server) putUnlink(w http.ResponseWriter, r *http.Request, call adminCall) {
	id := r.PathValue("id")
	asked, err := readUnlink(call.body)
	if err != nil || !adminapi.IsUnlinkID(id) {
		writeJSONProblem(w, r, http.StatusBadRequest)
		return
	}
	result := call.channel.unlinker.Attempt(r.Context(), link.Revocation{
		ID: id, UserID: asked.UserID, Subject: asked.Subject, Account: asked.Account, All: asked.All, Issuer: asked.Issuer,
		Actions: revocationActions(asked.Actions), Requester: asked.Requester, Reason: asked.Reason,
		Fence: asked.LinkedBefore, CallUnknown: asked.CallUnknown, Epoch: asked.Epoch,
	})
	answer := unlinkResult(result)
	s.log.InfoContext(r.Context(), "unlinking attempted", "channel", call.channel.Name, "id", id, "cause", answer.Cause,
		"attempts", answer.Attempts, "waiting", answer.Counts.Waiting, "unlinked", answer.Counts.Unlinked,
		"notLinked", answer.Counts.NotLinked, "superseded", answer.Counts.Superseded, "failed", answer.Counts.Failed)
	writeJSON(w, http.StatusOK, answer)
}

// readUnlink reads what is asked. A field that this release does not know may change what is meant: it is refused.
func readUnlink(body []byte) (adminapi.Unlink, error) {
	var u adminapi.Unlink
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&u); err != nil {
		return u, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return u, errors.New("more than one document")
	}
	targets := 0
	for _, given := range []bool{u.UserID != "", u.Subject != "", u.Account != "", u.All} {
		if given {
			targets++
		}
	}
	if targets != 1 || len(u.Actions) > maxUnlinkActions {
		return u, errors.New("not exactly one of userID, subject, account and all, or too many actions")
	}
	return u, nil
}

func revocationActions(asked []adminapi.UnlinkAction) []link.RevocationAction {
	var actions []link.RevocationAction
	for _, a := range asked {
		actions = append(actions, link.RevocationAction(a))
	}
	return actions
}

// unlinkResult is a result in the words of the admin API, which are the same.
func unlinkResult(r unlink.Result) adminapi.UnlinkResult {
	seconds := (r.RetryAfter + time.Second - 1) / time.Second // rounded up: a moment too early is too early
	result := adminapi.UnlinkResult{
		StartedAt:         r.StartedAt,
		Epoch:             r.Epoch,
		Attempts:          int32(r.Attempts), //nolint:gosec // one a run, and a run takes a request
		Cause:             adminapi.UnlinkCause(r.Cause),
		More:              r.More(),
		RetryAfterSeconds: int32(seconds), //nolint:gosec // a day at most
		Counts: adminapi.UnlinkCounts{
			Waiting:    count(r, link.RevokedWaiting),
			Unlinked:   count(r, link.RevokedDone),
			NotLinked:  count(r, link.RevokedNotLinked),
			Superseded: count(r, link.RevokedSuperseded),
			Failed:     count(r, link.RevokedFailed),
		},
	}
	for _, u := range r.Users {
		result.Users = append(result.Users, adminapi.UnlinkUser{
			User: u.Masked, State: adminapi.UnlinkState(u.State), Cause: adminapi.UnlinkCause(u.Cause),
			Attempts: int32(u.Attempts), HTTPStatus: u.HTTPStatus, //nolint:gosec // as above
		})
	}
	return result
}

func count(r unlink.Result, state link.RevokedState) int32 {
	return int32(r.Counts[state]) //nolint:gosec // as many as a channel has links
}
