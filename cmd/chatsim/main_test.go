package main

import (
	"testing"

	"channellink.dev/operator/internal/program/programtest"
)

func TestRunRefuses(t *testing.T) { programtest.Refuses(t, run, `{"url":"here"}`, "absolute") }

func TestRunServesUntilTold(t *testing.T) {
	programtest.Serves(t, run, `{"url":"http://chatsim.localhost","channels":[]}`)
}
