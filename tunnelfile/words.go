package tunnelfile

import (
	"errors"
	"iter"
	"strings"
)

var errQuote = errors.New("a quotation mark is not closed")

// Words splits a value at blanks as ssh_config(5) does. Blanks in single or double quotes do not
// split; quotes may begin within a word. A backslash escapes a quote, a backslash and, outside of
// quotes, a space; before any other character it is itself. The error is a quote that is not
// closed.
func Words(value string) ([]string, error) {
	var words []string
	var word strings.Builder
	var quote byte
	inWord := false
	for i := 0; i < len(value); i++ {
		c := value[i]
		switch {
		case escapes(value[i:], quote):
			i++
			word.WriteByte(value[i])
			inWord = true
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
			inWord = true
		case quote == 0 && isBlank(c):
			if inWord {
				words = append(words, word.String())
				word.Reset()
				inWord = false
			}
		default:
			word.WriteByte(c)
			inWord = true
		}
	}
	if quote != 0 {
		return nil, errQuote
	}
	if inWord {
		words = append(words, word.String())
	}
	return words, nil
}

// Unquoted yields the bytes of a value that are neither in quotes nor escaped, in the sense of Words,
// with their indices.
func Unquoted(value string) iter.Seq2[int, byte] {
	return func(yield func(int, byte) bool) {
		var quote byte
		for i := 0; i < len(value); i++ {
			c := value[i]
			switch {
			case escapes(value[i:], quote):
				i++
			case quote == 0 && (c == '"' || c == '\''):
				quote = c
			case quote == c:
				quote = 0
			case quote == 0 && !yield(i, c):
				return
			}
		}
	}
}

// escapes says whether rest begins with a backslash that escapes the next character. quote is the
// quotation mark that is open, or 0.
func escapes(rest string, quote byte) bool {
	if len(rest) < 2 || rest[0] != '\\' {
		return false
	}
	return strings.IndexByte(`\"'`, rest[1]) >= 0 || quote == 0 && rest[1] == ' '
}

// quoteWord is the inverse of Words for one word. It adds quotes only if they are needed.
func quoteWord(word string) string {
	if word != "" && !strings.ContainsAny(word, " \t\"'\\;#") {
		return word
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(word) + `"`
}

// joinWords is the inverse of Words.
func joinWords(words []string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = quoteWord(word)
	}
	return strings.Join(quoted, " ")
}
