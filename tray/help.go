package tray

import (
	"regexp"

	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/tunnelfile"
)

// remedies is what helps a tunnel whose status line has these words: what a click does, and
// how that is called. To "answer" is to try again: a new try asks whatever there is to ask,
// and we are there to answer. The first that fits counts.
var remedies = []struct {
	status      *regexp.Regexp
	verb, label string
}{
	{regexp.MustCompile(`needs an answer for .*(?i:password)`), "answer", "Enter password…"},
	{regexp.MustCompile(`needs an answer for .*(?i:code|one-time|otp)`), "answer", "Enter code…"},
	{regexp.MustCompile(`needs an answer for `), "answer", "Answer…"},
	{regexp.MustCompile(`(needs a|given a wrong) passphrase for `), "answer", "Enter passphrase…"},
	{regexp.MustCompile(`(needs the PIN of|given a wrong PIN for) `), "answer", "Enter PIN…"},
	{regexp.MustCompile(`needs a password for `), "answer", "Enter password…"},
	// Where StrictHostKeyChecking forbids to ask, only the terminal can record the key.
	{regexp.MustCompile(`host key of \S+ is not known and `), "answer", "Review host key…"},
	{regexp.MustCompile(`host key of `), "trust", "Review host key…"},
	// A key that was refused is refused again; what is typed may be another.
	{regexp.MustCompile(`tried ([^;]*, )?password(;|$)`), "answer", "Enter password…"},
	{regexp.MustCompile(`tried ([^;]*, )?keyboard-interactive(,|;|$)`), "answer", "Log in…"},
}

// help is what helps a tunnel that needs a person most, and how that is called. What is
// wrong only its status line tells.
func help(t dbusapi.Tunnel) (verb, label string) {
	if t.State != tunnelfile.Failed {
		for _, r := range remedies {
			if r.status.MatchString(t.Status) {
				return r.verb, r.label
			}
		}
	}
	return "log", "Show log"
}
