package main

import (
	"io"
	"log/slog"
	"net"
	"testing"
)

// TestForwardHandsOnTheEndOfData sends, closes its sending side, and still gets
// the answer, as an HTTP/1.0 client would.
func TestForwardHandsOnTheEndOfData(t *testing.T) {
	upstream, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = upstream.Close() }()
	go func() {
		conn, err := upstream.Accept()
		if err != nil {
			return
		}
		asked, _ := io.ReadAll(conn) // ends only when the end of data arrives
		_, _ = conn.Write(append([]byte("got "), asked...))
		_ = conn.Close()
	}()
	front, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = front.Close() }()
	go forward(front, upstream.Addr().String(), slog.New(slog.DiscardHandler))

	conn, err := net.Dial("tcp", front.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	half, ok := conn.(*net.TCPConn)
	if !ok {
		t.Fatalf("dialled %T", conn)
	}
	if err := half.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil || string(answer) != "got hello" {
		t.Errorf("answer %q, %v", answer, err)
	}
}
