// Package verb has the parts of a verb of holdfast: its help page, its flags, its code, and completion.
// The verbs themselves are in package cli and its subpackages.
package verb

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/holdfast/holdfast/cli/advice"
	"github.com/holdfast/holdfast/cli/flags"
	"github.com/holdfast/holdfast/cli/session"
	"github.com/holdfast/holdfast/internal/text"
)

// Verb is one verb: its help page, its flags and what it does.
type Verb struct {
	Name    string
	Args    string // its arguments, as in "NAME…"
	Group   Group
	Summary string // one line, without a full stop
	// About is the rest of the help page: paragraphs separated by empty lines. A paragraph with
	// indented lines is a list: in each line a word, two spaces, and its meaning.
	About    string
	Examples []Example

	NoJSON   string // why it has no --json; "" if it has
	NoSystem bool   // it has no --system

	// Setup declares the verb's flags and returns its code.
	Setup func(f *flag.FlagSet) Command
	// OwnFlags are shown in help. A verb that has them parses its arguments itself, since ssh's
	// flags are among them.
	OwnFlags []Word

	Values map[string][]string // values of flags, for completion
	Words  WordsFor            // further arguments, for completion; nil if none are known
	// WordsAfter are other arguments that follow a flag. Where there are none, shells complete files.
	WordsAfter map[string]WordsFor
}

// Command runs a verb with its arguments.
type Command func(s *session.Session, args []string) error

// Plain is the Setup of a verb without flags of its own.
func Plain(do Command) func(*flag.FlagSet) Command {
	return func(*flag.FlagSet) Command { return do }
}

// One is the Command of a verb whose only argument is a tunnel's name.
func One(do func(s *session.Session, name string) error) Command {
	return func(s *session.Session, args []string) error {
		switch len(args) {
		case 0:
			return advice.Misuse{Message: "which tunnel?"}
		case 1:
			return do(s, args[0])
		}
		return advice.Misuse{Message: "one tunnel at a time"}
	}
}

// Example is a command line and what it does.
type Example struct{ Command, Does string }

// List is verbs in the order of help.
type List []Verb

// Group is a group of verbs in help.
type Group int

// The groups in the order of help.
const (
	Looking Group = iota
	Running
	Making
	Finding
	Other
)

// GroupTitles are the titles of the groups in help.
var GroupTitles = []string{
	Looking: "See how tunnels are", Running: "Bring them up and down", Making: "Make and change them",
	Finding: "Find out why", Other: "Other",
}

// otherWords maps words that people try to the verbs that they mean.
var otherWords = map[string]string{
	"start": "up", "connect": "up", "doctor": "check", "diagnose": "check", "test": "check", "stop": "down", "disconnect": "down",
	"ls": "list", "rm": "remove", "delete": "remove", "del": "remove", "cat": "show", "mv": "rename", "cp": "clone", "copy": "clone",
	"log": "logs", "journal": "logs", "st": "status", "create": "add", "new": "add", "reload": "restart", "why": "explain", "man": "help",
}

// Sentence is the summary as a sentence.
func (v Verb) Sentence() string {
	return strings.ToUpper(v.Summary[:1]) + v.Summary[1:] + "."
}

// Paragraph is a paragraph of a help page: either Text or List.
type Paragraph struct {
	Text string
	List []Word
}

// Paragraphs parses About.
func (v Verb) Paragraphs() (all []Paragraph) {
	if v.About == "" {
		return nil
	}
	for part := range strings.SplitSeq(strings.TrimSpace(v.About), "\n\n") {
		if !strings.HasPrefix(part, "  ") {
			all = append(all, Paragraph{Text: strings.Join(strings.Fields(part), " ")})
			continue
		}
		var p Paragraph
		for line := range strings.SplitSeq(part, "\n") {
			word, does, _ := strings.Cut(strings.TrimSpace(line), "  ")
			p.List = append(p.List, Word{word, strings.TrimSpace(does)})
		}
		all = append(all, p)
	}
	return all
}

// Flags are the verb's own flags, then the common ones, with short names and defaults.
func (v Verb) Flags(s *session.Session) (list []Word) {
	f := s.FlagSet(v.Name)
	v.Setup(f)
	var general []Word
	shorter := make(map[string]string)
	f.VisitAll(func(one *flag.Flag) {
		if long, ok := strings.CutPrefix(one.Usage, flags.ShortOf); ok {
			shorter[long] = flags.Spelled(one.Name) + ", "
		}
	})
	f.VisitAll(func(one *flag.Flag) {
		if strings.HasPrefix(one.Usage, flags.ShortOf) {
			return
		}
		arg, usage := flag.UnquoteUsage(one)
		word := shorter[one.Name] + flags.Spelled(one.Name)
		switch {
		case flags.IsSwitch(one):
		case len(one.Name) == 1:
			word += " " + arg
		default:
			word += "=" + arg
		}
		if !flags.IsSwitch(one) && one.DefValue != "" && one.DefValue != "0" {
			usage += "; " + one.DefValue + " by default"
		}
		switch {
		case one.Name == "json" && v.NoJSON != "", one.Name == "system" && v.NoSystem:
		case one.Name == "json" || one.Name == "system" || one.Name == "color":
			general = append(general, Word{word, usage})
		default:
			list = append(list, Word{word, usage})
		}
	})
	return append(append(list, v.OwnFlags...), general...)
}

// Find returns the verb with this name. The error may suggest another one.
func (all List) Find(word string) (Verb, error) {
	if i := slices.IndexFunc(all, func(v Verb) bool { return v.Name == word }); i >= 0 {
		return all[i], nil
	}
	names := slices.Collect(maps.Keys(otherWords))
	for _, v := range all {
		names = append(names, v.Name)
	}
	slices.Sort(names)
	nearest := text.Nearest(word, names)
	meant := cmp.Or(otherWords[word], otherWords[nearest], nearest)
	if meant == "" {
		return Verb{}, advice.Misuse{Message: fmt.Sprintf("no verb %q", word), Usage: "holdfast help"}
	}
	return Verb{}, advice.Misuse{Message: fmt.Sprintf("no verb %q; did you mean %s?", word, meant), Usage: "holdfast help " + meant}
}

// Words are the verbs as candidates for completion.
func (all List) Words() (words []Word) {
	for _, v := range all {
		words = append(words, Word{v.Name, v.Summary})
	}
	return words
}
