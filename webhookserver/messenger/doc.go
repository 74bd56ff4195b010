// Package messenger speaks with Facebook Messenger: the parameters of its Log In
// button and the way back, the events of its webhook, and the Graph API.
package messenger
