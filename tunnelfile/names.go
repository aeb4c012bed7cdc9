package tunnelfile

import (
	"fmt"
	"strconv"
	"strings"
)

// Names that several parts of Holdfast use.
const (
	Suffix       = ".tunnel"                         // of a tunnel file
	DropInSuffix = ".conf"                           // of a drop-in, in NAME.tunnel.d/
	Slice        = "app-holdfast.slice"              // of all units of all tunnels
	BusName      = "io.github.holdfast.Holdfast1"    // on the session bus, or with --system on the system bus
	EntryPath    = "/io/github/holdfast/Holdfast1"   // the entry object
	TunnelPath   = EntryPath + "/tunnel/"            // and an escaped name: a tunnel's object
	Program      = "holdfast-tunnel"                 // which runs one tunnel
	unitPrefix   = Program + "@"                     // and a name: a tunnel's units
	UnitPattern  = unitPrefix + "*"                  // a glob over all units of all tunnels
	maxNameLen   = 64                                // bytes
	nameRule     = "[A-Za-z0-9][A-Za-z0-9._-]{0,63}" // for messages; ValidName is the rule
)

// ValidName says whether name may be a tunnel's: [A-Za-z0-9][A-Za-z0-9._-]{0,63}.
func ValidName(name string) bool {
	if name == "" || len(name) > maxNameLen || !isAlnum(name[0]) {
		return false
	}
	for i := 0; i < len(name); i++ {
		if c := name[i]; !isAlnum(c) && c != '.' && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

// ServiceName is the unit that runs a tunnel's worker.
func ServiceName(name string) string { return unitPrefix + name + ".service" }

// SocketName is the unit that owns a tunnel's local listening sockets.
func SocketName(name string) string { return unitPrefix + name + ".socket" }

// NameOfUnit is the inverse of ServiceName and SocketName.
func NameOfUnit(unit string) (name string, ok bool) {
	name, ok = strings.CutPrefix(unit, unitPrefix)
	name, isService := strings.CutSuffix(name, ".service")
	isSocket := false
	if !isService {
		name, isSocket = strings.CutSuffix(name, ".socket")
	}
	if !ok || !isService && !isSocket || !ValidName(name) {
		return "", false
	}
	return name, true
}

// ObjectPath is the D-Bus path of a tunnel's object.
func ObjectPath(name string) string { return TunnelPath + EncodeLabel(name) }

// NameOfPath is the inverse of ObjectPath.
func NameOfPath(path string) (name string, ok bool) {
	label, ok := strings.CutPrefix(path, TunnelPath)
	if !ok {
		return "", false
	}
	name = DecodeLabel(label)
	// A label has one spelling; another one for the same name is no object of ours.
	if !ValidName(name) || EncodeLabel(name) != label {
		return "", false
	}
	return name, true
}

// EncodeLabel escapes one element of an object path as sd_bus_path_encode(3) does:
// everything but letters and digits, and a digit that comes first, becomes "_" and two
// hexadecimal digits; nothing at all becomes "_".
func EncodeLabel(s string) string {
	if s == "" {
		return "_"
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if c := s[i]; isAlnum(c) && (i > 0 || !isDigit(c)) {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "_%02x", c)
		}
	}
	return b.String()
}

// DecodeLabel is the inverse of EncodeLabel. Like sd_bus_path_decode(3) it keeps an underscore
// without two hexadecimal digits after it.
func DecodeLabel(s string) string {
	if s == "_" {
		return ""
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '_' && i+2 < len(s) {
			if c, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(c))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isAlnum(c byte) bool {
	return isDigit(c) || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
