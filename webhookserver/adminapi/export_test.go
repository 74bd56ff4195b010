package adminapi

import (
	"net/http"
	"time"
)

// NewClientOver returns a client whose exchanges are made by do.
func NewClientOver(do func(*http.Request) (*http.Response, error)) *Client {
	c := NewClient(time.Now)
	c.http.Transport = transport(do)
	return c
}

type transport func(*http.Request) (*http.Response, error)

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }
