package portable

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/holdfast/holdfast/tunnelfile"
)

// name sets the tunnel's Name and Other. unit is the name of its unit or similar; if it is empty, the
// host of the destination is used, unless that is an address. Other has the port of the first forward
// too.
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

// forwardName is a name from a forward alone: "db.internal-5432", "socks-1080".
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

// mark distinguishes a forward from others of the same host: its port, or the name of its socket.
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

// ValidName makes a valid tunnel name from text.
func ValidName(text string) string {
	name := strings.Map(func(r rune) rune {
		if r < 128 && (r == '.' || r == '_' || tunnelfile.ValidName(string(r))) {
			return r
		}
		return '-'
	}, text)
	name = strings.Trim(strings.TrimLeft(name, "._"), "-.")
	if name = name[:min(len(name), 60)]; !tunnelfile.ValidName(name) { // 60 leaves room for a number at the end
		return "tunnel"
	}
	return name
}
