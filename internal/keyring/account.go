package keyring

import "strings"

// Account is the key of a remembered answer: the kind of the question and its words, which name the
// key file, or the account and the host.
type Account string

// AccountOf is the account of a question of the Agent interface. It is "" for answers that are not
// remembered: a code is valid once, and repeated tries of a wrong PIN would lock its token.
func AccountOf(kind, prompt string) Account {
	if kind != "passphrase" && kind != "password" {
		return ""
	}
	return Account(kind + ": " + trim(prompt))
}

// What describes the remembered answer for a person: "the passphrase for key '/h/id'", or
// "me@host's password".
func (a Account) What() string {
	_, prompt, _ := strings.Cut(string(a), ": ")
	if what, ok := strings.CutPrefix(prompt, "Enter "); ok {
		return "the " + what
	}
	return prompt
}

func trim(prompt string) string { return strings.TrimRight(strings.TrimSpace(prompt), ":") }
