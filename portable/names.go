package portable

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/holdfast/holdfast/tunnelfile"
)

// name gives the tunnel its names: after the unit or what else has it, else after its host, and
// another with the port of its first forward. An address makes no name.
func (f *Found) name(unit string) {
	t, _ := tunnelfile.Parse("", "", f.Text)
	_, host, _ := tunnelfile.DestinationParts(t.Destination)
	base := unit
	if _, err := netip.ParseAddr(host); base == "" && err != nil {
		base = host
	}
	switch {
	case base == "" && len(t.Forwards) == 0:
		f.Name = "tunnel"
	case base == "":
		f.Name = forwardName(t.Forwards[0])
	default:
		f.Name = ValidName(base)
		if len(t.Forwards) > 0 {
			f.Other = ValidName(base + "-" + mark(t.Forwards[0]))
		}
	}
}

// forwardName is a name after a forward alone: "db.internal-5432", "socks-1080".
func forwardName(f tunnelfile.Forward) string {
	base := map[tunnelfile.ForwardKind]string{
		tunnelfile.LocalForward: "local", tunnelfile.RemoteForward: "remote", tunnelfile.DynamicForward: "socks",
	}[f.Kind]
	target := f.Target.Host
	if _, err := netip.ParseAddr(target); err != nil && target != "" && target != "localhost" && f.Kind == tunnelfile.LocalForward {
		base = target
	}
	return ValidName(base + "-" + mark(f))
}

// mark is what tells a forward from others of its host: its port, or the name of its socket.
func mark(f tunnelfile.Forward) string {
	for _, a := range []tunnelfile.Address{f.Listen, f.Target} {
		if a.Unix != "" {
			return strings.TrimSuffix(filepath.Base(a.Unix), ".sock")
		}
		if a.Port != 0 {
			return strconv.Itoa(a.Port)
		}
	}
	return strings.ToLower(fmt.Sprint(f.Kind))
}

// ValidName is text as the name of a tunnel.
func ValidName(text string) string {
	name := strings.Map(func(r rune) rune {
		if r < 128 && (r == '.' || r == '_' || tunnelfile.ValidName(string(r))) {
			return r
		}
		return '-'
	}, text)
	name = strings.Trim(strings.TrimLeft(name, "._"), "-.")
	if name = name[:min(len(name), 60)]; !tunnelfile.ValidName(name) { // room for a number behind it
		return "tunnel"
	}
	return name
}
