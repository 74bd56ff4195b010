// Package desired says which objects a ChannelLink should have, and what is in them.
//
// It is pure: the same Input gives the same bytes, and nothing is read, written, timed or drawn by lot. So the whole of
// what the operator makes can be read in the golden files of testdata, and another package is the only one that writes.
//
// Every value is rendered as the API server stores it (canonical quantities, ports with their protocol, no empty object
// that it would drop), because the operator leaves an object alone when what is rendered is a subset of what is there.
package desired
