package cli

import (
	_ "embed" // for the shells' scripts
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/holdfast/holdfast/cli/advice"
	"github.com/holdfast/holdfast/portable"
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

// completion prints a shell's script. The scripts ask complete.
func (s *session) completion(args []string) error {
	scripts := map[string]string{"bash": bashCompletion, "zsh": zshCompletion, "fish": fishCompletion}
	rest, err := parse(s.flags(), args)
	if err != nil {
		return err
	}
	if len(rest) != 1 || scripts[rest[0]] == "" {
		return advice.Misuse{Message: "which shell? bash, zsh or fish"}
	}
	s.out.text(scripts[rest[0]])
	return nil
}

// candidate is a word that can come next, and what it does.
type candidate struct{ word, does string }

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
		s.out.line("%s\t%s", c.word, c.does)
	}
	return nil
}

// flagsOf are the flags of each verb, beside those of all verbs.
var flagsOf = map[string][]candidate{
	"add":       {{"--on-demand", "up at the first connection"}, {"--manual", "up only when told"}},
	"status":    {{"--watch", "follow live"}, {"--waybar", "for bars"}},
	"up":        {{"--all", "all tunnels"}, {"--no-wait", "do not wait until it is so"}},
	"down":      {{"--all", "all tunnels"}, {"--no-wait", "do not wait until it is so"}},
	"restart":   {{"--all", "all tunnels"}, {"--no-wait", "do not wait until it is so"}},
	"reconnect": {{"--all", "all tunnels"}, {"--no-wait", "do not wait until it is so"}},
	"show":      {{"--changes", "what another text of its file would do"}},
	"explain":   {{"--all", "also what means nothing to a tunnel"}},
	"import":    {{"--yes", "write without asking"}, {"--dry-run", "only show"}},
	"export":    formatFlags(),
	"top":       {{"-d", "seconds between two looks"}, {"-n", "so often"}},
	"history":   {{"--since", "from then on; 7 days by default"}},
	"logs":      {{"-f", "follow"}, {"-n", "so many lines"}},
}

var flagsOfAll = []candidate{{"--json", "for scripts"}, {"--system", "the system's tunnels"}}

func formatFlags() []candidate { return formatWords("--format=") }

// formatWords are what --format= can be.
func formatWords(prefix string) []candidate {
	does := map[portable.Format]string{
		portable.SSH: "a command line", portable.Autossh: "a command line", portable.Systemd: "a unit", portable.Tunnel: "its file, drop-ins merged",
	}
	var all []candidate
	for _, f := range portable.Formats {
		all = append(all, candidate{prefix + string(f), does[f]})
	}
	return all
}

// candidates are the words that the last of words can become.
func (s *session) candidates(words []string) []candidate {
	last, before := words[len(words)-1], words[:len(words)-1]
	for len(before) > 0 && strings.HasPrefix(before[0], "--") {
		s.system = s.system || before[0] == "--system"
		before = before[1:]
	}
	var all []candidate
	switch {
	case len(before) == 0:
		for _, v := range verbs() {
			all = append(all, candidate{v.name, v.does})
		}
		all = append(all, flagsOfAll...)
	case strings.HasPrefix(last, "-"):
		all = append(slices.Clone(flagsOf[before[0]]), flagsOfAll...)
	default:
		all = s.candidatesFor(before[0], before[1:])
	}
	return slices.DeleteFunc(all, func(c candidate) bool { return !strings.HasPrefix(c.word, last) })
}

// candidatesFor are the words that can follow a verb and what stands behind it.
func (s *session) candidatesFor(verb string, before []string) []candidate {
	names := slices.DeleteFunc(slices.Clone(before), func(w string) bool { return strings.HasPrefix(w, "-") })
	switch verb {
	case "completion":
		return []candidate{{"bash", ""}, {"zsh", ""}, {"fish", ""}}
	case "add":
		if len(names) == 0 {
			return nil // a new name
		}
		return hosts()
	case "set":
		if len(names) == 0 {
			return s.tunnelNames(nil)
		}
		var keys []candidate
		for _, key := range tunnelfile.Keys() {
			keys = append(keys, candidate{key + "=", ""})
		}
		return keys
	case "export":
		if len(before) > 0 && before[len(before)-1] == "--format" {
			return formatWords("")
		}
		if len(names) == 0 {
			return s.tunnelNames(nil)
		}
	case "show":
		if slices.Contains(before, "--changes") && len(names) > 0 {
			return nil // a file
		}
		return s.tunnelNames(names)
	case "list", "status", "top", "history", "check", "up", "down", "restart", "reconnect", "remove":
		return s.tunnelNames(names)
	case "edit", "logs", "explain", "trust":
		if len(names) == 0 {
			return s.tunnelNames(nil)
		}
	}
	return nil
}

// tunnelNames are the names of all tunnels but these, from the folders alone.
func (s *session) tunnelNames(but []string) []candidate {
	var found []candidate
	for _, dir := range s.dirs() {
		paths, _ := filepath.Glob(filepath.Join(dir, "*"+tunnelfile.Suffix)) // the pattern is well-formed
		for _, path := range paths {
			name, ok := tunnelfile.NameOfFile(path)
			if !ok || slices.Contains(but, name) || slices.ContainsFunc(found, func(c candidate) bool { return c.word == name }) {
				continue
			}
			found = append(found, candidate{name, ""})
		}
	}
	return found
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
