package config

import (
	"crypto/sha1"
	"encoding/hex"
	"os"
	"os/user"
	"strconv"
	"strings"
	"sync"
)

// account is a user account of this machine.
type account struct{ name, home string }

// localUser is the account that this process runs as. Like ssh, it takes the home folder from the
// password file and not from $HOME.
var localUser = sync.OnceValue(func() account {
	u, err := user.Current()
	if err != nil {
		return account{name: os.Getenv("USER"), home: os.Getenv("HOME")}
	}
	return account{name: u.Username, home: u.HomeDir}
})

// Expand replaces the tokens of ssh_config(5) (section TOKENS) in s. ssh -G prints
// IdentityFile, CertificateFile, ProxyCommand and RemoteCommand with the tokens in them.
func (o *Options) Expand(s string) string { return o.ExpandWith(s, nil) }

// ExpandWith is Expand with further tokens, such as KnownHostsCommand's.
func (o *Options) ExpandWith(s string, more map[byte]string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		if v, ok := more[s[i]]; ok {
			b.WriteString(v)
		} else if v, ok := o.token(s[i]); ok {
			b.WriteString(v)
		} else {
			b.WriteByte('%')
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

func (o *Options) token(c byte) (string, bool) {
	host, _ := os.Hostname()
	switch c {
	case '%':
		return "%", true
	case 'C':
		return o.connectionHash(host), true
	case 'd':
		return HomeDir(), true
	case 'h':
		return o.HostName, true
	case 'i':
		return strconv.Itoa(os.Getuid()), true
	case 'j':
		return o.Option("proxyjump"), true
	case 'k':
		if alias := o.Option("hostkeyalias"); alias != "" {
			return alias, true
		}
		return o.Host(), true
	case 'L':
		short, _, _ := strings.Cut(host, ".")
		return short, true
	case 'l':
		return host, true
	case 'n':
		return o.Host(), true
	case 'p':
		return strconv.Itoa(o.Port), true
	case 'r':
		return o.User, true
	case 'u':
		return localUser().name, true
	}
	return "", false
}

// connectionHash is the value of %C.
func (o *Options) connectionHash(host string) string {
	sum := sha1.Sum([]byte(host + o.HostName + strconv.Itoa(o.Port) + o.User + o.Option("proxyjump")))
	return hex.EncodeToString(sum[:])
}

// Path expands ~, ${VARIABLE} and tokens in the name of a file.
func (o *Options) Path(s string) string {
	return o.Expand(ExpandEnvironment(ExpandTilde(s)))
}

// ExpandTilde replaces a leading ~ or ~user.
func ExpandTilde(path string) string {
	rest, ok := strings.CutPrefix(path, "~")
	if !ok {
		return path
	}
	name, below, _ := strings.Cut(rest, "/")
	home := HomeDir()
	if name != "" {
		u, err := user.Lookup(name)
		if err != nil {
			return path
		}
		home = u.HomeDir
	}
	return strings.TrimSuffix(home, "/") + "/" + below
}

// ExpandEnvironment replaces ${NAME}; a $ without braces stays, as in ssh.
func ExpandEnvironment(s string) string {
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

// unsetVariable is the name of the first ${NAME} in s that is not set in the environment, or empty
// if there is none. ssh fails if there is one.
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

// HomeDir is the home folder of the person that this process runs as.
func HomeDir() string {
	if home := localUser().home; home != "" {
		return home
	}
	return os.Getenv("HOME")
}
