// Package socks is the server side of SOCKS 4, 4a and 5, for CONNECT without authentication. It
// follows RFC 1928, and Ying-Da Lee's SOCKS4 with its 4a extension.
//
// It reads a request and writes replies. It knows neither links nor forwards. The well-maintained
// library things-go/go-socks5 is no replacement: it has neither 4 nor 4a, and its own copy loop
// lacks half-close and counters, and is slower.
package socks

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// patience is how long a client may take for its request.
const patience = 30 * time.Second

// bufferSize has room for the longest request (SOCKS4a: 8 bytes, a user and a host name) and for
// some data of a client that does not wait for the reply.
const bufferSize = 1024

// Reply is a reply code. For a failed connection it is one of SOCKS5 (RFC 1928, section 6).
type Reply byte

// The replies that a failed connection may have.
const (
	GeneralFailure     Reply = 1
	NotAllowed         Reply = 2
	NetworkUnreachable Reply = 3
	HostUnreachable    Reply = 4 // also for an unknown name or no answer
	ConnectionRefused  Reply = 5
)

// The other numbers of the protocols.
const (
	socks4 = 4
	socks5 = 5

	socksConnect = 1

	socks5NoAuthentication = 0x00
	socks5NoneAcceptable   = 0xff

	socks5IPv4   = 1
	socks5Domain = 3
	socks5IPv6   = 4

	socks5Granted           Reply = 0
	socks5NoSuchCommand     Reply = 7
	socks5NoSuchAddressType Reply = 8

	socks4Granted  Reply = 90
	socks4Rejected Reply = 91
)

// Request is the target that a SOCKS client asks for. Names are not resolved here.
type Request struct {
	Host string // a name or an address, without brackets
	Port uint16

	version byte
}

// Address is the target as net.Dial takes it.
func (q Request) Address() string { return net.JoinHostPort(q.Host, strconv.Itoa(int(q.Port))) }

// Negotiate reads a client's request. It also returns the data that the client sent after the
// request. If it returns an error because of an unsupported request, the client has its reply.
func Negotiate(c net.Conn) (Request, []byte, error) {
	// Channels have no deadlines, so the connection is closed instead.
	late := time.AfterFunc(patience, func() { c.Close() })
	defer late.Stop()
	r := bufio.NewReaderSize(c, bufferSize)
	q, err := readSOCKS(r, c)
	if err != nil {
		return q, nil, err
	}
	head, err := r.Peek(r.Buffered())
	return q, head, err
}

// readSOCKS reads one request from r. It writes to w the choice of a SOCKS5 method, and refusals.
func readSOCKS(r *bufio.Reader, w io.Writer) (Request, error) {
	version, err := r.ReadByte()
	if err != nil {
		return Request{}, err
	}
	switch version {
	case socks4:
		return readSOCKS4(r, w)
	case socks5:
		return readSOCKS5(r, w)
	}
	return Request{}, fmt.Errorf("no SOCKS: first byte 0x%02x", version)
}

func readSOCKS4(r *bufio.Reader, w io.Writer) (Request, error) {
	q := Request{version: socks4}
	var head [7]byte // command, port, address
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return q, err
	}
	q.Port = binary.BigEndian.Uint16(head[1:])
	ip := netip.AddrFrom4([4]byte(head[3:]))
	q.Host = ip.String()
	if _, err := readSOCKS4String(r); err != nil { // the user's name, which proves nothing
		return q, err
	}
	if b := ip.As4(); b[0]|b[1]|b[2] == 0 && b[3] != 0 {
		var err error
		if q.Host, err = readSOCKS4String(r); err != nil {
			return q, err
		}
	}
	return q, q.check(w, head[0])
}

// readSOCKS4String reads a string of at most 255 bytes that ends with a zero byte.
func readSOCKS4String(r *bufio.Reader) (string, error) {
	s, err := r.ReadSlice(0)
	if errors.Is(err, bufio.ErrBufferFull) || len(s) > 256 {
		return "", errors.New("SOCKS4 string without end")
	}
	return string(bytes.TrimSuffix(s, []byte{0})), err
}

func readSOCKS5(r *bufio.Reader, w io.Writer) (Request, error) {
	q := Request{version: socks5}
	if err := chooseSOCKS5Method(r, w); err != nil {
		return q, err
	}
	var head [4]byte // version, command, reserved, address type
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return q, err
	}
	if head[0] != socks5 {
		return q, fmt.Errorf("SOCKS5 request of version %d", head[0])
	}
	size := 0
	switch head[3] {
	case socks5IPv4:
		size = 4
	case socks5IPv6:
		size = 16
	case socks5Domain:
		n, err := r.ReadByte()
		if err != nil {
			return q, err
		}
		size = int(n)
	default:
		q.reply(w, socks5NoSuchAddressType)
		return q, fmt.Errorf("SOCKS5 address type %d", head[3])
	}
	rest := make([]byte, size+2) // address, port
	if _, err := io.ReadFull(r, rest); err != nil {
		return q, err
	}
	q.Port = binary.BigEndian.Uint16(rest[size:])
	if head[3] == socks5Domain {
		q.Host = string(rest[:size])
	} else {
		ip, _ := netip.AddrFromSlice(rest[:size]) // 4 or 16 bytes
		q.Host = ip.String()
	}
	return q, q.check(w, head[1])
}

func chooseSOCKS5Method(r *bufio.Reader, w io.Writer) error {
	n, err := r.ReadByte()
	if err != nil {
		return err
	}
	methods := make([]byte, n)
	if _, err := io.ReadFull(r, methods); err != nil {
		return err
	}
	if !slices.Contains(methods, socks5NoAuthentication) {
		w.Write([]byte{socks5, socks5NoneAcceptable})
		return errors.New("SOCKS5 client insists on authentication")
	}
	_, err = w.Write([]byte{socks5, socks5NoAuthentication})
	return err
}

// check refuses commands other than CONNECT, and targets that cannot be hosts.
func (q Request) check(w io.Writer, command byte) error {
	switch {
	case command != socksConnect:
		q.Deny(w, socks5NoSuchCommand)
		return fmt.Errorf("SOCKS%d command %d is not CONNECT", q.version, command)
	case !validHost(q.Host):
		q.Deny(w, GeneralFailure)
		return fmt.Errorf("SOCKS%d host name %q", q.version, q.Host)
	}
	return nil
}

// validHost refuses strings that cannot be a host name, so that they do not reach the server's
// resolver.
func validHost(host string) bool {
	forbidden := func(c rune) bool { return c <= ' ' || c == 0x7f || c == '[' || c == ']' }
	return host != "" && !strings.ContainsFunc(host, forbidden)
}

// Grant tells the client that its connection is established.
func (q Request) Grant(w io.Writer) error {
	if q.version == socks4 {
		return q.reply(w, socks4Granted)
	}
	return q.reply(w, socks5Granted)
}

// Deny tells the client why there is no connection. SOCKS4 has one code for all reasons.
func (q Request) Deny(w io.Writer, why Reply) error {
	if q.version == socks4 {
		return q.reply(w, socks4Rejected)
	}
	return q.reply(w, why)
}

// reply writes a reply. The bound address is zeros, because the real one is not known here.
func (q Request) reply(w io.Writer, code Reply) error {
	reply := []byte{0, byte(code), 0, 0, 0, 0, 0, 0}
	if q.version == socks5 {
		reply = []byte{socks5, byte(code), 0, socks5IPv4, 0, 0, 0, 0, 0, 0}
	}
	_, err := w.Write(reply)
	return err
}
