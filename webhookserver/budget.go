package webhookserver

import (
	"errors"
	"io"
	"net/http"
	"sync/atomic"
)

// errNoRoom: the bodies that wait to be verified take all the memory that they may.
var errNoRoom = errors.New("no room for the body")

// bodyBudget bounds the memory of bodies of which nobody knows yet who sent them, over all connections of the process. Only
// what is above freeBody is taken from it: so large bodies keep each other out, and never a small one. The zero value has
// nothing taken.
type bodyBudget struct{ taken atomic.Int64 }

// take reserves n bytes, or none.
func (b *bodyBudget) take(n int64) bool {
	if b.taken.Add(n) <= sharedBodies {
		return true
	}
	b.taken.Add(-n)
	return false
}

func (b *bodyBudget) give(n int64) { b.taken.Add(-n) }

// receiveUnverified reads a whole body of at most limit bytes, within readTimeout and the budget. The caller calls free
// once he knows whether the body is signed, also after an error; bodyProblem gives the code to answer with.
func (s *Server) receiveUnverified(w http.ResponseWriter, r *http.Request, limit int64) (body []byte, free func(), err error) {
	incoming := incomingBody{budget: &s.bodies, announced: r.ContentLength}
	if r.Body != http.NoBody {
		var src io.Reader
		if src, err = limited(w, r, limit); err == nil {
			err = incoming.readAll(src)
		}
	}
	if err != nil {
		w.Header().Set("Connection", "close") // the rest of the body stands in it
	}
	if errors.Is(err, errNoRoom) {
		s.metrics.noRoom.Inc()
	}
	return incoming.bytes, incoming.free, err
}

// incomingBody grows with what has arrived, not with what was announced: who announces much and sends little takes little.
type incomingBody struct {
	bytes     []byte
	budget    *bodyBudget
	announced int64 // -1 when not known
	held      int64
}

func (b *incomingBody) readAll(src io.Reader) error {
	for {
		if len(b.bytes) == cap(b.bytes) {
			if err := b.grow(); err != nil {
				return err
			}
		}
		n, err := src.Read(b.bytes[len(b.bytes):cap(b.bytes)])
		b.bytes = b.bytes[:len(b.bytes)+n]
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// smallestBody is the room to begin with for a body that does not say how long it is.
const smallestBody = 512

// grow makes room for more: as much as was announced up to freeBody, and then twice what there is.
func (b *incomingBody) grow() error {
	size := max(2*cap(b.bytes), smallestBody)
	if have := int64(cap(b.bytes)); b.announced > have {
		size = int(min(b.announced, max(2*have, freeBody)))
	}
	if size > freeBody {
		// The old room is held until the copy is made.
		if !b.budget.take(int64(size)) {
			return errNoRoom
		}
		b.budget.give(b.held)
		b.held = int64(size)
	}
	grown := make([]byte, len(b.bytes), size)
	copy(grown, b.bytes)
	b.bytes = grown
	return nil
}

// free gives back what the body took of the budget.
func (b *incomingBody) free() {
	b.budget.give(b.held)
	b.held = 0
}
