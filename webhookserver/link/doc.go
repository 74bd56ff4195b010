// Package link holds what the server remembers and the rules about it, without a
// word of HTTP or SQL. [Store] is the port that every database implements;
// package linktest is the suite that every implementation passes.
package link
