package config

import (
	"strconv"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/tunnelfile"
)

// destination is the destination argument of ssh(1) in its parts.
type destination struct {
	user string // empty: not given
	host string // without brackets
	port string // empty: not given
}

// parseDestination splits an alias, user@host, or ssh://[user@]host[:port].
func parseDestination(text string) (destination, error) {
	if why := tunnelfile.CheckDestination(text); why != "" {
		return destination{}, fault.New(fault.Settings, "Destination %q %s", text, why)
	}
	var d destination
	d.user, d.host, d.port = tunnelfile.DestinationParts(text)
	if n, err := strconv.Atoi(d.port); err == nil {
		d.port = strconv.Itoa(n) // without zeros in front
	}
	return d, nil
}

// args are the last arguments for ssh. They give each part by itself, because ssh up to OpenSSH 9.2
// does not take an IPv6 address in an ssh:// destination.
func (d destination) args() []string {
	var args []string
	if d.user != "" {
		args = append(args, "-l", d.user)
	}
	if d.port != "" {
		args = append(args, "-p", d.port)
	}
	return append(args, "--", d.host)
}
