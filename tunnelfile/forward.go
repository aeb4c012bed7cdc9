package tunnelfile

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
	"unicode"
)

// ParseForward reads one forward as ssh_config(5) spells it in two arguments, or as
// ssh(1) -L, -R and -D do in one:
//
//	[bind_address:]port host:hostport     [bind_address:]port:host:hostport
//	[bind_address:]port /path             /path:host:hostport   /path:/path   port:/path
//	[bind_address:]port                   /path                 (SOCKS)
//
// A name or IPv6 address may be in brackets, a word in quotes, and a colon in a path may have a
// backslash before it. Tokens (%h), variables and ~ are not expanded.
func ParseForward(kind ForwardKind, text string) (Forward, error) {
	words, err := Words(text)
	if err != nil {
		return Forward{}, err
	}
	f, why := parseForward(kind, words)
	if why != "" {
		return Forward{}, errors.New(why)
	}
	f.Text = text
	return f, nil
}

func parseForward(kind ForwardKind, words []string) (f Forward, why string) {
	f.Kind = kind
	var listen, target []field
	switch {
	case len(words) == 0:
		return f, "says nothing"
	case len(words) > 2:
		return f, tooManyWords(words)
	case kind == DynamicForward && len(words) == 2:
		return f, fmt.Sprintf("takes one argument, [bind_address:]port; the clients choose where it goes (what is %q?)", words[1])
	case len(words) == 2:
		if listen, why = splitFields(words[0]); why != "" {
			return f, why
		}
		if target, why = splitFields(words[1]); why != "" {
			return f, why
		}
	default:
		fields, why := splitFields(words[0])
		if why != "" {
			return f, why
		}
		listen, target = divide(kind, fields)
		if target == nil && kind == LocalForward {
			return f, noTarget(words[0])
		}
	}

	lowest := 1
	if kind == RemoteForward {
		lowest = 0 // the server chooses a port
	}
	if f.Listen, why = listenAddress(listen, lowest); why != "" {
		return f, why
	}
	if target != nil {
		if f.Target, why = targetAddress(target); why != "" {
			return f, why
		}
	}
	return f, ""
}

// field is the text between two colons of a forward.
type field struct {
	text string
	path bool // it has a slash: it is the path of a unix socket
}

// splitFields splits at colons, as parse_fwd_field of OpenSSH's readconf.c does: brackets
// hold a field together, a backslash makes the next character an ordinary one.
func splitFields(spec string) (fields []field, why string) {
	rest, more := spec, true
	for more {
		var text string
		if strings.HasPrefix(rest, "[") {
			inner, after, ok := strings.Cut(rest[1:], "]")
			if !ok {
				return nil, fmt.Sprintf("%q has no closing ]", spec)
			}
			if after != "" && after[0] != ':' {
				return nil, fmt.Sprintf("there is something between ] and the next colon in %q", spec)
			}
			text, more, rest = inner, after != "", strings.TrimPrefix(after, ":")
		} else {
			var b strings.Builder
			i := 0
			for ; i < len(rest) && rest[i] != ':'; i++ {
				if rest[i] == '\\' {
					if i++; i == len(rest) {
						return nil, fmt.Sprintf("%q ends in a backslash", spec)
					}
				}
				b.WriteByte(rest[i])
			}
			text, more = b.String(), i < len(rest)
			if more {
				rest = rest[i+1:]
			}
		}
		fields = append(fields, field{text, strings.Contains(text, "/")})
	}
	if len(fields) > 4 {
		if strings.Contains(spec, "[") {
			return nil, fmt.Sprintf("%q has more than four parts", spec)
		}
		return nil, fmt.Sprintf("%q has more than four parts: put IPv6 addresses in brackets, and a backslash before a colon in a path", spec)
	}
	return fields, ""
}

// divide splits the fields of a forward in one argument into where it listens and where it goes. A
// SOCKS proxy has no target.
func divide(kind ForwardKind, fields []field) (listen, target []field) {
	n := len(fields)
	switch {
	case kind == DynamicForward, n == 1:
		return fields, nil
	case fields[0].path:
		return fields[:1], fields[1:]
	case fields[n-1].path:
		return fields[:n-1], fields[n-1:]
	case n == 2: // bind_address:port
		return fields, nil
	}
	return fields[:n-2], fields[n-2:]
}

