package portable

import (
	"strings"

	"github.com/holdfast/holdfast/systemdctl"
	"github.com/holdfast/holdfast/tunnelfile"
)

// shellLine is words as sh(1) reads them.
func shellLine(words []string) string { return joined(words, tunnelfile.ShellWord) }

// execLine is words as the ExecStart= of a unit has them: systemd expands neither specifiers nor
// variables in them.
func execLine(words []string) string {
	return joined(words, func(word string) string {
		return systemdctl.QuoteWord(strings.ReplaceAll(escapeSpecifiers(word), "$", "$$"))
	})
}

// escapeSpecifiers is text in which systemd expands no specifiers (systemd.unit(5)).
func escapeSpecifiers(text string) string { return strings.ReplaceAll(text, "%", "%%") }

func joined(words []string, quote func(string) string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = quote(word)
	}
	return strings.Join(quoted, " ")
}
