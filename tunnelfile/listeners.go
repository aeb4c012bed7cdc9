package tunnelfile

import (
	"fmt"
	"net/netip"
	"slices"
)

// checkListeners finds forwards with the same listener, here or on the server.
func checkListeners(forwards []Forward) Problems {
	var problems Problems
	for i, f := range forwards {
		for _, earlier := range forwards[:i] {
			if (f.Kind == RemoteForward) != (earlier.Kind == RemoteForward) || !sameListener(f.Listen, earlier.Listen) {
				continue
			}
			problems = append(problems, Problem{
				Path: f.Path, Line: f.Line, Key: string(f.Kind),
				Message: fmt.Sprintf("%s is taken already by %s on %s", f.ListenText(), earlier.Kind, lineOf(f.Path, earlier.Path, earlier.Line)),
			})
			break
		}
	}
	return problems
}

// lineOf is "line 7", or "path:7" if that is another file.
func lineOf(here, path string, line int) string {
	if path == here {
		return fmt.Sprintf("line %d", line)
	}
	return fmt.Sprintf("%s:%d", path, line)
}

// sameListener says whether the second bind(2) of the two would fail: they have the same path, or
// the same port and an address in common.
func sameListener(a, b Address) bool {
	if a.Unix != "" || b.Unix != "" {
		return a.Unix == b.Unix
	}
	if a.Port != b.Port || a.Port == 0 { // 0: the server chooses another one each time
		return false
	}
	for _, x := range bindAddresses(a) {
		for _, y := range bindAddresses(b) {
			if overlap(x, y) {
				return true
			}
		}
	}
	return false
}

// bindAddresses are the addresses that a listener is bound to. A name is taken as it is, without a
// lookup.
func bindAddresses(a Address) []string {
	switch {
	case a.Host == "" && !a.Bind, a.Host == "localhost":
		return []string{"127.0.0.1", "::1"}
	case a.Host == "", a.Host == "*":
		return []string{"0.0.0.0", "::"}
	}
	return []string{a.Host}
}

func overlap(x, y string) bool {
	if x == y {
		return true
	}
	p, err1 := netip.ParseAddr(x)
	q, err2 := netip.ParseAddr(y)
	if err1 != nil || err2 != nil {
		return false
	}
	return p == q || p.Is4() == q.Is4() && (p.IsUnspecified() || q.IsUnspecified())
}

// CheckOnDemand finds a tunnel with Start=on-demand and no listener: nothing would ever start it. If
// a file names no forwards, the caller must fill in those of ssh_config(5).
func (t Tunnel) CheckOnDemand() Problems {
	if t.Start != StartOnDemand || slices.ContainsFunc(t.Forwards, func(f Forward) bool { return f.Kind != RemoteForward }) {
		return nil
	}
	p := Problem{Path: t.Path, Key: "Start",
		Message: "on-demand needs a LocalForward or a DynamicForward, here or in ssh_config: it is a connection to one that asks for the tunnel"}
	for _, s := range t.written {
		if s.Key == p.Key {
			p.Path, p.Line = s.Path, s.Line
		}
	}
	return Problems{p}
}
