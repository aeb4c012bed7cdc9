// Package completion has the completion scripts of shells, and prints the words that they ask for. It
// never asks the daemon, since a shell does not wait.
package completion

import (
	_ "embed" // for the shells' scripts
	"slices"
	"strings"

	"github.com/holdfast/holdfast/cli/advice"
	"github.com/holdfast/holdfast/cli/flags"
	"github.com/holdfast/holdfast/cli/session"
	"github.com/holdfast/holdfast/cli/verb"
)

var (
	//go:embed holdfast.bash
	bashCompletion string
	//go:embed _holdfast
	zshCompletion string
	//go:embed holdfast.fish
	fishCompletion string
)

var scripts = map[string]string{"bash": bashCompletion, "zsh": zshCompletion, "fish": fishCompletion}

// Verb is the verb completion.
func Verb() verb.Verb {
	return verb.Verb{
		Name: "completion", Args: "bash|zsh|fish", Group: verb.Other,
		Summary: "print completions for your shell",
		About:   "They know verbs, flags, names, tags, keys and the values of keys. make install puts them where shells look.",
		Examples: []verb.Example{
			{Command: `eval "$(holdfast completion bash)"`, Does: "a line for ~/.bashrc"},
			{Command: "holdfast completion fish >~/.config/fish/completions/holdfast.fish", Does: "run this once"},
		},
		NoJSON: "it is for shells", NoSystem: true,
		Setup: verb.Plain(printScript),
		Words: func(_ *session.Session, before []string) []verb.Word {
			return []verb.Word{{Word: "bash", Does: ""}, {Word: "zsh", Does: ""}, {Word: "fish", Does: ""}}
		},
	}
}

// printScript prints a shell's script. The scripts call holdfast complete.
func printScript(s *session.Session, args []string) error {
	if len(args) != 1 || scripts[args[0]] == "" {
		return advice.Misuse{Message: "which shell? bash, zsh or fish"}
	}
	s.Out.Text(scripts[args[0]])
	return nil
}

// Complete prints what the last word can become: a candidate per line, a tab, and what it does. The
// words are those after "holdfast complete --".
func Complete(s *session.Session, verbs verb.List, words []string) error {
	if len(words) > 0 && words[0] == "--" {
		words = words[1:]
	}
	if len(words) == 0 {
		words = []string{""}
	}
	for _, c := range candidates(s, verbs, words) {
		s.Out.Command(c.Word + "\t" + c.Does)
	}
	return nil
}

// candidates returns what the last word can become.
func candidates(s *session.Session, verbs verb.List, words []string) []verb.Word {
	last, before := words[len(words)-1], words[:len(words)-1]
	for len(before) > 0 && strings.HasPrefix(before[0], "--") {
		s.System = s.System || before[0] == "--system"
		before = before[1:]
	}
	var all []verb.Word
	if len(before) == 0 {
		all = append(verbs.Words(), flagWords(s, verb.Verb{Setup: verb.Plain(nil)})...)
	} else if v, err := verbs.Find(before[0]); err == nil {
		all = candidatesFor(s, v, before[1:], last)
	}
	return slices.DeleteFunc(all, func(c verb.Word) bool {
		_, value, _ := strings.Cut(c.Word, "=")
		isValue, wanted := value != "", strings.Contains(last, "=") // first KEY=, then its values
		return !strings.HasPrefix(c.Word, last) || isValue != wanted && strings.Contains(c.Word, "=")
	})
}

// candidatesFor returns what the last word can become after a verb and the words before.
func candidatesFor(s *session.Session, v verb.Verb, before []string, last string) (all []verb.Word) {
	if len(before) > 0 { // -o WHAT
		if values := v.Values[strings.TrimLeft(before[len(before)-1], "-")]; values != nil && flags.Is(before[len(before)-1]) {
			return verb.AsWords("", values)
		}
	}
	if flag, _, given := strings.Cut(last, "="); given && flags.Is(last) { // --sort=NAME
		return verb.AsWords(flag+"=", v.Values[strings.TrimLeft(flag, "-")])
	}
	if strings.HasPrefix(last, "-") {
		return flagWords(s, v)
	}
	words := v.Words
	names := slices.DeleteFunc(slices.Clone(before), func(w string) bool {
		s.System = s.System || w == "--system"
		if others := v.WordsAfter[w]; others != nil {
			words = others
		}
		return flags.Is(w)
	})
	if words == nil {
		return nil
	}
	all = words(s, names)
	if strings.HasPrefix(last, "@") {
		all = append(all, verb.Tags(s)...)
	}
	return all
}

// flagWords are a verb's flags as a person types them.
func flagWords(s *session.Session, v verb.Verb) (all []verb.Word) {
	for _, f := range v.Flags(s) {
		for spelling := range strings.SplitSeq(f.Word, ", ") {
			word, _, _ := strings.Cut(spelling, " ")
			if before, _, ok := strings.Cut(word, "="); ok {
				word = before + "="
			}
			all = append(all, verb.Word{Word: word, Does: f.Does})
		}
	}
	return all
}
