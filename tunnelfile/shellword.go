package tunnelfile

import "strings"

// ShellWord is text as a POSIX shell reads it as one word: quoted, unless it is harmless in any
// shell.
func ShellWord(text string) string {
	const harmless = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%_-+=:,./"
	if text != "" && strings.Trim(text, harmless) == "" && text[0] != '=' { // zsh looks for a command's path behind =
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
