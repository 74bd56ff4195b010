// Package logtest keeps a log for a test to read.
package logtest

import (
	"bytes"
	"sync"
)

// Buffer is a log that is read while it is written. The zero value is empty.
type Buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

// String returns all that was written.
func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// Tail returns the end of the log, enough to see what went wrong.
func (b *Buffer) Tail() string {
	const most = 12000
	text := b.String()
	return text[max(0, len(text)-most):]
}
