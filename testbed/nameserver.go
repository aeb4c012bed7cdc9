package testbed

import (
	"encoding/binary"
	"net"
	"net/netip"
	"sync/atomic"
)

// NameServer is a DNS server that gives the other host's address for every name.
type NameServer struct {
	knows atomic.Bool
}

// NameServer starts a name server on the other host's port 53, and ends it with the test.
func (n *Network) NameServer() *NameServer {
	n.t.Helper()
	s := &NameServer{}
	s.knows.Store(true)
	var conn net.PacketConn
	n.there(func() (err error) {
		conn, err = net.ListenPacket("udp", net.JoinHostPort(n.Host, "53"))
		return err
	})
	n.t.Cleanup(func() { conn.Close() })
	address := netip.MustParseAddr(n.Host).As4()
	go func() {
		for buf := make([]byte, 1500); ; {
			size, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			if answer := s.answer(buf[:size], address); answer != nil {
				conn.WriteTo(answer, from)
			}
		}
	}()
	return s
}

// Fail makes the server fail for every name (SERVFAIL), like one without a network, until it is
// called with false.
func (s *NameServer) Fail(fail bool) { s.knows.Store(!fail) }

// answer answers a query with one question, see RFC 1035, section 4.
func (s *NameServer) answer(query []byte, address [4]byte) []byte {
	const header = 12
	end := header
	for end < len(query) && query[end] != 0 {
		end += 1 + int(query[end]) // labels: each a length, then so many bytes
	}
	end += 5 // the root's length, type and class
	if end > len(query) {
		return nil
	}
	answer := append([]byte(nil), query[:end]...)
	const response, serverFailure = 0x8180, 2
	flags, answers := uint16(response), uint16(0)
	switch {
	case !s.knows.Load():
		flags |= serverFailure
	case binary.BigEndian.Uint16(query[end-4:]) == 1: // A
		answers = 1
		answer = append(answer, 0xc0, header, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4) // the question's name, A, IN, no time to live, 4 bytes
		answer = append(answer, address[:]...)
	}
	binary.BigEndian.PutUint16(answer[2:], flags)
	for i, n := range []uint16{1, answers, 0, 0} {
		binary.BigEndian.PutUint16(answer[4+2*i:], n)
	}
	return answer
}
