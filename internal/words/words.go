// Package words reads and writes the words of unit files: quotes, escapes, booleans and
// specifiers, as in systemd.syntax(7) and systemd.unit(5).
package words

import (
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

// split splits a value at white space outside of quotes, and removes the quotes.
func split(value string, e Escapes) ([]string, error) {
	var list []string
	rest := value
	for {
		word, after, ok, err := Cut(rest, e)
		if err != nil {
			return nil, err
		}
		if !ok {
			return list, nil
		}
		list, rest = append(list, word), after
	}
}

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

// Unescape reads the escape at the beginning of a text: its meaning, and its length in bytes.
func Unescape(text string, e Escapes) (s string, n int, err error) {
	if len(text) < 2 {
		return "", 0, fmt.Errorf("a backslash at the end")
	}
	if e == DropEscapes {
		_, size := utf8.DecodeRuneInString(text[1:])
		return text[1 : 1+size], 1 + size, nil
	}
	number := func(start, digits, base int) (string, int, error) {
		if len(text) < start+digits {
			return "", 0, fmt.Errorf("the escape %s is too short", text)
		}
		v, err := strconv.ParseUint(text[start:start+digits], base, 32)
		switch {
		case err != nil || v == 0:
			return "", 0, fmt.Errorf("no such escape: %s", text[:start+digits])
		case digits > 3: // \u and \U are characters, the others bytes
			return string(rune(v)), start + digits, nil
		case v > 255:
			return "", 0, fmt.Errorf("no such escape: %s", text[:start+digits])
		}
		return string([]byte{byte(v)}), start + digits, nil
	}
	switch c := text[1]; c {
	case 'a':
		return "\a", 2, nil
	case 'b':
		return "\b", 2, nil
	case 'f':
		return "\f", 2, nil
	case 'n':
		return "\n", 2, nil
	case 'r':
		return "\r", 2, nil
	case 't':
		return "\t", 2, nil
	case 'v':
		return "\v", 2, nil
	case 's':
		return " ", 2, nil
	case '\\', '"', '\'':
		return string(c), 2, nil
	case 'x':
		return number(2, 2, 16)
	case 'u':
		return number(2, 4, 16)
	case 'U':
		return number(2, 8, 16)
	case '0', '1', '2', '3':
		return number(1, 3, 8)
	}
	return "", 0, fmt.Errorf("no such escape: %s", text[:2])
}

// Literal replaces "%%" by "%" and refuses every other specifier (systemd.unit(5)): systemd does
// not expand specifiers in what it gets over D-Bus.
func Literal(text string) (string, error) {
	if !strings.Contains(text, "%") {
		return text, nil
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		b.WriteByte(text[i])
		if text[i] != '%' {
			continue
		}
		if i+1 == len(text) || text[i+1] != '%' {
			specifier := text[i:min(i+2, len(text))]
			return "", fmt.Errorf("specifiers such as %q are not expanded here: write it out, or %%%% for a percent sign", specifier)
		}
		i++
	}
	return b.String(), nil
}

// Plain splits a value into words and applies Literal to each.
func Plain(value string, e Escapes) ([]string, error) {
	list, err := split(value, e)
	if err != nil {
		return nil, err
	}
	for i := range list {
		if list[i], err = Literal(list[i]); err != nil {
			return nil, err
		}
	}
	if list == nil {
		list = []string{} // an empty list has a type on the bus
	}
	return list, nil
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
