// Package outboundtest helps to test what goes out of the server.
package outboundtest

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

// Resolver returns a resolver whose DNS server is the function lookup, asked with
// a lower-case name without the final dot for every query. No addresses mean
// that the name does not exist. Names in /etc/hosts do not come here.
func Resolver(lookup func(name string) []netip.Addr) *net.Resolver {
	return &net.Resolver{
		PreferGo: true,
		Dial: func(context.Context, string, string) (net.Conn, error) {
			client, server := net.Pipe()
			go serveDNS(server, lookup)
			return client, nil
		},
	}
}

// Hosts returns a resolver with one answer for each name: an address, or several
// separated by spaces. A name "*.suffix" answers for everything below it.
func Hosts(hosts map[string]string) *net.Resolver {
	return Resolver(func(name string) []netip.Addr {
		text, ok := hosts[name]
		for rest := name; !ok && strings.Contains(rest, "."); {
			_, rest, _ = strings.Cut(rest, ".")
			text, ok = hosts["*."+rest]
		}
		var addrs []netip.Addr
		for field := range strings.FieldsSeq(text) {
			addrs = append(addrs, netip.MustParseAddr(field))
		}
		return addrs
	})
}

// serveDNS answers queries in TCP framing (RFC 1035 section 4.2.2), which the
// resolver uses on any connection that is not a packet connection.
func serveDNS(conn net.Conn, lookup func(string) []netip.Addr) {
	defer func() { _ = conn.Close() }()
	for {
		var length [2]byte
		if _, err := io.ReadFull(conn, length[:]); err != nil {
			return
		}
		query := make([]byte, binary.BigEndian.Uint16(length[:]))
		if _, err := io.ReadFull(conn, query); err != nil {
			return
		}
		var message dnsmessage.Message
		if err := message.Unpack(query); err != nil || len(message.Questions) != 1 {
			return
		}
		packed, err := answer(message, lookup).Pack()
		if err != nil {
			return
		}
		framed := binary.BigEndian.AppendUint16(nil, uint16(len(packed)))
		if _, err := conn.Write(append(framed, packed...)); err != nil {
			return
		}
	}
}

func answer(query dnsmessage.Message, lookup func(string) []netip.Addr) *dnsmessage.Message {
	question := query.Questions[0]
	name := strings.ToLower(strings.TrimSuffix(question.Name.String(), "."))
	addrs := lookup(name)
	reply := &dnsmessage.Message{
		Header:    dnsmessage.Header{ID: query.ID, Response: true, RecursionAvailable: true},
		Questions: query.Questions,
	}
	if len(addrs) == 0 {
		reply.RCode = dnsmessage.RCodeNameError
	}
	for _, addr := range addrs {
		header := dnsmessage.ResourceHeader{Name: question.Name, Class: dnsmessage.ClassINET}
		switch {
		case addr.Is4() && question.Type == dnsmessage.TypeA:
			reply.Answers = append(reply.Answers, dnsmessage.Resource{
				Header: header, Body: &dnsmessage.AResource{A: addr.As4()},
			})
		case addr.Is6() && question.Type == dnsmessage.TypeAAAA:
			reply.Answers = append(reply.Answers, dnsmessage.Resource{
				Header: header, Body: &dnsmessage.AAAAResource{AAAA: addr.As16()},
			})
		}
	}
	return reply
}
