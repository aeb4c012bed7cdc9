package config

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/holdfast/holdfast/internal/fault"
)

// destination is what ssh(1) takes as its destination argument, taken apart.
type destination struct {
	user string // empty: not given
	host string // without brackets
	port int    // 0: not given
}

// parseDestination takes apart alias, user@host, or ssh://[user@]host[:port].
// It refuses what could be taken for an option or would mean something to the shell
// that runs ProxyCommand and Match exec; ssh itself does so since 9.6.
func parseDestination(text string) (destination, error) {
	var d destination
	if rest, ok := strings.CutPrefix(text, "ssh://"); ok {
		u, err := url.Parse("ssh://" + rest)
		if err != nil || u.Hostname() == "" || (u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.Fragment != "" {
			return d, fault.New(fault.Settings, "Destination %q is not of the form ssh://[user@]host[:port]", text)
		}
		d.host = u.Hostname()
		if u.User != nil {
			// ssh_config allows ";key=value" parameters after the user; none is defined for ssh(1).
			d.user, _, _ = strings.Cut(u.User.Username(), ";")
		}
		if p := u.Port(); p != "" {
			d.port, err = strconv.Atoi(p)
			if err != nil || d.port < 1 || d.port > 65535 {
				return d, fault.New(fault.Settings, "Destination %q: %q is not a port", text, p)
			}
		}
	} else {
		d.host = text
		if i := strings.LastIndexByte(text, '@'); i >= 0 {
			d.user, d.host = text[:i], text[i+1:]
		}
	}
	d.host = strings.TrimSuffix(strings.TrimPrefix(d.host, "["), "]")
	switch {
	case d.host == "":
		return d, fault.New(fault.Settings, "Destination %q names no host", text)
	case !safeWord(d.host):
		return d, fault.New(fault.Settings, "Destination %q: the host has characters that ssh does not allow", text)
	case d.user != "" && !safeUser(d.user):
		return d, fault.New(fault.Settings, "Destination %q: the user has characters that ssh does not allow", text)
	}
	return d, nil
}

// args are the destination as ssh's last arguments. The parts go one by one, for up to
// OpenSSH 9.2 ssh does not take an IPv6 address in an ssh:// destination.
func (d destination) args() []string {
	var args []string
	if d.user != "" {
		args = append(args, "-l", d.user)
	}
	if d.port != 0 {
		args = append(args, "-p", strconv.Itoa(d.port))
	}
	return append(args, "--", d.host)
}

// safeWord says whether a host name is harmless as an argument and inside a
// shell's command line.
func safeWord(s string) bool { return safe(s, "'`\"$\\;&<>|(){}") }

// safeUser is safeWord for user names, which may be those of a Windows domain: DOMAIN\user.
func safeUser(s string) bool {
	return safe(s, "'`\"$;&<>|(){}") && !strings.HasSuffix(s, `\`)
}

func safe(s, forbidden string) bool {
	if strings.HasPrefix(s, "-") {
		return false
	}
	for _, r := range s {
		if r <= ' ' || r == 0x7f || strings.ContainsRune(forbidden, r) {
			return false
		}
	}
	return true
}
