package tunnelfile

import "strings"

// ShellWord is text quoted for a POSIX shell, so that it is one word; without quotes if no shell
// needs them.
func ShellWord(text string) string {
	const harmless = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%_-+=:,./"
	if text != "" && strings.Trim(text, harmless) == "" && text[0] != '=' { // zsh looks for a command's path behind =
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
