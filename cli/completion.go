package cli

import (
	_ "embed" // for the shells' scripts
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/holdfast/holdfast/cli/advice"
	"github.com/holdfast/holdfast/cli/flags"
	"github.com/holdfast/holdfast/tunnelfile"
)

var (
	//go:embed completions/holdfast.bash
	bashCompletion string
	//go:embed completions/_holdfast
	zshCompletion string
	//go:embed completions/holdfast.fish
	fishCompletion string
)

var scripts = map[string]string{"bash": bashCompletion, "zsh": zshCompletion, "fish": fishCompletion}

func completionVerb() verb {
	return verb{
		name: "completion", args: "bash|zsh|fish", group: other,
		summary: "completions for your shell, to be sourced",
		about:   "They know verbs, flags, names, tags, keys and what keys can be. make install puts them where shells look.",
		examples: []example{
			{`eval "$(holdfast completion bash)"`, "in ~/.bashrc"},
			{"holdfast completion fish >~/.config/fish/completions/holdfast.fish", "once"},
		},
		noJSON: "it is for shells", noSystem: true,
		setup: plain((*session).completion),
		words: func(_ *session, before []string) []candidate {
			return []candidate{{"bash", ""}, {"zsh", ""}, {"fish", ""}}
		},
	}
}

// completion prints a shell's script. The scripts ask complete.
func (s *session) completion(args []string) error {
	if len(args) != 1 || scripts[args[0]] == "" {
		return advice.Misuse{Message: "which shell? bash, zsh or fish"}
	}
	s.out.text(scripts[args[0]])
	return nil
}

// candidate is a word that can come next, and what it does.
type candidate struct{ word, does string }

// wordsFor is what can follow a verb and the words before it.
type wordsFor func(s *session, before []string) []candidate

// complete prints what the last of the words, which follow "holdfast --", can become: a
// word to a line, a tab, and what it does. It asks no daemon: a shell does not wait.
func (s *session) complete(words []string) error {
	if len(words) > 0 && words[0] == "--" {
		words = words[1:]
	}
	if len(words) == 0 {
		words = []string{""}
	}
	for _, c := range s.candidates(words) {
		s.out.command(c.word + "\t" + c.does)
	}
	return nil
}

// candidates are the words that the last of words can become.
func (s *session) candidates(words []string) []candidate {
	last, before := words[len(words)-1], words[:len(words)-1]
	for len(before) > 0 && strings.HasPrefix(before[0], "--") {
		s.system = s.system || before[0] == "--system"
		before = before[1:]
	}
	var all []candidate
	if len(before) == 0 {
		for _, v := range verbs() {
			all = append(all, candidate{v.name, v.summary})
		}
		all = append(all, s.flagWords(verb{noSystem: false, setup: plain(nil)})...)
	} else if v, err := findVerb(before[0]); err == nil {
		all = s.candidatesFor(v, before[1:], last)
	}
	return slices.DeleteFunc(all, func(c candidate) bool {
		_, value, _ := strings.Cut(c.word, "=")
		isValue, wanted := value != "", strings.Contains(last, "=") // KEY= first, then what it can be
		return !strings.HasPrefix(c.word, last) || isValue != wanted && strings.Contains(c.word, "=")
	})
}

// candidatesFor are what the last word can become behind a verb and what follows it.
func (s *session) candidatesFor(v verb, before []string, last string) (all []candidate) {
	if len(before) > 0 { // -o WHAT
		if values := v.values[strings.TrimLeft(before[len(before)-1], "-")]; values != nil && flags.Is(before[len(before)-1]) {
			return asCandidates("", values)
		}
	}
	if flag, _, given := strings.Cut(last, "="); given && flags.Is(last) { // --sort=NAME
		return asCandidates(flag+"=", v.values[strings.TrimLeft(flag, "-")])
	}
	if strings.HasPrefix(last, "-") {
		return s.flagWords(v)
	}
	if v.words == nil {
		return nil
	}
	names := slices.DeleteFunc(slices.Clone(before), func(w string) bool {
		s.system = s.system || w == "--system"
		return flags.Is(w)
	})
	all = v.words(s, names)
	if strings.HasPrefix(last, "@") {
		all = append(all, s.tags()...)
	}
	return all
}

