package main

import (
	"testing"

	"channellink.dev/operator/internal/program/programtest"
)

func TestRunRefuses(t *testing.T) { programtest.Refuses(t, run, `{"channels":[]}`, "leave.url") }

func TestRunServesUntilTold(t *testing.T) {
	programtest.Serves(t, run, `{"leave":{"url":"http://hr","key":"k"},"channels":[]}`)
}
