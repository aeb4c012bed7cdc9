package sockets

import (
	"bufio"
	"encoding/hex"
	"iter"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
)

// TCPSocket is a line of /proc/net/tcp or /proc/net/tcp6; see proc(5). An IPv4 address is
// never in its mapped form.
type TCPSocket struct {
	Local, Remote netip.AddrPort
	Listening     bool
	UID, Inode    string // Inode is "0" if no process has the socket any more
}

// TCP yields every TCP socket of this network namespace.
func TCP() iter.Seq[TCPSocket] {
	const listening = "0A"
	return func(yield func(TCPSocket) bool) {
		for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
			for fields := range procLines(table) {
				if len(fields) < 10 {
					continue
				}
				local, ok1 := procAddr(fields[1])
				remote, ok2 := procAddr(fields[2])
				if !ok1 || !ok2 {
					continue // the header of the table
				}
				if !yield(TCPSocket{local, remote, fields[3] == listening, fields[7], fields[9]}) {
					return
				}
			}
		}
	}
}

// listeningPath is the inode of the socket that listens at a path.
func listeningPath(path string) (inode string) {
	const listening = "00010000" // __SO_ACCEPTCON
	for fields := range procLines("/proc/net/unix") {
		if len(fields) >= 8 && fields[3] == listening && strings.Join(fields[7:], " ") == path {
			return fields[6]
		}
	}
	return ""
}

// procAddr reads an address in the form of /proc/net/tcp: 32-bit words in the machine's byte order
// (little-endian wherever this runs), a colon, the port.
func procAddr(s string) (netip.AddrPort, bool) {
	words, port, _ := strings.Cut(s, ":")
	ip, err := hex.DecodeString(words)
	if err != nil {
		return netip.AddrPort{}, false
	}
	for word := range slices.Chunk(ip, 4) {
		slices.Reverse(word)
	}
	addr, ok := netip.AddrFromSlice(ip)
	n, err := strconv.ParseUint(port, 16, 16)
	return netip.AddrPortFrom(addr.Unmap(), uint16(n)), ok && err == nil
}

// procLines yields the fields of each line of a table in /proc.
func procLines(path string) iter.Seq[[]string] {
	return func(yield func([]string) bool) {
		f, err := os.Open(path)
		if err != nil {
			return
		}
		defer f.Close()
		for lines := bufio.NewScanner(f); lines.Scan(); {
			if !yield(strings.Fields(lines.Text())) {
				return
			}
		}
	}
}
