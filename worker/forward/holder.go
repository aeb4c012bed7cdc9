package forward

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// holder says who listens at a place, as far as /proc tells: "postgres, pid 812", or
// "a process of uid 70" where that process is not ours to look into; else "". It reads
// all of /proc and is for error messages only.
func holder(p place) string {
	var inode, uid string
	if p.network == "unix" {
		inode = unixHolder(p.addr)
	} else {
		inode, uid = tcpHolder(p)
	}
	if inode == "" {
		return ""
	}
	link := "socket:[" + inode + "]"
	fds, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, fd := range fds {
		if target, err := os.Readlink(fd); err != nil || target != link {
			continue
		}
		pid := strings.Split(fd, "/")[2]
		name, _ := os.ReadFile("/proc/" + pid + "/comm")
		return fmt.Sprintf("%s, pid %s", strings.TrimSpace(string(name)), pid)
	}
	if uid != "" {
		return "a process of uid " + uid
	}
	return ""
}

// unixHolder is the inode of the listening socket bound to path.
func unixHolder(path string) string {
	const listening = "00010000" // __SO_ACCEPTCON
	for fields := range procLines("/proc/net/unix") {
		if len(fields) >= 8 && fields[3] == listening && fields[7] == path {
			return fields[6]
		}
	}
	return ""
}

// tcpHolder is the inode, and the owner's uid, of the socket that listens at p.
func tcpHolder(p place) (inode, uid string) {
	const listening = "0A"
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		for fields := range procLines(table) {
			if len(fields) < 10 || fields[3] != listening {
				continue
			}
			if addr, ok := procAddr(fields[1]); ok && p.conflicts(addr) {
				return fields[9], fields[7]
			}
		}
	}
	return "", ""
}

// conflicts says whether a listener at addr keeps others from listening at p.
func (p place) conflicts(addr netip.AddrPort) bool {
	host, port, err := net.SplitHostPort(p.addr)
	if err != nil || port != strconv.Itoa(int(addr.Port())) {
		return false
	}
	mine, err := netip.ParseAddr(host)
	return err != nil || mine.IsUnspecified() || addr.Addr().IsUnspecified() || mine == addr.Addr().Unmap()
}

// procAddr reads an address as /proc/net/tcp has it: 32-bit words in the machine's
// order (little-endian wherever this runs), a colon, the port.
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
	return netip.AddrPortFrom(addr, uint16(n)), ok && err == nil
}

// procLines yields the fields of each line of a table in /proc.
func procLines(path string) func(yield func([]string) bool) {
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
