// Package secretfile reads the files that Kubernetes mounts into the server, such
// as secrets, the operator's keys and CA bundles, and follows them while it runs.
//
// The kubelet changes a mounted volume by swapping the symbolic link ..data, so
// the directory is watched and not the file, with a poll beside it for volumes
// that tell nothing. A [File] hands out whole snapshots: a reader never waits and
// never sees half a change.
//
// A file may hold several values, one a line, newest first, so that a secret can
// be rotated without a gap. A value that was there once is served until another
// comes: when its file vanishes, the server goes on and the [State] says so.
package secretfile
