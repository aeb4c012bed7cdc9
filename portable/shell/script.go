package shell

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/holdfast/holdfast/tunnelfile"
	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/fileutil"
	"mvdan.cc/sh/v3/syntax"
)

// Limits of what is read.
const (
	maxValue   = 1 << 16 // bytes in the value of a variable, because A=$A$A doubles it
	maxLines   = 100     // lines of a command and of its variables
	maxSourced = 8       // levels of files that read others with "."
)

// Command is one simple command of a shell script.
type Command struct {
	Words      []string
	Env        map[string]string // VAR=value before it
	Line       int
	Lines      []int  // all its lines, and those of the assignments to its variables
	Stdin      string // its standard input, if the text has it: a here-document, or echo TEXT |
	StdinLines []int  // the lines of Stdin
	Inside     bool   // it is in a function, which may never be called
	Unknown    string // the first part of it whose value is not known: "$1", "$(date)"
}

// Read reads the simple commands of a shell script in their order, including those in loops, conditions and
// functions. The language is that of the #! line, or else bash(1).
//
// Read does not run the script. A variable has the value that was last assigned to it above, or else the
// one in vars. Read changes vars. At a syntax error, Refused says why and in which line, and Commands
// has the commands above it.
func Read(text string, vars map[string]string) *Script {
	r := &Script{text: text, Vars: vars, Assigned: make(map[string][]int), arrays: make(map[string][]string)}
	r.readAll()
	return r
}

// readAll reads the text of the script.
func (r *Script) readAll() {
	for statement, err := range syntax.NewParser(syntax.Variant(language(r.text))).StmtsSeq(strings.NewReader(r.text)) {
		if err != nil { // the error may come twice; leaving the loop here would make the parser panic
			r.Refused = refusal(err)
			continue
		}
		syntax.Walk(statement, r.read)
	}
}

// language is the language of a text's #! line, or else bash(1).
func language(text string) syntax.LangVariant {
	said := syntax.LangBash
	_ = said.Set(fileutil.Shebang([]byte(text))) // unchanged if there is no such line
	return said
}

// refusal makes a problem from an error of the parser.
func refusal(err error) *tunnelfile.Problem {
	p := &tunnelfile.Problem{Message: err.Error()}
	var at syntax.Pos
	switch err := err.(type) {
	case syntax.ParseError:
		at = err.Pos
	case syntax.LangError:
		at = err.Pos
	default:
		return p
	}
	p.Line, p.Message = int(at.Line()), "syntax error: "+strings.TrimPrefix(p.Message, at.String()+": ")
	return p
}

// Script is what Read has found in a shell script.
type Script struct {
	Commands []Command
	Vars     Variables        // their values at the end of the script
	Assigned map[string][]int // the lines of the last assignment to each variable
	Refused  *tunnelfile.Problem

	text    string
	arrays  map[string][]string
	inside  int    // the depth of functions
	sourced int    // the depth of files that others read with "."
	unknown string // the first part with an unknown value; callers empty it before each command or value
}

// Variables are the known variables of a script.
type Variables map[string]string

// Get is part of [expand.Environ].
func (v Variables) Get(name string) expand.Variable {
	value, ok := v[name]
	return expand.Variable{Set: ok, Kind: expand.String, Str: value}
}

// Each is part of [expand.Environ].
func (v Variables) Each(func(string, expand.Variable) bool) {}

// Set is part of [expand.WriteEnviron]: ${NAME:=value} assigns.
func (v Variables) Set(name string, value expand.Variable) error {
	v[name] = value.Str
	return nil
}

// read reads a node of the syntax tree, for syntax.Walk. It returns true if the nodes in it must be read too.
func (r *Script) read(node syntax.Node) bool {
	switch node := node.(type) {
	case *syntax.Stmt:
		r.statement(node)
		return false
	case *syntax.BinaryCmd:
		if node.Op == syntax.Pipe || node.Op == syntax.PipeAll {
			r.pipe(node)
			return false
		}
	case *syntax.CallExpr:
		for _, a := range node.Assigns { // command substitutions
			syntax.Walk(a, r.read)
		}
		for _, w := range node.Args {
			syntax.Walk(w, r.read)
		}
		r.call(node)
		return false
	case *syntax.DeclClause: // export, local, …
		for _, a := range node.Args {
			syntax.Walk(a, r.read)
			if a.Name != nil && !a.Naked {
				r.assign(a)
			}
		}
		return false
	case *syntax.WordIter:
		delete(r.Vars, node.Name.Value) // the loop's variable has several values
	case *syntax.FuncDecl: // $1 of a function is not that of the script
		positional := r.withoutPositional()
		r.inside++
		syntax.Walk(node.Body, r.read)
		r.inside--
		maps.Copy(r.Vars, positional)
		return false
	}
	return true
}

