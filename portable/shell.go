package portable

import (
	"slices"
	"strings"
)

// shellCommand is one simple command of a shell's text.
type shellCommand struct {
	words   []string
	env     map[string]string // VAR=value before it
	line    int
	unknown string // the first thing in it whose value the text does not tell: "$1", "$(…)"
}

// shellCommands reads the simple commands of a sh(1) script, in their order, whatever loops,
// conditions and functions they stand in. It is no shell: a variable has the value that was last
// assigned to it above, or else the one in vars, which it changes.
func shellCommands(text string, vars map[string]string) []shellCommand {
	r := shellReader{text: text, line: 1, vars: vars}
	r.read()
	return r.commands
}

type shellReader struct {
	text     string
	pos      int
	line     int
	vars     map[string]string
	commands []shellCommand

	now      shellCommand
	word     strings.Builder
	inWord   bool
	redirect bool     // the word is where a redirection goes
	here     []string // what ends the here-documents that begin at the next line
}

func (r *shellReader) read() {
	for r.pos < len(r.text) {
		c := r.text[r.pos]
		r.pos++
		switch {
		case c == '\n':
			r.endCommand()
			r.line++
			r.skipHereDocuments()
		case c == ' ' || c == '\t' || c == '\r':
			r.endWord()
		case c == '#' && !r.inWord:
			r.skipTo('\n')
		case c == '(' && strings.HasSuffix(r.word.String(), "="): // an array
			r.skipBalanced('(', ')')
			r.unknown("(…)")
		case strings.IndexByte(";&|()", c) >= 0:
			r.endCommand()
		case c == '<' || c == '>':
			r.startRedirection(c)
		default:
			r.character(c)
		}
	}
	r.endCommand()
}

// character adds to the word what begins with c.
func (r *shellReader) character(c byte) {
	if !r.inWord {
		r.inWord = true
		if r.now.line == 0 {
			r.now.line = r.line
		}
		if home, ok := r.vars["HOME"]; ok && c == '~' && (r.pos == len(r.text) || strings.IndexByte("/ \t\n;", r.text[r.pos]) >= 0) {
			r.word.WriteString(home)
			return
		}
	}
	switch c {
	case '\\':
		if r.pos < len(r.text) {
			if r.text[r.pos] == '\n' {
				r.line++
				r.inWord = r.word.Len() > 0
			} else {
				r.word.WriteByte(r.text[r.pos])
			}
			r.pos++
		}
	case '\'':
		start := r.pos
		r.skipTo('\'')
		r.word.WriteString(r.text[start:r.pos])
		r.line += strings.Count(r.text[start:r.pos], "\n")
		r.pos = min(r.pos+1, len(r.text))
	case '"':
		r.doubleQuotes()
	case '$':
		value := r.dollar()
		if fields := strings.Fields(value); len(fields) > 1 && !r.assigning() { // it is split
			for _, field := range fields[:len(fields)-1] {
				r.word.WriteString(field)
				r.endWord()
				r.inWord = true
			}
			value = fields[len(fields)-1]
		}
		r.word.WriteString(value)
		if value == "" && r.word.Len() == 0 {
			r.inWord = false
		}
	case '`':
		r.skipTo('`')
		r.pos = min(r.pos+1, len(r.text))
		r.unknown("`…`")
	default:
		r.word.WriteByte(c)
	}
}

func (r *shellReader) doubleQuotes() {
	for r.pos < len(r.text) {
		c := r.text[r.pos]
		r.pos++
		switch c {
		case '"':
			return
		case '\n':
			r.line++
			r.word.WriteByte(c)
		case '\\':
			if r.pos < len(r.text) && strings.IndexByte("$`\"\\\n", r.text[r.pos]) >= 0 {
				if r.text[r.pos] == '\n' {
					r.line++
				} else {
					r.word.WriteByte(r.text[r.pos])
				}
				r.pos++
			} else {
				r.word.WriteByte(c)
			}
		case '$':
			r.word.WriteString(r.dollar())
		case '`':
			r.character(c)
		default:
			r.word.WriteByte(c)
		}
	}
}

// dollar is what a $ stands for that was just read.
func (r *shellReader) dollar() string {
	if r.pos == len(r.text) {
		return "$"
	}
	rest := r.text[r.pos:]
	switch {
	case rest[0] == '(':
		r.pos++
		r.skipBalanced('(', ')')
		r.unknown("$(…)")
		return ""
	case rest[0] == '{':
		start := r.pos + 1
		r.pos++
		r.skipBalanced('{', '}')
		inner := strings.TrimSuffix(r.text[start:r.pos], "}")
		name := inner[:nameLength(inner)]
		operator := inner[len(name):]
		value, known := r.vars[name]
		switch instead, hasDefault := cutDefault(operator); {
		case name != "" && known && (operator == "" || hasDefault && value != ""):
			return value
		case name != "" && hasDefault && !strings.ContainsAny(instead, "$`"):
			return instead
		}
		r.unknown("${" + inner + "}")
		return ""
	}
	n := nameLength(rest)
	if n == 0 && strings.IndexByte("0123456789@*#?!$-", rest[0]) >= 0 {
		n = 1
	}
	if n == 0 {
		return "$"
	}
	r.pos += n
	value, known := r.vars[rest[:n]]
	if !known {
		r.unknown("$" + rest[:n])
	}
	return value
}

