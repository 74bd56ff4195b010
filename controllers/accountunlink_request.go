package controllers

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/webhookserver/adminapi"
)

// requestOf is what the server of a ChannelLink is asked for. Actions, and calls for users that it does not know, are for
// BotBonnie alone.
func requestOf(unlink *v1alpha1.AccountUnlink, link *v1alpha1.ChannelLink) adminapi.Unlink {
	spec := &unlink.Spec
	request := adminapi.Unlink{
		UserID:       spec.User.UserID,
		Subject:      spec.User.Subject,
		Account:      spec.User.Account,
		Issuer:       string(spec.User.Issuer),
		Requester:    "AccountUnlink " + unlink.Namespace + "/" + unlink.Name,
		Reason:       spec.Reason,
		LinkedBefore: fence(unlink),
		Epoch:        epoch(unlink),
	}
	if link.Spec.BotBonnie == nil {
		return request
	}
	request.CallUnknown = spec.IfUnknown == v1alpha1.IfUnknownCall
	for _, action := range spec.Actions {
		request.Actions = append(request.Actions, adminapi.UnlinkAction{
			Type: string(action.Type), Name: action.Name, Value: action.Value, Message: action.Message,
		})
	}
	return request
}

// fence is the time before which links must have been made to be revoked: links made after the request was written down
// are never meant by it, whatever it says.
func fence(unlink *v1alpha1.AccountUnlink) time.Time {
	created := throughSecond(unlink.CreationTimestamp)
	if before := unlink.Spec.LinkedBefore; before != nil && before.Time.Before(created) {
		return before.Time
	}
	return created
}

// throughSecond is the end of the second that the API server tells of a moment: what was linked in it, just before the
// request, must not survive. A fence that lies ahead by then is the server's now.
func throughSecond(moment metav1.Time) time.Time {
	return moment.Add(time.Second - time.Microsecond)
}
