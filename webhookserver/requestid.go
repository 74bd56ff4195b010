package webhookserver

import (
	"bufio"
	"crypto/rand"
	"encoding/base32"
	"io"
	"sync"
)

// requestIDBytes make an id of 26 letters and digits, as crypto/rand.Text does: no two are ever the same.
const requestIDBytes = 16

var requestIDLetters = base32.StdEncoding.WithPadding(base32.NoPadding)

// randomness is random bytes in stock: to ask the system for 16 at a time costs more than to route a request.
var randomness = sync.Pool{New: func() any { return bufio.NewReaderSize(rand.Reader, 64*requestIDBytes) }}

// newRequestID is a name that nobody can guess for a request that has come.
func newRequestID() string {
	stock := randomness.Get().(*bufio.Reader) //nolint:forcetypeassert // nothing else is put in
	defer randomness.Put(stock)
	var id [requestIDBytes]byte
	_, _ = io.ReadFull(stock, id[:]) // crypto/rand never fails
	return requestIDLetters.EncodeToString(id[:])
}
