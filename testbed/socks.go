package testbed

import (
	"fmt"
	"io"
	"net"
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
