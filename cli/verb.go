package cli

import (
	"flag"
	"fmt"
	"slices"

	"github.com/holdfast/holdfast/cli/advice"
	"github.com/holdfast/holdfast/internal/text"
)

// verb is one word after holdfast: its page, its flags, and what it does.
type verb struct {
	name    string
	args    string // what follows it: "NAME…"
	group   group
	summary string // a line, without a full stop
	// about is the rest of its page: paragraphs with an empty line between them. A paragraph
	// whose lines stand in is a list of words and what they mean, with two spaces in between.
	about    string
	examples []example

	noJSON   string // why it has no --json; "" where it has
	noSystem bool   // it is not about tunnels

	// setup declares the verb's flags and returns what it does with the other arguments.
	setup func(f *flag.FlagSet) command
	// ownFlags are told in help; the verb reads its arguments itself, since they are ssh's.
	ownFlags []candidate

	values map[string][]string // of flags, for completion
	words  wordsFor            // what can follow, for completion; nil: nothing known
}

// command is what a verb does with its arguments.
type command func(s *session, args []string) error

// plain is the setup of a verb without flags of its own.
func plain(do command) func(*flag.FlagSet) command {
	return func(*flag.FlagSet) command { return do }
}

// example is a command line, and what it does.
type example struct{ command, does string }

// group is verbs that serve one wish.
type group int

const (
	looking group = iota
	running
	making
	finding
	other
)

var groupTitles = []string{
	looking: "See how tunnels are", running: "Bring them up and down", making: "Make and change them",
	finding: "Find out why", other: "Besides",
}

// verbs in the order help shows them.
func verbs() []verb {
	return []verb{
		listVerb(), statusVerb(), topVerb(), logsVerb(), historyVerb(),
		upVerb(), downVerb(), restartVerb(), reconnectVerb(), enableVerb(), disableVerb(),
		addVerb(), setVerb(), editVerb(), showVerb(), renameVerb(), cloneVerb(), removeVerb(), importVerb(), exportVerb(),
		checkVerb(), explainVerb(), trustVerb(),
		metricsVerb(), demoVerb(), completionVerb(), versionVerb(), helpVerb(),
	}
}

// otherWords is what people try, and the verb they mean.
var otherWords = map[string]string{
	"start": "up", "connect": "up", "doctor": "check", "diagnose": "check", "test": "check", "stop": "down", "disconnect": "down",
	"ls": "list", "rm": "remove", "delete": "remove", "del": "remove", "cat": "show", "mv": "rename", "cp": "clone", "copy": "clone",
	"log": "logs", "journal": "logs", "st": "status", "create": "add", "new": "add", "reload": "restart", "why": "explain", "man": "help",
}

// findVerb is the verb of this name.
func findVerb(word string) (verb, error) {
	all := verbs()
	if i := slices.IndexFunc(all, func(v verb) bool { return v.name == word }); i >= 0 {
		return all[i], nil
	}
	var names []string
	for _, v := range all {
		names = append(names, v.name)
	}
	for tried := range otherWords {
		names = append(names, tried)
	}
	slices.Sort(names)
	meant := word
	if otherWords[meant] == "" {
		meant = text.Nearest(word, names)
	}
	if otherWords[meant] != "" {
		meant = otherWords[meant]
	}
	if meant != "" {
		return verb{}, advice.Misuse{Message: fmt.Sprintf("no verb %q; did you mean %s?", word, meant), Usage: "holdfast help " + meant}
	}
	return verb{}, advice.Misuse{Message: fmt.Sprintf("no verb %q", word), Usage: "holdfast help"}
}
