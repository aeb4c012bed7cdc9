package config

import (
	"cmp"
	"crypto/sha1"
	"encoding/hex"
	"maps"
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
	if !strings.Contains(s, "%") {
		return s
	}
	tokens := o.tokens()
	maps.Copy(tokens, more)
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		if v, ok := tokens[s[i]]; ok {
			b.WriteString(v)
		} else {
			b.WriteString(s[i-1 : i+1])
		}
	}
	return b.String()
}

// tokens are the values of the tokens.
func (o *Options) tokens() map[byte]string {
	host, _ := os.Hostname()
	short, _, _ := strings.Cut(host, ".")
	return map[byte]string{
		'%': "%", 'C': o.connectionHash(host), 'd': HomeDir(), 'h': o.HostName, 'i': strconv.Itoa(os.Getuid()),
		'j': o.Option("proxyjump"), 'k': cmp.Or(o.Option("hostkeyalias"), o.Host()), 'L': short, 'l': host,
		'n': o.Host(), 'p': strconv.Itoa(o.Port), 'r': o.User, 'u': localUser().name,
	}
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
	return replaceVariables(s, os.Getenv)
}

// unsetVariable is the name of the first ${NAME} in s that is not set in the environment, or empty
// if there is none. ssh fails if there is one.
func unsetVariable(s string) (name string) {
	replaceVariables(s, func(n string) string {
		if _, set := os.LookupEnv(n); !set {
			name = cmp.Or(name, n)
		}
		return ""
	})
	return name
}

func replaceVariables(s string, value func(name string) string) string {
	before, rest, found := strings.Cut(s, "${")
	name, after, closed := strings.Cut(rest, "}")
	if !found || !closed {
		return s
	}
	return before + value(name) + replaceVariables(after, value)
}

// HomeDir is the home folder of the person that this process runs as.
func HomeDir() string {
	if home := localUser().home; home != "" {
		return home
	}
	return os.Getenv("HOME")
}
