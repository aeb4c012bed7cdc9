package portable

import (
	"strings"

	"github.com/holdfast/holdfast/internal/words"
	"github.com/holdfast/holdfast/tunnelfile"
)

// shellLine quotes a command line for sh(1).
func shellLine(argv []string) string { return joined(argv, tunnelfile.ShellWord) }

// execLine quotes a command line for ExecStart= (systemd.service(5)), so that systemd expands neither
// specifiers nor variables.
func execLine(argv []string) string {
	return joined(argv, func(word string) string {
		return words.Quote(strings.ReplaceAll(escapeSpecifiers(word), "$", "$$"))
	})
}

// escapeSpecifiers doubles each %, so that systemd expands no specifiers (systemd.unit(5)).
func escapeSpecifiers(text string) string { return strings.ReplaceAll(text, "%", "%%") }

func joined(argv []string, quote func(string) string) string {
	quoted := make([]string, len(argv))
	for i, word := range argv {
		quoted[i] = quote(word)
	}
	return strings.Join(quoted, " ")
}
