package tunnelfile

import (
	"net/netip"
	"net/url"
	"strings"
	"unicode"
)

// CheckDestination says what is wrong with a destination of ssh(1), "" if nothing is: an alias,
// [user@]host, or ssh://[user@]host[:port]. The text will be an argument of ssh, and %h and %r of
// a ProxyCommand. So it refuses, as ssh does, what could be an option or mean something to a
// shell.
func CheckDestination(text string) string {
	switch {
	case text == "":
		return "is empty"
	case strings.HasPrefix(text, "-"):
		return "begins with -, as an option would"
	case strings.ContainsFunc(text, unicode.IsControl):
		return "has a control character"
	case strings.ContainsFunc(text, unicode.IsSpace):
		return "has a blank in it: it is one of alias, user@host, ssh://user@host:port; options of ssh go into [SSH]"
	}
	if rest, isURI := cutSSHScheme(text); isURI {
		return checkURI(rest)
	}
	if scheme, _, ok := strings.Cut(text, "://"); ok {
		return "has the scheme " + scheme + ", but only ssh:// is known"
	}
	user, host := splitUser(text)
	if why := checkUserHost(user, withoutBrackets(host), strings.Contains(text, "@")); why != "" {
		return why
	}
	if name, port, ok := strings.Cut(host, ":"); ok && isNumber(port) {
		if user != "" {
			name = user + "@" + name
		}
		return "ssh would take the port as part of the host's name: write ssh://" + name + ":" + port
	}
	return ""
}

// DestinationParts splits a destination that was checked. User and port (a number) are "" if it has
// none. Host may be an alias of ssh_config(5).
func DestinationParts(destination string) (user, host, port string) {
	rest, isURI := cutSSHScheme(destination)
	if !isURI {
		user, host = splitUser(destination)
		return user, withoutBrackets(host), ""
	}
	user, host = splitUser(strings.TrimSuffix(rest, "/"))
	user = unescaped(user)
	if inner, after, ok := strings.Cut(strings.TrimPrefix(host, "["), "]"); ok && strings.HasPrefix(host, "[") {
		return user, unescaped(inner), strings.TrimPrefix(after, ":") // the zone of an address may be written %25eth0
	}
	host, port, _ = strings.Cut(host, ":")
	return user, host, port
}

// unescaped is a part of a URI without percent-encoding; as it is, if that is not right.
func unescaped(part string) string {
	if plain, err := url.PathUnescape(part); err == nil {
		return plain
	}
	return part
}

// withoutBrackets is the host of a destination that is no URI. An address may have brackets.
func withoutBrackets(host string) string {
	return strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
}

func cutSSHScheme(text string) (rest string, ok bool) {
	const scheme = "ssh://"
	if len(text) >= len(scheme) && strings.EqualFold(text[:len(scheme)], scheme) {
		return text[len(scheme):], true
	}
	return text, false
}

// splitUser splits at the last @, as ssh does: a user's name may contain one.
func splitUser(text string) (user, host string) {
	if i := strings.LastIndexByte(text, '@'); i >= 0 {
		return text[:i], text[i+1:]
	}
	return "", text
}

// checkURI checks what follows ssh:// (RFC 3986 authority; ssh takes no path).
func checkURI(rest string) string {
	rest = strings.TrimSuffix(rest, "/")
	if strings.ContainsAny(rest, "/?#") {
		return "has something behind ssh://user@host:port"
	}
	user, hostport := splitUser(rest)
	if plain, err := url.PathUnescape(user); err != nil || strings.ContainsFunc(plain, unicode.IsControl) {
		return "has a user's name that is not percent-encoded rightly"
	} else if user = plain; strings.Contains(user, ":") {
		return "has a password in it: ssh takes none there"
	}
	var host, port string
	var hasPort bool
	if strings.HasPrefix(hostport, "[") {
		inner, after, ok := strings.Cut(hostport[1:], "]")
		if _, err := netip.ParseAddr(inner); !ok || err != nil {
			return "has brackets that hold no IPv6 address"
		}
		if after != "" && after[0] != ':' {
			return "has something between ] and the port"
		}
		host, port, hasPort = inner, strings.TrimPrefix(after, ":"), after != ""
	} else {
		host, port, hasPort = strings.Cut(hostport, ":")
		if strings.Contains(port, ":") {
			return "has more than one colon: put an IPv6 address in brackets"
		}
	}
	if why := checkUserHost(user, host, strings.Contains(rest, "@")); why != "" {
		return why
	}
	if hasPort {
		if _, why := parsePort(port, 1); why != "" {
			return why
		}
	}
	return ""
}

// CheckHostName says what is wrong with a host's name or address, "" if nothing is.
func CheckHostName(host string) string {
	if strings.ContainsFunc(host, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }) {
		return "has a host with a blank or a control character in it"
	}
	return checkUserHost("", host, false)
}

// checkUserHost follows valid_ruser and valid_hostname of OpenSSH's ssh.c.
func checkUserHost(user, host string, hasUser bool) string {
	switch {
	case hasUser && user == "":
		return "has no user before the @"
	case strings.HasPrefix(user, "-"):
		return "has a user that begins with -, as an option would"
	case strings.ContainsAny(user, "'`\";&<>|(){}$") || strings.HasSuffix(user, `\`):
		return "has a user with a character in it that a shell would take for its own"
	case host == "":
		return "has no host"
	case strings.HasPrefix(host, "-"):
		return "has a host that begins with -, as an option would"
	case strings.ContainsAny(host, "'`\"$\\;&<>|(){},"):
		return "has a host with a character in it that a shell would take for its own"
	}
	return ""
}

func isNumber(text string) bool {
	return text != "" && strings.Trim(text, "0123456789") == ""
}