// statement reads a command with its redirections.
func (r *Script) statement(node *syntax.Stmt) {
	before := len(r.Commands)
	if node.Cmd != nil {
		syntax.Walk(node.Cmd, r.read)
	}
	after := len(r.Commands)
	for _, redirect := range node.Redirs {
		input := redirect.Hdoc
		if redirect.Op == syntax.WordHdoc {
			input = redirect.Word
		}
		if redirect.Word != nil {
			syntax.Walk(redirect.Word, r.read)
		}
		if redirect.Hdoc != nil {
			syntax.Walk(redirect.Hdoc, r.read)
		}
		if _, simple := node.Cmd.(*syntax.CallExpr); input == nil || !simple || after == before {
			continue
		}
		last := &r.Commands[after-1]
		last.StdinLines = r.linesOf(input)
		r.unknown = ""
		r.removeUnknown(input)
		if text, err := expand.Document(&expand.Config{Env: r.Vars}, input); err == nil && r.unknown == "" {
			last.Stdin = text
		}
	}
}

// pipe reads a pipeline. The output of echo or printf is the standard input of the next command.
func (r *Script) pipe(node *syntax.BinaryCmd) {
	syntax.Walk(node.X, r.read)
	printed := ""
	if n := len(r.Commands); n > 0 {
		if c := r.Commands[n-1]; c.Unknown == "" && (c.Words[0] == "echo" || c.Words[0] == "printf") {
			printed = strings.ReplaceAll(strings.Join(c.Words[1:], " "), `\n`, "\n")
		}
	}
	before := len(r.Commands)
	syntax.Walk(node.Y, r.read)
	if len(r.Commands) == before+1 && printed != "" && r.Commands[before].Stdin == "" {
		r.Commands[before].Stdin = printed
	}
}

// call reads a simple command.
func (r *Script) call(node *syntax.CallExpr) {
	if len(node.Args) == 0 {
		for _, a := range node.Assigns {
			r.assign(a)
		}
		return
	}
	lines := r.linesOf(node)                                                                   // before the words are expanded, because that changes them
	if name := node.Args[0].Lit(); name == "export" || name == "readonly" || name == "local" { // simple commands in POSIX
		for _, w := range node.Args[1:] {
			r.unknown = ""
			for _, field := range r.fields(w) {
				if name, value, ok := strings.Cut(field, "="); ok {
					r.set(name, value, lines)
				}
			}
		}
		return
	}
	c := Command{Env: make(map[string]string), Line: int(node.Pos().Line()), Lines: lines, Inside: r.inside > 0}
	r.unknown = ""
	for _, a := range node.Assigns {
		c.Env[a.Name.Value] = r.value(a)
	}
	for i, w := range node.Args {
		fields := r.fields(w)
		if i > 0 && len(fields) == 0 && r.unknown != "" {
			fields = []string{""} // keep an unknown word as an empty one: it may be an option's value
		}
		c.Words = append(c.Words, fields...)
	}
	c.Unknown = r.unknown
	if c.Words = withoutPrefixes(c.Words); len(c.Words) > 0 {
		r.command(c)
	}
}

// withoutPrefixes removes the words that have the shell run the command after them: exec, command, time.
func withoutPrefixes(words []string) []string {
	for len(words) > 0 && slices.Contains([]string{"exec", "command", "time"}, words[0]) {
		isExec := words[0] == "exec"
		words = words[1:]
		for isExec && len(words) > 0 && strings.HasPrefix(words[0], "-") { // -a NAME, -c, -l
			if strings.HasSuffix(words[0], "a") && len(words) > 1 {
				words = words[1:]
			}
			words = words[1:]
		}
	}
	return words
}

// command adds a command, or does what it does to the variables.
func (r *Script) command(c Command) {
	switch rest := c.Words[1:]; c.Words[0] {
	case ".", "source":
		if len(rest) > 0 {
			r.source(rest[0], c)
		}
	case "read", "getopts", "unset":
		for _, name := range rest {
			delete(r.Vars, name)
		}
	case "shift", "set":
		if c.Words[0] == "shift" || slices.Contains(rest, "--") {
			r.withoutPositional()
		}
	default:
		r.Commands = append(r.Commands, c)
	}
}

