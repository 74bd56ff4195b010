// Package soak lets two servers link and unlink people for as long as one likes, while their database, their provider and the
// servers themselves fail in turn (C85). At the end every login that a platform took has become the link of its person, none
// has become another's, and goroutines, descriptors and memory are where they were:
//
//	go test -tags soak -count=1 -timeout 0 -v ./test/soak -args -duration=30m
//
// It needs PostgreSQL and reads /proc, so it runs on Linux.
package soak
