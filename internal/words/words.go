// Package words reads and writes the words of unit files: quotes, escapes, booleans and
// specifiers, as in systemd.syntax(7) and systemd.unit(5).
package words

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Escapes is what a backslash means in a word, as in systemd.syntax(7), "Quoting".
type Escapes int

// The meanings of a backslash.
const (
	DropEscapes   Escapes = iota // the character after it, whatever it is
	RetainEscapes                // itself: unit names are full of them
	CEscapes                     // \n, \x41, \u00e4, …
)

// Whitespace separates words.
const Whitespace = " \t\n\r"

// Cut cuts the first word off a value. ok is false if there is none.
func Cut(value string, e Escapes) (word, rest string, ok bool, err error) {
	value = strings.TrimLeft(value, Whitespace)
	if value == "" {
		return "", "", false, nil
	}
	var b strings.Builder
	var quote byte
	for i := 0; i < len(value); {
		c := value[i]
		switch {
		case c == '\\' && e != RetainEscapes:
			s, n, err := Unescape(value[i:], e)
			if s == "\x00" {
				err = errors.New("a word cannot have a NUL")
			}
			if err != nil {
				return "", "", false, err
			}
			b.WriteString(s)
			i += n
			continue
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			b.WriteByte(c)
		case c == '"' || c == '\'':
			quote = c
		case strings.IndexByte(Whitespace, c) >= 0:
			return b.String(), value[i:], true, nil
		default:
			b.WriteByte(c)
		}
		i++
	}
	if quote != 0 {
		return "", "", false, fmt.Errorf("a quote (%c) is not closed", quote)
	}
	return b.String(), "", true, nil
}

// Quote is the inverse of Cut: a word that Cut, and systemd, read as this one.
func Quote(word string) string {
	plain := func(r rune) bool {
		return r > 127 || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || strings.ContainsRune("@%$_-+=:,./[]*~", r)
	}
	if word != "" && strings.TrimFunc(word, plain) == "" {
		return word
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\t", `\t`, "\n", `\n`).Replace(word) + `"`
}

// Unescape reads the escape at the beginning of a text: its meaning, and its length in bytes. The
// meaning may be a NUL, which no word may have.
func Unescape(text string, e Escapes) (s string, n int, err error) {
	switch {
	case len(text) < 2:
		return "", 0, errors.New("a backslash at the end")
	case e == DropEscapes:
		_, size := utf8.DecodeRuneInString(text[1:])
		return text[1 : 1+size], 1 + size, nil
	case text[1] == 's':
		return " ", 2, nil
	}
	// Go has all the other escapes of systemd. It takes one kind of quote, which must be named.
	value, isRune, rest, err := strconv.UnquoteChar(text, text[1])
	switch {
	case err != nil:
		return "", 0, fmt.Errorf("no such escape, or wrong digits after it: %.2s", text)
	case isRune:
		return string(value), len(text) - len(rest), nil
	}
	return string([]byte{byte(value)}), len(text) - len(rest), nil
}

// Literal replaces "%%" by "%" and refuses every other specifier (systemd.unit(5)): systemd does
// not expand specifiers in what it gets over D-Bus.
func Literal(text string) (string, error) {
	if _, specifier, found := strings.Cut(strings.ReplaceAll(text, "%%", ""), "%"); found {
		return "", fmt.Errorf("specifiers such as %q are not expanded here: write it out, or %%%% for a percent sign", fmt.Sprintf("%%%.1s", specifier))
	}
	return strings.ReplaceAll(text, "%%", "%"), nil
}

// Plain splits a value at white space outside of quotes, removes the quotes, and applies Literal to
// each word.
func Plain(value string, e Escapes) ([]string, error) {
	list := []string{} // an empty list has a type on the bus
	for {
		word, rest, ok, err := Cut(value, e)
		if err != nil {
			return nil, err
		}
		if !ok {
			return list, nil
		}
		if word, err = Literal(word); err != nil {
			return nil, err
		}
		list, value = append(list, word), rest
	}
}

// Boolean reads a boolean as systemd does. ok is false if the value is not a boolean.
func Boolean(value string) (yes, ok bool) {
	switch strings.ToLower(value) {
	case "1", "yes", "y", "true", "t", "on":
		return true, true
	case "0", "no", "n", "false", "f", "off":
		return false, true
	}
	return false, false
}
