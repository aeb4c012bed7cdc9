package tray

import (
	"slices"
	"strings"

	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/tunnelfile"
)

// help is what helps a tunnel that needs a person most, and how that is called. What is
// wrong only its status line tells. To "answer" is to try again: a new try asks whatever
// there is to ask, and we are there to answer.
func help(t listing.Tunnel) (verb, label string) {
	says := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(t.Status, w) })
	}
	switch {
	case t.State == tunnelfile.Failed:
		return "log", "Show log"
	case says("needs an answer for "):
		return "answer", questionLabel(t.Status)
	case says("needs a passphrase for ", "given a wrong passphrase for "):
		return "answer", "Enter passphrase…"
	case says("needs the PIN of ", "given a wrong PIN for "):
		return "answer", "Enter PIN…"
	case says("needs a password for "):
		return "answer", "Enter password…"
	case says("host key of ") && says(" is not known and "):
		return "answer", "Review host key…"
	case says("host key of "): // StrictHostKeyChecking forbids to ask, or it has changed
		return "trust", "Review host key…"
	}
	// A key that was refused is refused again; what is typed may be another.
	switch tried := tried(t.Status); {
	case slices.Contains(tried, "password"):
		return "answer", "Enter password…"
	case slices.Contains(tried, "keyboard-interactive"):
		return "answer", "Log in…"
	}
	return "log", "Show log"
}

// questionLabel is what answering a server's question is called, which the status quotes.
func questionLabel(status string) string {
	_, question, _ := strings.Cut(strings.ToLower(status), `: "`) // the account comes before
	asks := func(word string) bool { return strings.Contains(question, word) }
	switch {
	case asks("password"):
		return "Enter password…"
	case asks("code"), asks("one-time"), asks("otp"):
		return "Enter code…"
	}
	return "Answer…"
}

// tried is the ways to log in that a server refused.
func tried(status string) []string {
	_, list, _ := strings.Cut(status, "tried ")
	list, _, _ = strings.Cut(list, ";")
	return strings.Split(list, ", ")
}