func asCandidates(prefix string, words []string) (all []candidate) {
	for _, w := range words {
		all = append(all, candidate{prefix + w, ""})
	}
	return all
}

// flagWords are a verb's flags as they are typed.
func (s *session) flagWords(v verb) (all []candidate) {
	for _, f := range s.flagsOf(v) {
		for spelling := range strings.SplitSeq(f.word, ", ") {
			word, _, _ := strings.Cut(spelling, " ")
			if before, _, ok := strings.Cut(word, "="); ok {
				word = before + "="
			}
			all = append(all, candidate{word, f.does})
		}
	}
	return all
}

func verbNames(_ *session, before []string) (all []candidate) {
	for _, v := range verbs() {
		if len(before) == 0 {
			all = append(all, candidate{v.name, v.summary})
		}
	}
	return all
}

// oneName is a tunnel's name, and nothing behind it.
func oneName(s *session, before []string) []candidate {
	if len(before) > 0 {
		return nil
	}
	return s.tunnelNames(nil)
}

// manyNames is tunnels' names, each once.
func manyNames(s *session, before []string) []candidate { return s.tunnelNames(before) }

// newNameThenHost is for add: nothing is known of a new name.
func newNameThenHost(_ *session, before []string) []candidate {
	if len(before) == 0 {
		return nil
	}
	return hosts()
}

// namesOrFile is for show: names, or behind --changes a name and a file.
func namesOrFile(s *session, before []string) []candidate {
	if slices.Contains(before, "--changes") {
		return nil
	}
	return s.tunnelNames(before)
}

// wordsToSet is for set: names, then keys and what they can be.
func wordsToSet(s *session, before []string) (all []candidate) {
	if !slices.ContainsFunc(before, func(w string) bool { return strings.Contains(w, "=") }) {
		all = s.tunnelNames(before)
	}
	if len(before) == 0 {
		return all
	}
	for _, key := range tunnelfile.Keys() {
		all = append(all, candidate{key + "=", ""})
		for _, value := range valuesOf[key] {
			all = append(all, candidate{key + "=" + value, ""})
		}
	}
	return all
}

// valuesOf are what keys of [Tunnel] can be, where that is a few words.
var valuesOf = map[string][]string{
	"Start":      {string(tunnelfile.StartAuto), string(tunnelfile.StartOnDemand), string(tunnelfile.StartManual)},
	"Transport":  {string(tunnelfile.TransportAuto), string(tunnelfile.TransportNative), string(tunnelfile.TransportOpenSSH)},
	"AllowUsers": {"any", "self"},
	"Check":      {"none", "connect"},
	"Metered":    {"yes", "no"},
}

// tunnelNames are the names of all tunnels but these, from the folders alone.
func (s *session) tunnelNames(but []string) []candidate {
	seen := make(map[string]bool)
	for _, name := range but {
		seen[name] = true
	}
	var found []candidate
	for _, dir := range s.dirs() {
		paths, _ := filepath.Glob(filepath.Join(dir, "*"+tunnelfile.Suffix)) // the pattern is well-formed
		for _, path := range paths {
			if name, ok := tunnelfile.NameOfFile(path); ok && !seen[name] {
				seen[name] = true
				found = append(found, candidate{name, ""})
			}
		}
	}
	return found
}

// tags are the tags of all tunnels.
func (s *session) tags() (found []candidate) {
	tunnels, _ := s.dirs().LoadAll() // one that cannot be read has none
	var tags []string
	for _, t := range tunnels {
		tags = append(tags, t.Tags...)
	}
	slices.Sort(tags)
	return asCandidates("@", slices.Compact(tags))
}

// hosts are the hosts that the person's ssh_config(5) names.
func hosts() []candidate {
	home, err := os.UserHomeDir()
	if err != nil {
		return nil
	}
	text, err := os.ReadFile(filepath.Join(home, ".ssh", "config"))
	if err != nil {
		return nil
	}
	var found []candidate
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(strings.Replace(line, "=", " ", 1))
		if len(fields) < 2 || !strings.EqualFold(fields[0], "Host") {
			continue
		}
		for _, host := range fields[1:] {
			if !strings.ContainsAny(host, "*?!#") {
				found = append(found, candidate{host, "from ~/.ssh/config"})
			}
		}
	}
	return found
}
