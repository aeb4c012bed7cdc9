package sshlink

import (
	"crypto/sha1"
	"encoding/hex"
	"os"
	"os/user"
	"strconv"
	"strings"
	"sync"
)

// localUser is the account that this process runs as. ssh takes the home folder of the
// password file and not $HOME.
var localUser = sync.OnceValue(func() account {
	u, err := user.Current()
	if err != nil {
		return account{name: os.Getenv("USER"), home: os.Getenv("HOME")}
	}
	return account{name: u.Username, home: u.HomeDir}
})

// expand replaces the tokens of ssh_config(5) (section TOKENS) in s. ssh -G prints
// IdentityFile, CertificateFile, ProxyCommand and RemoteCommand with the tokens in them.
func (r *Resolved) expand(s string) string { return r.expandWith(s, nil) }

// expandWith is expand with further tokens, such as KnownHostsCommand's.
func (r *Resolved) expandWith(s string, more map[byte]string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		if v, ok := more[s[i]]; ok {
			b.WriteString(v)
		} else if v, ok := r.token(s[i]); ok {
			b.WriteString(v)
		} else {
			b.WriteByte('%')
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

func (r *Resolved) token(c byte) (string, bool) {
	host, _ := os.Hostname()
	switch c {
	case '%':
		return "%", true
	case 'C':
		return r.connectionHash(host), true
	case 'd':
		return homeDir(), true
	case 'h':
		return r.HostName, true
	case 'i':
		return strconv.Itoa(os.Getuid()), true
	case 'j':
		return r.option("proxyjump"), true
	case 'k':
		if alias := r.option("hostkeyalias"); alias != "" {
			return alias, true
		}
		return r.originalHost(), true
	case 'L':
		short, _, _ := strings.Cut(host, ".")
		return short, true
	case 'l':
		return host, true
	case 'n':
		return r.originalHost(), true
	case 'p':
		return strconv.Itoa(r.Port), true
	case 'r':
		return r.User, true
	case 'u':
		return localUser().name, true
	}
	return "", false
}

// originalHost is the host as given on the command line.
func (r *Resolved) originalHost() string {
	if d, err := parseDestination(r.config.Destination); err == nil {
		return d.host
	}
	return r.HostName
}

// connectionHash is %C.
func (r *Resolved) connectionHash(host string) string {
	sum := sha1.Sum([]byte(host + r.HostName + strconv.Itoa(r.Port) + r.User + r.option("proxyjump")))
	return hex.EncodeToString(sum[:])
}

// path expands ~, ${VARIABLE} and tokens in the name of a file.
func (r *Resolved) path(s string) string {
	return r.expand(expandEnvironment(expandTilde(s)))
}

// expandTilde replaces a leading ~ or ~user.
func expandTilde(path string) string {
	rest, ok := strings.CutPrefix(path, "~")
	if !ok {
		return path
	}
	name, below, _ := strings.Cut(rest, "/")
	home := homeDir()
	if name != "" {
		u, err := user.Lookup(name)
		if err != nil {
			return path
		}
		home = u.HomeDir
	}
	return strings.TrimSuffix(home, "/") + "/" + below
}

// expandEnvironment replaces ${NAME}; a $ without braces stays, as in ssh.
func expandEnvironment(s string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(s, "${")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed {
			b.WriteString("${" + rest)
			return b.String()
		}
		b.WriteString(os.Getenv(name))
		s = after
	}
}

// unsetVariable is the first ${NAME} of s that the environment does not have, empty: none. ssh gives
// up on those.
func unsetVariable(s string) string {
	for {
		_, rest, found := strings.Cut(s, "${")
		name, after, closed := strings.Cut(rest, "}")
		if !found || !closed {
			return ""
		}
		if _, set := os.LookupEnv(name); !set {
			return name
		}
		s = after
	}
}

// option is a keyword's value, empty where it is none.
func (r *Resolved) option(keyword string) string {
	if v := r.resolution.options.first(keyword); v != "none" {
		return v
	}
	return ""
}
