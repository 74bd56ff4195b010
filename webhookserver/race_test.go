//go:build race

package webhookserver_test

// slowdown is what the race detector costs, clients included: loads are that much smaller.
const slowdown = 10
