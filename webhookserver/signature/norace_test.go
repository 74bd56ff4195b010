//go:build !race

package signature

// slowdown is none without the race detector.
const slowdown = 1
