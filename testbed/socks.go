package testbed

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"time"
)

// DialSOCKS connects to target, "host:port", through the SOCKS5 proxy at
// network and address, without authentication (RFC 1928). The name in target is
// resolved by the proxy.
func DialSOCKS(network, address, target string) (net.Conn, error) {
	host, portText, err := net.SplitHostPort(target)
	if err != nil {
		return nil, err
	}
	port, err := net.LookupPort("tcp", portText)
	if err != nil {
		return nil, err
	}
	conn, err := net.DialTimeout(network, address, 10*time.Second)
	if err != nil {
		return nil, err
	}
	if err := connectSOCKS(conn, host, port); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

func connectSOCKS(conn net.Conn, host string, port int) error {
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return err
	}
	if _, err := conn.Write([]byte{5, 1, 0}); err != nil {
		return err
	}
	var method [2]byte
	if _, err := io.ReadFull(conn, method[:]); err != nil {
		return err
	}
	if method != [2]byte{5, 0} {
		return fmt.Errorf("the SOCKS proxy chose method %v", method)
	}
	request := append([]byte{5, 1, 0, 3, byte(len(host))}, host...)
	request = append(request, byte(port>>8), byte(port))
	if _, err := conn.Write(request); err != nil {
		return err
	}
	var reply [4]byte
	if _, err := io.ReadFull(conn, reply[:]); err != nil {
		return err
	}
	if reply[1] != 0 {
		return fmt.Errorf("the SOCKS proxy answered with reply %d", reply[1])
	}
	bound := map[byte]int{1: 4, 4: 16}[reply[3]]
	if reply[3] == 3 {
		var n [1]byte
		if _, err := io.ReadFull(conn, n[:]); err != nil {
			return err
		}
		bound = int(n[0])
	}
	if _, err := io.CopyN(io.Discard, conn, int64(bound)+2); err != nil {
		return err
	}
	return conn.SetDeadline(time.Time{})
}

// AskSOCKS asks the proxy at the other end of c to connect to addr, an IPv4 address and a port.
// version is 4, 4a, 5 or 5h. With 4a and 5h, the proxy looks up "localhost" in place of the
// address.
func AskSOCKS(c net.Conn, version, addr string) error {
	ap, err := netip.ParseAddrPort(addr)
	if err != nil {
		return err
	}
	ip := ap.Addr().As4()
	port := binary.BigEndian.AppendUint16(nil, ap.Port())
	switch version {
	case "4", "4a":
		request := append([]byte{4, 1}, port...)
		if version == "4" {
			request = append(append(request, ip[:]...), "user\x00"...)
		} else {
			request = append(request, "\x00\x00\x00\x01user\x00localhost\x00"...)
		}
		if _, err := c.Write(request); err != nil {
			return err
		}
		return expectBytes(c, []byte{0, 90}, 8)
	}
	if _, err := c.Write([]byte{5, 2, 2, 0}); err != nil {
		return err
	}
	if err := expectBytes(c, []byte{5, 0}, 2); err != nil {
		return err
	}
	request := append([]byte{5, 1, 0, 1}, ip[:]...)
	if version == "5h" {
		request = append([]byte{5, 1, 0, 3, 9}, "localhost"...)
	}
	if _, err := c.Write(append(request, port...)); err != nil {
		return err
	}
	return expectBytes(c, []byte{5, 0}, 10)
}

// expectBytes reads size bytes that begin with want.
func expectBytes(c net.Conn, want []byte, size int) error {
	got := make([]byte, size)
	if _, err := io.ReadFull(c, got); err != nil {
		return err
	}
	if string(got[:len(want)]) != string(want) {
		return fmt.Errorf("answer %s", strconv.QuoteToASCII(string(got)))
	}
	return nil
}
