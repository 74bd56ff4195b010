// Package plugin is `kubectl channellink`: what a person asks about a ChannelLink, answered from where he sits.
//
// It acts as its user and has no rights of its own. What the user may not read is said to be unchecked; it is never a
// failure of the channel. Nothing that it prints holds a secret or a whole user id.
package plugin
