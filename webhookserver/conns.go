package webhookserver

import (
	"container/list"
	"net"
	"net/http"
	"sync"
)

// connLimit bounds the connections of a port. A listener that only counts would let silent connections shut everybody else
// out until they time out; so when there are too many, the oldest silent one gives way to the new one: first those that never
// sent a whole request header, then those that are idle between requests. A connection that is being served is never cut.
type connLimit struct {
	max     int
	evicted func() // told of every connection that is closed here

	mu     sync.Mutex
	open   map[net.Conn]*list.Element // the element is nil while the connection is being served
	unsaid list.List                  // connections without a first request, oldest first
	idle   list.List                  // connections between two requests, oldest first
}

func newConnLimit(limit int, evicted func()) *connLimit {
	return &connLimit{max: limit, evicted: evicted, open: map[net.Conn]*list.Element{}}
}

// hook is for http.Server.ConnState. The server says StateActive when a request's header has been read, not at its first
// byte, so slow headers count as silence.
func (l *connLimit) hook(conn net.Conn, state http.ConnState) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch state {
	case http.StateNew:
		if len(l.open) >= l.max && !l.evictOldest() {
			_ = conn.Close() // everybody is being served; the server notices when it reads
			l.evicted()
			return
		}
		l.open[conn] = l.unsaid.PushBack(conn)
	case http.StateActive:
		l.unlist(conn)
	case http.StateIdle:
		if _, ok := l.open[conn]; ok {
			l.open[conn] = l.idle.PushBack(conn)
		}
	case http.StateHijacked, http.StateClosed:
		l.unlist(conn)
		delete(l.open, conn)
	}
}

// unlist takes conn off the list that it is on. Removing an element from the other list is nothing.
func (l *connLimit) unlist(conn net.Conn) {
	if element := l.open[conn]; element != nil {
		l.unsaid.Remove(element)
		l.idle.Remove(element)
		l.open[conn] = nil
	}
}

func (l *connLimit) evictOldest() bool {
	element := l.unsaid.Front()
	if element == nil {
		element = l.idle.Front()
	}
	if element == nil {
		return false
	}
	conn := element.Value.(net.Conn) //nolint:forcetypeassert // nothing else is put in
	l.unlist(conn)
	delete(l.open, conn)
	_ = conn.Close()
	l.evicted()
	return true
}
