package status

import (
	"slices"

	"channellink.dev/operator/api/v1alpha1"
)

// maxUsers is the most that the schema takes.
const maxUsers = 100

// addUsers fills in users and summary, and gives the counts of all users. What is known of a channel that has not been asked
// since the operator started is what the resource tells.
func addUsers(out *v1alpha1.AccountUnlinkStatus, before v1alpha1.AccountUnlinkStatus, seen Unlinking) UnlinkCounts {
	var counts UnlinkCounts
	var users []v1alpha1.UnlinkedUser
	asked := false
	for _, c := range seen.Channels {
		if c.Answer != nil {
			asked = true
			counts = counts.plus(c.Answer.Counts)
			users = append(users, c.Answer.Users...)
			continue
		}
		for _, user := range before.Users {
			if string(user.ChannelLink) == c.Name {
				counts = counts.plus(countsOf(user))
				users = append(users, user)
			}
		}
	}
	if !asked {
		out.Users, out.MoreUsers, out.Summary = before.Users, before.MoreUsers, before.Summary
		return counts
	}
	slices.SortStableFunc(users, func(a, b v1alpha1.UnlinkedUser) int { return rank(a.Result) - rank(b.Result) })
	out.Users = users[:min(len(users), maxUsers)]
	all := counts.linked() + counts.NotLinked
	out.MoreUsers = max(all-int32(len(out.Users)), 0) //nolint:gosec // at most maxUsers
	out.Summary = Summary(counts)
	return counts
}

// rank has those first that somebody has to look at.
func rank(result v1alpha1.UnlinkResult) int {
	switch result {
	case v1alpha1.UnlinkResultFailed:
		return 0
	case "":
		return 1
	default:
		return 2
	}
}

func countsOf(user v1alpha1.UnlinkedUser) UnlinkCounts {
	switch user.Result {
	case v1alpha1.UnlinkResultUnlinked:
		return UnlinkCounts{Unlinked: 1}
	case v1alpha1.UnlinkResultNotLinked:
		return UnlinkCounts{NotLinked: 1}
	case v1alpha1.UnlinkResultSuperseded:
		return UnlinkCounts{Superseded: 1}
	case v1alpha1.UnlinkResultFailed:
		return UnlinkCounts{Failed: 1}
	default:
		return UnlinkCounts{Waiting: 1}
	}
}
