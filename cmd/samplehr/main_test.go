package main

import (
	"testing"

	"channellink.dev/operator/internal/program/programtest"
)

func TestRunRefuses(t *testing.T) { programtest.Refuses(t, run, `{"audienze":"hr"}`, "unknown field") }

func TestRunServesUntilTold(t *testing.T) {
	programtest.Serves(t, run, `{"audience":"hr","days":{}}`)
}
