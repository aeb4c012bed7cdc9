package check

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"os/user"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/sshlink/config"
	"github.com/holdfast/holdfast/tunnelfile"
)

// redactor removes from a text what identifies a person or the tunnels' destinations: known words, and
// whatever looks like an address, a path or a key. A word always gets the same stand-in, so that a
// reader can see which parts belong together. It removes too much rather than too little.
type redactor struct {
	known  map[string]string // word → kind
	given  map[string]string // removed word → stand-in
	counts map[string]int    // kind → how many
}

// The kinds of removed words.
const (
	aHost    = "host"
	aUser    = "user"
	aPath    = "path"
	aKey     = "key"
	aName    = "tunnel"
	aSetting = "setting"
)

// patterns are applied in this order, after the known words.
var patterns = []struct {
	kind  string
	looks *regexp.Regexp
}{
	{aKey, regexp.MustCompile(`(?:SHA256:|MD5:)[A-Za-z0-9+/=:]+|AAAA[A-Za-z0-9+/=]{20,}|\b[0-9a-fA-F]{32,}\b`)},
	{aPath, regexp.MustCompile(`(?:~|/)[\w@%+.,-]*(?:/[\w@%+.,-]+)+/?|~[\w-]*|/[\w@%+.,-]+`)},
	{aHost, regexp.MustCompile(`\b\d{1,3}(?:\.\d{1,3}){3}\b|\[?[0-9a-fA-F]{0,4}(?::[0-9a-fA-F]{0,4}){2,7}(?:%\w+)?\]?`)},
	{aHost, regexp.MustCompile(`\b[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.[A-Za-z][A-Za-z0-9-]+\b`)},
	{aUser, regexp.MustCompile(`[\w.+-]*@[\w.-]+|[\w.+-]+@`)},
}

// publicPaths are prefixes of paths that every machine has. publicNames are words with a dot that are
// not hosts.
var (
	publicPaths = []string{"/usr/", "/lib/", "/bin/", "/sbin/", "/proc/", "/dev/", "/etc/ssh/ssh_config", "/etc/systemd/", "/etc/holdfast/system/", "/run/systemd/"}
	publicNames = regexp.MustCompile(`\.(?:service|socket|slice|tunnel|conf|target|go|com)$|^org\.|^holdfast|^io\.github\.|@openssh`)
)

func newRedactor() *redactor {
	r := &redactor{make(map[string]string), make(map[string]string), make(map[string]int)}
	if u, err := user.Current(); err == nil {
		r.know(aUser, u.Username)
		for _, name := range strings.Fields(u.Name) {
			r.know(aUser, strings.Trim(name, ","))
		}
		r.know(aPath, u.HomeDir)
	}
	r.know(aPath, os.Getenv("HOME"))
	for _, name := range []string{"USER", "LOGNAME"} {
		r.know(aUser, os.Getenv(name))
	}
	if host, err := os.Hostname(); err == nil {
		r.know(aHost, host)
		short, _, _ := strings.Cut(host, ".")
		r.know(aHost, short)
	}
	return r
}

// know adds a word to remove. Numbers and words that identify nobody are ignored.
func (r *redactor) know(kind, word string) {
	if _, err := strconv.Atoi(word); word == "" || word == "*" || word == "/" || word == "localhost" || err == nil {
		return
	}
	if r.known[word] == "" {
		r.known[word] = kind
	}
}

// tunnel adds the private words of a tunnel's file. o is what ssh_config makes of its destination, or
// nil if that is not known.
func (r *redactor) tunnel(t tunnelfile.Tunnel, o *config.Options) {
	r.know(aName, t.Name)
	user, host, _ := tunnelfile.DestinationParts(t.Destination)
	r.know(aUser, user)
	r.know(aHost, host)
	for _, f := range t.Forwards {
		for _, a := range []tunnelfile.Address{f.Listen, f.Target} {
			r.know(aPath, a.Unix)
			r.know(aHost, a.Host)
		}
	}
	if t.Description != t.Destination {
		r.know(aSetting, t.Description)
	}
	for _, words := range [][]string{t.Tags, t.OnlyOn, t.NeverOn} {
		for _, word := range words {
			r.know(aSetting, word)
		}
	}
	for _, s := range slices.Concat(t.SSH, t.Unit, t.Service) {
		r.value(s.Value)
	}
	for _, command := range slices.Concat(t.ExecUp, t.ExecDown) {
		for _, word := range command {
			r.value(word)
		}
	}
	if o != nil {
		r.know(aHost, o.HostName)
		r.know(aUser, o.User)
	}
}

