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
	open   map[net.Conn]*heldConn
	unsaid list.List // connections that never sent a whole request header, oldest first
	idle   list.List // connections that did, in the order in which they were last idle
}

// heldConn is an open connection. It stays where it is on its list while it is being served: a request is too short for the
// list to be put right twice.
type heldConn struct {
	conn    net.Conn
	serving bool
	list    *list.List
	element *list.Element
}

func newConnLimit(limit int, evicted func()) *connLimit {
	return &connLimit{max: limit, evicted: evicted, open: map[net.Conn]*heldConn{}}
}

// hook is for http.Server.ConnState. The server says StateActive when a request's header has been read, not at its first
// byte, so slow headers count as silence.
func (l *connLimit) hook(conn net.Conn, state http.ConnState) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if state == http.StateNew {
		if len(l.open) >= l.max && !l.evictOldest() {
			_ = conn.Close() // everybody is being served; the server notices when it reads
			l.evicted()
			return
		}
		held := &heldConn{conn: conn, list: &l.unsaid}
		held.element = l.unsaid.PushBack(held)
		l.open[conn] = held
		return
	}
	held, ok := l.open[conn]
	if !ok {
		return // evicted
	}
	switch state {
	case http.StateActive:
		held.serving = true
	case http.StateIdle:
		held.serving = false
		if held.list == &l.idle {
			l.idle.MoveToBack(held.element)
			return
		}
		l.unsaid.Remove(held.element)
		held.list, held.element = &l.idle, l.idle.PushBack(held)
	case http.StateHijacked, http.StateClosed:
		l.drop(held)
	}
}

func (l *connLimit) drop(held *heldConn) {
	held.list.Remove(held.element)
	delete(l.open, held.conn)
}

func (l *connLimit) evictOldest() bool {
	for _, conns := range []*list.List{&l.unsaid, &l.idle} {
		for element := conns.Front(); element != nil; element = element.Next() {
			held := element.Value.(*heldConn) //nolint:forcetypeassert // nothing else is put in
			if held.serving {
				continue
			}
			l.drop(held)
			_ = held.conn.Close()
			l.evicted()
			return true
		}
	}
	return false
}
