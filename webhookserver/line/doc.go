// Package line speaks with the LINE Messaging API: the parameters of a login and the
// way back, the events of its webhook, and profiles.
package line
