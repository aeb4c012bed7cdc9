package forward

import (
	"errors"
	"net"
	"strconv"
)

var errForbidden = errors.New("not permitted by PermitRemoteOpen")

// permitted says whether PermitRemoteOpen lets clients of a reverse SOCKS proxy connect to host and
// port. A rule is as in ssh_config(5): "host:port" with * for either part, without other patterns and
// lookups; "any"; or "none".
func permitted(rules []string, host string, port uint16) bool {
	for _, rule := range rules {
		if rule == "any" {
			return true
		}
		h, p, err := net.SplitHostPort(rule)
		if err == nil && (h == "*" || h == host) && (p == "*" || p == strconv.Itoa(int(port))) {
			return true
		}
	}
	return len(rules) == 0
}