// assign reads NAME=value.
func (r *Script) assign(a *syntax.Assign) {
	r.unknown = ""
	lines := r.linesOf(a) // before the words are expanded, because that changes them
	if a.Array != nil {
		r.setArray(a)
		r.Assigned[a.Name.Value] = lines
		return
	}
	r.set(a.Name.Value, r.value(a), lines)
}

// setArray reads NAME=(word …), or NAME+=(word …).
func (r *Script) setArray(a *syntax.Assign) {
	name := a.Name.Value
	before, known := r.arrays[name]
	delete(r.arrays, name)
	delete(r.Vars, name)
	var words []string
	if a.Append {
		if !known {
			return
		}
		words = slices.Clone(before)
	}
	for _, e := range a.Array.Elems {
		if e.Value == nil || e.Index != nil {
			return
		}
		words = append(words, r.fields(e.Value)...)
	}
	if r.unknown == "" && len(words) < maxValue {
		r.arrays[name] = words
	}
}

// array is the elements of an array, if the word is a whole array: "${NAME[@]}".
func (r *Script) array(word *syntax.Word) (words []string, ok bool) {
	parts := word.Parts
	if len(parts) == 1 {
		if quoted, is := parts[0].(*syntax.DblQuoted); is {
			parts = quoted.Parts
		}
	}
	if len(parts) != 1 {
		return nil, false
	}
	p, is := parts[0].(*syntax.ParamExp)
	if !is || p.Param == nil || p.Index == nil || p.Exp != nil || p.Length || p.Excl || p.Slice != nil {
		return nil, false
	}
	if index := r.spelled(p.Index); index != "@" && index != "*" {
		return nil, false
	}
	words, ok = r.arrays[p.Param.Value]
	return words, ok
}

// linesOf are the lines of a node, and of the assignments to the variables in it.
func (r *Script) linesOf(node syntax.Node) []int {
	var lines []int
	for line := int(node.Pos().Line()); line <= int(node.End().Line()); line++ {
		lines = append(lines, line)
	}
	syntax.Walk(node, func(node syntax.Node) bool {
		if p, ok := node.(*syntax.ParamExp); ok && p.Param != nil {
			lines = append(lines, r.Assigned[p.Param.Value]...)
		}
		return true
	})
	slices.Sort(lines)
	lines = slices.Compact(lines)
	return lines[:min(len(lines), maxLines)]
}

// source reads a file that the script reads with ".", mostly for its variables. Its commands get the
// line of the "." command.
func (r *Script) source(path string, at Command) {
	text, ok := ReadFile(path)
	if !ok || r.sourced >= maxSourced || !filepath.IsAbs(path) {
		return
	}
	inner := &Script{text: text, Vars: r.Vars, Assigned: make(map[string][]int), arrays: r.arrays, inside: r.inside, sourced: r.sourced + 1}
	inner.readAll()
	for _, c := range inner.Commands {
		c.Line, c.Lines = at.Line, at.Lines
		r.Commands = append(r.Commands, c)
	}
}

// ReadFile reads a regular file of at most tunnelfile.MaxFileSize bytes. It returns false if it cannot.
func ReadFile(path string) (string, bool) {
	text, err := tunnelfile.ReadText(path)
	if err != nil || len(text) > tunnelfile.MaxFileSize {
		return "", false
	}
	return text, true
}

// set assigns a value to a variable. If the value is not known or is too long, it removes the variable.
func (r *Script) set(name, value string, lines []int) {
	r.Assigned[name] = lines
	if r.unknown != "" || len(value) > maxValue {
		delete(r.Vars, name)
		return
	}
	r.Vars[name] = value
}

// value is the value of an assignment. If it is not known, it also sets r.unknown.
func (r *Script) value(a *syntax.Assign) string {
	before, known := r.Vars[a.Name.Value]
	switch {
	case a.Array != nil || a.Index != nil || a.Append && !known:
		r.meet(a)
		return ""
	case !a.Append:
		before = ""
	}
	if a.Value == nil {
		return before
	}
	r.removeUnknown(a.Value)
	value, err := expand.Literal(&expand.Config{Env: r.Vars}, a.Value)
	if err != nil {
		r.meet(a)
	}
	return before + value
}

// withoutPositional removes $1, $2 and so on, and returns them.
func (r *Script) withoutPositional() map[string]string {
	positional := make(map[string]string)
	for name, value := range r.Vars {
		if name != "0" && strings.Trim(name, "0123456789") == "" {
			positional[name] = value
			delete(r.Vars, name)
		}
	}
	return positional
}