// cutDefault is what follows a name in ${NAME:-default}.
func cutDefault(operator string) (instead string, ok bool) {
	for _, o := range []string{":-", ":=", "-", "="} {
		if instead, ok := strings.CutPrefix(operator, o); ok {
			return strings.Trim(instead, `"'`), true
		}
	}
	return "", false
}

// nameLength is how long a variable's name is that text begins with.
func nameLength(text string) int {
	i := 0
	for i < len(text) && (text[i] == '_' || 'a' <= text[i]|0x20 && text[i]|0x20 <= 'z' || i > 0 && '0' <= text[i] && text[i] <= '9') {
		i++
	}
	return i
}

// unknown notes something whose value the text does not tell.
func (r *shellReader) unknown(what string) {
	r.inWord = true
	if r.now.unknown == "" {
		r.now.unknown = what
	}
}

func (r *shellReader) skipTo(c byte) {
	if i := strings.IndexByte(r.text[r.pos:], c); i >= 0 {
		r.pos += i
	} else {
		r.pos = len(r.text)
	}
}

// skipBalanced goes behind the bracket that closes the one just read.
func (r *shellReader) skipBalanced(open, shut byte) {
	for depth := 1; r.pos < len(r.text) && depth > 0; r.pos++ {
		switch r.text[r.pos] {
		case open:
			depth++
		case shut:
			depth--
		case '\n':
			r.line++
		}
	}
}

// startRedirection reads what follows < or >; the next word is where it goes.
func (r *shellReader) startRedirection(c byte) {
	if text := r.word.String(); text != "" && strings.Trim(text, "0123456789") == "" {
		r.word.Reset() // a file descriptor's number
		r.inWord = false
	}
	r.endWord()
	start := r.pos
	for r.pos < len(r.text) && strings.IndexByte("<>&|-", r.text[r.pos]) >= 0 {
		r.pos++
	}
	if operator := string(c) + r.text[start:r.pos]; operator == "<<" || operator == "<<-" {
		line := r.text[r.pos:]
		if i := strings.IndexAny(line, "\n;|&"); i >= 0 {
			line = line[:i]
		}
		if fields := strings.Fields(line); len(fields) > 0 {
			r.here = append(r.here, strings.Trim(fields[0], `"'\`))
		}
	}
	r.redirect = !strings.HasSuffix(r.text[:r.pos], "&-")
}

func (r *shellReader) skipHereDocuments() {
	for len(r.here) > 0 && r.pos < len(r.text) {
		start := r.pos
		r.skipTo('\n')
		line := r.text[start:r.pos]
		r.pos = min(r.pos+1, len(r.text))
		r.line++
		if strings.TrimLeft(line, "\t") == r.here[0] {
			r.here = r.here[1:]
		}
	}
}

// reserved are the words that a command may stand behind.
var reserved = []string{"if", "then", "else", "elif", "do", "while", "until", "!", "{", "time", "exec", "command"}

// begun says whether the command has a word that is none of the reserved ones.
func (r *shellReader) begun() bool {
	return slices.ContainsFunc(r.now.words, func(w string) bool { return !slices.Contains(reserved, w) })
}

// assigning says whether the word being read is NAME=value.
func (r *shellReader) assigning() bool {
	text := r.word.String()
	n := nameLength(text)
	return n > 0 && strings.HasPrefix(text[n:], "=") && (!r.begun() || slices.Contains(setters, r.now.words[0]))
}

// setters are commands that assign.
var setters = []string{"export", "readonly", "local", "declare", "typeset"}

func (r *shellReader) endWord() {
	if !r.inWord {
		return
	}
	switch text := r.word.String(); {
	case r.redirect:
		r.redirect = false
	case r.assigning():
		if r.now.env == nil {
			r.now.env = make(map[string]string)
		}
		name, value, _ := strings.Cut(text, "=")
		r.now.env[name] = value
	default:
		r.now.words = append(r.now.words, text)
	}
	r.word.Reset()
	r.inWord = false
}

func (r *shellReader) endCommand() {
	r.endWord()
	r.redirect = false
	c := r.now
	r.now = shellCommand{}
	for len(c.words) > 0 && slices.Contains(reserved, c.words[0]) {
		c.words = c.words[1:]
	}
	switch {
	case len(c.words) == 0 || slices.Contains(setters, c.words[0]):
		for name, value := range c.env {
			if c.unknown != "" {
				delete(r.vars, name)
			} else {
				r.vars[name] = value
			}
		}
	case len(c.words) > 1 && (c.words[0] == "for" || c.words[0] == "read" || c.words[0] == "select"):
		delete(r.vars, c.words[1]) // each of several
	default:
		r.commands = append(r.commands, c)
	}
}
