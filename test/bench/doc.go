// Package bench measures the operator and the server against the gates of docs/performance.md. Each figure of the operator
// stands beside a floor, measured in the same run: the least program that writes the same objects (test/bench/floor).
//
// The benchmarks carry the build tag bench and run as tests, so that a gate that is missed fails the run:
//
//	go test -tags bench -count=1 -timeout 30m -v ./test/bench -args -channellinks=500
//
// They read /proc, so they run on Linux.
package bench
