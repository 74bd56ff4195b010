//go:build !race

package webhookserver_test

// slowdown is none without the race detector.
const slowdown = 1