// listenAddress reads port, bind_address:port or a path.
func listenAddress(fields []field, lowestPort int) (a Address, why string) {
	switch {
	case len(fields) == 1 && fields[0].path:
		return unixAddress(fields[0].text)
	case len(fields) == 1:
		a.Port, why = parsePort(fields[0].text, lowestPort)
		return a, why
	case len(fields) > 2:
		return a, "has too much before the target: [bind_address:]port or a path, and then where it goes"
	case fields[0].path || fields[1].path:
		return a, "does not go with a path: a unix socket listens on no port and no address"
	}
	a, why = hostPort(fields, lowestPort)
	a.Bind = true
	return a, why
}

// targetAddress reads host:port or a path.
func targetAddress(fields []field) (a Address, why string) {
	switch {
	case len(fields) == 1 && fields[0].path:
		return unixAddress(fields[0].text)
	case len(fields) == 1:
		return a, fmt.Sprintf("the target %q is neither host:port nor the path of a socket", fields[0].text)
	case len(fields) > 2:
		return a, "the target has more than host:port: put an IPv6 address in brackets"
	case fields[0].path || fields[1].path:
		return a, "the target is a path and more: a unix socket has no port"
	case fields[0].text == "":
		return a, "the target has no host"
	}
	return hostPort(fields, 1)
}

func hostPort(fields []field, lowestPort int) (a Address, why string) {
	a.Host = fields[0].text
	if why := checkHost(a.Host); why != "" {
		return a, why
	}
	a.Port, why = parsePort(fields[1].text, lowestPort)
	return a, why
}

// unixAddress checks a path. It must be absolute: a tunnel has no folder of its own.
func unixAddress(path string) (a Address, why string) {
	switch {
	case strings.HasPrefix(path, "~"), strings.HasPrefix(path, "%"), strings.Contains(path, "${"):
		return a, fmt.Sprintf("%q: ~, %%tokens and ${variables} are not expanded here; write the whole path", path)
	case !filepath.IsAbs(path):
		return a, fmt.Sprintf("%q has a slash and so is a path, but does not begin with one; for an address write host:port", path)
	case strings.ContainsFunc(path, unicode.IsControl):
		return a, "the path has a control character"
	case strings.HasSuffix(path, "/"):
		return a, fmt.Sprintf("%q is a folder, not a socket", path)
	case len(path) > maxSocketPath:
		return a, fmt.Sprintf("the path is %d bytes long; a unix socket's has at most %d", len(path), maxSocketPath)
	}
	return Address{Unix: path}, ""
}

// checkHost checks a bind address or the host of a target: a name, or an IP address.
func checkHost(host string) (why string) {
	switch {
	case strings.Contains(host, ":"):
		if _, err := netip.ParseAddr(host); err != nil {
			return fmt.Sprintf("%q is no IPv6 address", host)
		}
	case len(host) > 255:
		return "a host's name has at most 255 bytes"
	case strings.ContainsAny(host, `[]\"'`), strings.ContainsFunc(host, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }):
		return fmt.Sprintf("%q is neither a name nor an address", host)
	}
	return ""
}

// parsePort reads a port number, or a service's name from services(5), as ssh does.
func parsePort(text string, lowest int) (port int, why string) {
	if text == "" {
		return 0, "there is no port"
	}
	if !isNumber(text) {
		if port, err := net.LookupPort("tcp", text); err == nil && isServiceName(text) && port >= lowest {
			return port, ""
		}
		return 0, fmt.Sprintf("%q is not a port", text)
	}
	port, err := strconv.Atoi(text)
	if err != nil || port < lowest || port > 65535 {
		return 0, fmt.Sprintf("port %s is not between %d and 65535", text, lowest)
	}
	return port, ""
}

// isServiceName says whether text looks like a name in services(5). net.LookupPort takes more.
func isServiceName(text string) bool {
	return isAlnum(text[0]) && !strings.ContainsFunc(text, func(r rune) bool {
		return r > 127 || !isAlnum(byte(r)) && !strings.ContainsRune("-_.", r)
	})
}

// noTarget is the message for a LocalForward without a target.
func noTarget(spec string) string {
	if parts := strings.Split(spec, "/"); len(parts) == 3 && isNumber(parts[0]) && isNumber(parts[2]) {
		return fmt.Sprintf("%q is a path to ssh; write %s:%s:%s", spec, parts[0], parts[1], parts[2])
	}
	return fmt.Sprintf("does not say where %s goes: add host:port or the path of a socket", spec)
}

func tooManyWords(words []string) string {
	for _, word := range words {
		if strings.HasPrefix(word, "/") {
			return fmt.Sprintf("has %d arguments instead of at most two: put a path with a blank in it in quotes", len(words))
		}
	}
	return fmt.Sprintf("has %d arguments instead of at most two: where it listens, and where it goes", len(words))
}
