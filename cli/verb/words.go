package verb

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/holdfast/holdfast/cli/session"
	"github.com/holdfast/holdfast/tunnelfile"
)

// Word is a word that can come next, and what it does.
type Word struct{ Word, Does string }

// WordsFor is what can follow a verb and the words before it.
type WordsFor func(s *session.Session, before []string) []Word

// AsWords are words that need no explanation, behind a prefix.
func AsWords(prefix string, words []string) (all []Word) {
	for _, w := range words {
		all = append(all, Word{prefix + w, ""})
	}
	return all
}

// OneName is a tunnel's name, and nothing behind it.
func OneName(s *session.Session, before []string) []Word {
	if len(before) > 0 {
		return nil
	}
	return TunnelNames(s, nil)
}

// ManyNames is tunnels' names, each once.
func ManyNames(s *session.Session, before []string) []Word { return TunnelNames(s, before) }

// NewNameThenHost is for add: nothing is known of a new name.
func NewNameThenHost(_ *session.Session, before []string) []Word {
	if len(before) == 0 {
		return nil
	}
	return Hosts()
}

// NamesOrFile is for show: names, or behind --changes a name and a file.
func NamesOrFile(s *session.Session, before []string) []Word {
	if slices.Contains(before, "--changes") {
		return nil
	}
	return TunnelNames(s, before)
}

// WordsToSet is for set: names, then keys and what they can be.
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

// valuesOf are what keys of [Tunnel] can be, where that is a few words.
var valuesOf = map[string][]string{
	"Start":       {string(tunnelfile.StartAuto), string(tunnelfile.StartOnDemand), string(tunnelfile.StartManual)},
	"Transport":   {string(tunnelfile.TransportAuto), string(tunnelfile.TransportNative), string(tunnelfile.TransportOpenSSH)},
	"AllowUsers":  {"any", "self"},
	"Connections": {"auto"},
	"Check":       {"none", "connect"},
	"NoDelay":     {"yes", "no"},
	"Metered":     {"yes", "no"},
}

// TunnelNames are the names of all tunnels but these, from the folders alone.
func TunnelNames(s *session.Session, but []string) []Word {
	seen := make(map[string]bool)
	for _, name := range but {
		seen[name] = true
	}
	var found []Word
	for _, dir := range s.Dirs() {
		paths, _ := filepath.Glob(filepath.Join(dir, "*"+tunnelfile.Suffix)) // the pattern is well-formed
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
	tunnels, _ := s.Dirs().LoadAll() // one that cannot be read has none
	var tags []string
	for _, t := range tunnels {
		tags = append(tags, t.Tags...)
	}
	slices.Sort(tags)
	return AsWords("@", slices.Compact(tags))
}

// Hosts are the hosts that the person's ssh_config(5) names.
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
