package portable

import (
	"strings"

	"github.com/holdfast/holdfast/internal/words"
	"github.com/holdfast/holdfast/tunnelfile"
)

// shellLine is a command line as sh(1) reads them.
func shellLine(argv []string) string { return joined(argv, tunnelfile.ShellWord) }

// execLine is a command line as the ExecStart= of a unit has them: systemd expands neither specifiers nor
// variables in them.
func execLine(argv []string) string {
	return joined(argv, func(word string) string {
		return words.Quote(strings.ReplaceAll(escapeSpecifiers(word), "$", "$$"))
	})
}

// escapeSpecifiers is text in which systemd expands no specifiers (systemd.unit(5)).
func escapeSpecifiers(text string) string { return strings.ReplaceAll(text, "%", "%%") }

func joined(argv []string, quote func(string) string) string {
	quoted := make([]string, len(argv))
	for i, word := range argv {
		quoted[i] = quote(word)
	}
	return strings.Join(quoted, " ")
}
