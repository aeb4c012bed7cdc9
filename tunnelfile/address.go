package tunnelfile

import (
	"net"
	"strconv"
	"strings"
)

// String is the address as a forward in a tunnel file spells it: 5432, *:5432,
// [::1]:5432, db.internal:5432 or a path.
func (a Address) String() string {
	switch {
	case a.Unix != "":
		return strings.NewReplacer(`\`, `\\`, `:`, `\:`).Replace(a.Unix)
	case a.Host == "" && !a.Bind:
		return strconv.Itoa(a.Port)
	}
	return net.JoinHostPort(a.Host, strconv.Itoa(a.Port))
}

// ListenText is where the forward listens, for people: "localhost:5432", "*:5432", or a path.
func (f Forward) ListenText() string {
	a := f.Listen
	switch {
	case a.Unix != "":
		return a.Unix
	case !a.Bind && a.Host == "":
		a.Host = "localhost"
	case a.Host == "":
		a.Host = "*"
	}
	return net.JoinHostPort(a.Host, strconv.Itoa(a.Port))
}

// TargetText is where the forward goes, for people: "db.internal:5432", a path, or "SOCKS" if
// clients choose.
func (f Forward) TargetText() string {
	switch {
	case f.SOCKS():
		return "SOCKS"
	case f.Target.Unix != "":
		return f.Target.Unix
	}
	return net.JoinHostPort(f.Target.Host, strconv.Itoa(f.Target.Port))
}

// Spec is the forward as a tunnel file spells it: the inverse of ParseForward.
func (f Forward) Spec() string {
	if f.SOCKS() {
		return quoteWord(f.Listen.String())
	}
	return quoteWord(f.Listen.String()) + " " + quoteWord(f.Target.String())
}
