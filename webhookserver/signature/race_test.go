//go:build race

package signature

// slowdown is what the race detector costs.
const slowdown = 10