// plainValue matches values that identify nobody.
var plainValue = regexp.MustCompile(`^(?:yes|no|true|false|none|auto|ask|any|accept-new|[0-9.]+[smhdKMG]?|[+^-]?[a-z0-9,*@.-]*(?:openssh\.com|sha2-\d+|gcm|ctr|ed25519|curve25519)[a-z0-9,*@.-]*)$`)

// value adds the words of a setting, except plain ones.
func (r *redactor) value(value string) {
	for _, word := range strings.FieldsFunc(value, func(c rune) bool { return strings.ContainsRune(" \t\"',=@", c) }) {
		for _, part := range append(strings.Split(word, ":"), word) {
			if !plainValue.MatchString(part) {
				r.know(aSetting, part)
			}
		}
	}
}

// standIn is the stand-in for a word, always the same one.
func (r *redactor) standIn(kind, of string) string {
	if r.given[of] == "" {
		r.counts[kind]++
		r.given[of] = fmt.Sprintf("<%s-%d>", kind, r.counts[kind])
	}
	return r.given[of]
}

// line makes a text one printable line and removes the private words.
func (r *redactor) line(line string) string {
	line = text.Printable(line)
	words := slices.SortedFunc(maps.Keys(r.known), func(a, b string) int { return cmp.Or(len(b)-len(a), cmp.Compare(a, b)) })
	line = outside(line, func(part string) string {
		for _, word := range words {
			part = outside(part, func(part string) string {
				return replaceWord(part, word, func() string { return r.standIn(r.known[word], word) })
			})
		}
		return part
	})
	for _, p := range patterns {
		line = outside(line, func(part string) string {
			return p.looks.ReplaceAllStringFunc(part, func(found string) string {
				if p.kind == aPath && slices.ContainsFunc(publicPaths, func(public string) bool { return strings.HasPrefix(path.Clean(found)+"/", public) }) ||
					publicNames.MatchString(found) || p.kind == aHost && (!strings.ContainsAny(found, "0123456789abcdefABCDEF") || found == "127.0.0.1" || found == "::1" || found == "[::1]") {
					return found
				}
				return r.standIn(p.kind, found)
			})
		})
	}
	return line
}

// standIns matches stand-ins.
var standIns = regexp.MustCompile(`<[a-z]+-\d+>`)

// outside applies change to the parts of a text between its stand-ins.
func outside(line string, change func(string) string) string {
	var b strings.Builder
	for {
		at := standIns.FindStringIndex(line)
		if at == nil {
			return b.String() + change(line)
		}
		b.WriteString(change(line[:at[0]]) + line[at[0]:at[1]])
		line = line[at[1]:]
	}
}

// replaceWord replaces a word wherever no letter or digit touches it.
func replaceWord(line, word string, by func() string) string {
	isLetter := func(c byte) bool { return c == '_' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' }
	var b strings.Builder
	for {
		i := strings.Index(line, word)
		if i < 0 {
			return b.String() + line
		}
		end := i + len(word)
		if i > 0 && isLetter(line[i-1]) && isLetter(word[0]) || end < len(line) && isLetter(line[end]) && isLetter(word[len(word)-1]) {
			b.WriteString(line[:end])
		} else {
			b.WriteString(line[:i] + by())
		}
		line = line[end:]
	}
}

// summary counts the removed words by kind.
func (r *redactor) summary() string {
	var parts []string
	for _, kind := range []string{aHost, aUser, aPath, aKey, aName, aSetting} {
		if n := r.counts[kind]; n > 0 {
			parts = append(parts, text.Count(n, kind))
		}
	}
	return cmp.Or(strings.Join(parts, ", "), "nothing")
}
