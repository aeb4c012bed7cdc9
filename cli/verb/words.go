package verb

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/holdfast/holdfast/cli/session"
	"github.com/holdfast/holdfast/tunnelfile"
)

// Word is a candidate for completion or a word in help, and what it does.
type Word struct{ Word, Does string }

// WordsFor returns candidates for the next argument. before are the arguments so far.
type WordsFor func(s *session.Session, before []string) []Word

// AsWords makes candidates without a description, each with a prefix.
func AsWords(prefix string, words []string) (all []Word) {
	for _, w := range words {
		all = append(all, Word{prefix + w, ""})
	}
	return all
}

// OneName completes one tunnel's name.
func OneName(s *session.Session, before []string) []Word {
	if len(before) > 0 {
		return nil
	}
	return TunnelNames(s, nil)
}

// ManyNames completes tunnels' names, each once.
func ManyNames(s *session.Session, before []string) []Word { return TunnelNames(s, before) }

// NewNameThenHost completes for add: nothing for the new name, then hosts.
func NewNameThenHost(_ *session.Session, before []string) []Word {
	if len(before) == 0 {
		return nil
	}
	return Hosts()
}

// WordsToSet completes for set: names, then keys and their values.
func WordsToSet(s *session.Session, before []string) (all []Word) {
	if !slices.ContainsFunc(before, func(w string) bool { return strings.Contains(w, "=") }) {
		all = TunnelNames(s, before)
	}
	if len(before) == 0 {
		return all
	}
	for _, key := range tunnelfile.Keys() {
		all = append(all, Word{key + "=", ""})
		for _, value := range valuesOf[key] {
			all = append(all, Word{key + "=" + value, ""})
		}
	}
	return all
}

// valuesOf are the possible values of keys in [Tunnel] that have only a few.
var valuesOf = map[string][]string{
	"Start":       {string(tunnelfile.StartAuto), string(tunnelfile.StartOnDemand), string(tunnelfile.StartManual)},
	"Transport":   {string(tunnelfile.TransportAuto), string(tunnelfile.TransportNative), string(tunnelfile.TransportOpenSSH)},
	"AllowUsers":  {"any", "self"},
	"Connections": {"auto"},
	"Check":       {"none", "connect"},
	"NoDelay":     {"yes", "no"},
	"Metered":     {"yes", "no"},
}

// TunnelNames returns the names of all tunnels except those in but, from the folders alone.
func TunnelNames(s *session.Session, but []string) []Word {
	seen := make(map[string]bool)
	for _, name := range but {
		seen[name] = true
	}
	var found []Word
	for _, dir := range s.Dirs() {
		paths, _ := filepath.Glob(filepath.Join(dir, "*"+tunnelfile.Suffix)) // the error is only for a malformed pattern
		for _, path := range paths {
			if name, ok := tunnelfile.NameOfFile(path); ok && !seen[name] {
				seen[name] = true
				found = append(found, Word{name, ""})
			}
		}
	}
	return found
}

// Tags are the tags of all tunnels.
func Tags(s *session.Session) (found []Word) {
	tunnels, _ := s.Dirs().LoadAll() // a file with errors has no tags
	var tags []string
	for _, t := range tunnels {
		tags = append(tags, t.Tags...)
	}
	slices.Sort(tags)
	return AsWords("@", slices.Compact(tags))
}

// Hosts returns the names after Host in ~/.ssh/config, see ssh_config(5), without patterns.
func Hosts() []Word {
	home, err := os.UserHomeDir()
	if err != nil {
		return nil
	}
	text, err := os.ReadFile(filepath.Join(home, ".ssh", "config"))
	if err != nil {
		return nil
	}
	var found []Word
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(strings.Replace(line, "=", " ", 1))
		if len(fields) < 2 || !strings.EqualFold(fields[0], "Host") {
			continue
		}
		for _, host := range fields[1:] {
			if !strings.ContainsAny(host, "*?!#") {
				found = append(found, Word{host, "from ~/.ssh/config"})
			}
		}
	}
	return found
}
