package portable

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/holdfast/holdfast/portable/shell"
)

// A text that is not a shell script is read line by line. A string, a list of strings, or the value of a
// key may be a command.

var (
	foreignNames  = regexp.MustCompile(`^(Dockerfile.*|.*\.(json|jsonc|ya?ml|ini|toml|conf|cfg|cf|py|rb|pl|php|js|cjs|mjs|ts|lua|tcl|exp|desktop|container|fish|csh|mk|nix)|[Mm]akefile|[Jj]ustfile|inittab|monitrc|Procfile|Vagrantfile)$`)
	foreignShells = regexp.MustCompile(`^#!.*\b(python|perl|ruby|node|php|lua|tclsh|wish|expect|make|fish|t?csh)`)
	stringPattern = regexp.MustCompile(`"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'`)
	keyPattern    = regexp.MustCompile(`^\s*(?:-\s+)?(?:[\w.-]+\s*[:=]\s+|[\w.-]+=|(?:CMD|ENTRYPOINT|RUN|exec|env|spawn)\s+|\w*:\d*:\w+:)`)
	sectionName   = regexp.MustCompile(`^\s*(?:\[program:([^\]]+)\]|check process (\S+)|"?name"?\s*:\s*["']([^"']+))`)
	placeholder   = regexp.MustCompile(`\{[\w.]*\}|%[sd]|%\(\w+\)s?|#\{`)
)

// mostLines is how many lines of a value are read at most.
const mostLines = 100

// isForeign says whether the text is not a shell script, by the file's name or its #! line.
func isForeign(path, text string) bool {
	return foreignNames.MatchString(filepath.Base(path)) || foreignShells.MatchString(text)
}

// fromForeign finds the tunnels in a text that is not a shell script.
func (s *search) fromForeign() {
	by := starter{how: "another program starts it", data: true}
	if filepath.Ext(s.path) == ".desktop" {
		by = s.desktopEntry()
	}
	lines := strings.Split(s.text, "\n")
	for i := 0; i < len(lines); i++ {
		if name := sectionName.FindStringSubmatch(lines[i]); name != nil {
			by.name = ValidName(name[1] + name[2] + name[3])
		}
		line := withoutComment(lines[i])
		if !mentions(line) {
			continue
		}
		covered := []int{i + 1}
		for i+1 < len(lines) && len(covered) < mostLines && goesOn(lines[covered[0]-1], line, lines[i+1]) {
			i++
			covered = append(covered, i+1)
			next := strings.TrimSpace(lines[i])
			if isItem(line) {
				next = unquoted(strings.TrimPrefix(next, "- "))
			}
			line = strings.TrimSuffix(line, `\`) + " " + next
		}
		for _, c := range s.machine.foreignCommands(strings.TrimPrefix(line, "- ")) {
			c.Line, c.Lines = covered[0], covered
			s.command(c, s.machine.variables(nil), by)
		}
	}
}

// goesOn says whether a value continues on the next line: after a backslash, in a list with an open
// bracket, in a YAML list, or indented as in the files of supervisord. first is the line on which the
// value begins.
func goesOn(first, line, next string) bool {
	open := strings.Count(line, "[") > strings.Count(line, "]")
	indented := strings.HasPrefix(next, " ") && !strings.HasPrefix(first, " ") && !keyPattern.MatchString(next) && strings.Contains(line, "=")
	items := isItem(line) && isItem(next) && strings.Index(next, "-") == strings.Index(first, "-")
	return strings.TrimSpace(next) != "" && (open || indented || items || strings.HasSuffix(line, `\`))
}

// isItem says whether a line is an item of a YAML list.
func isItem(line string) bool { return strings.HasPrefix(strings.TrimSpace(line), "- ") }

// foreignCommands are the possible commands in a line.
func (m Machine) foreignCommands(line string) []shell.Command {
	var values []string
	for _, found := range stringPattern.FindAllStringSubmatch(line, -1) {
		values = append(values, strings.NewReplacer(`\"`, `"`, `\'`, `'`, `\\`, `\`).Replace(found[1]+found[2]))
	}
	isProgram := func(word string) bool {
		base := filepath.Base(word)
		return base == "ssh" || base == "autossh"
	}
	if i := slices.IndexFunc(values, isProgram); i >= 0 { // a list of words
		words := slices.Clone(values[i:])
		words = slices.DeleteFunc(words, func(w string) bool { return w == "args" })
		if len(words) == 2 && strings.Contains(words[1], " ") {
			words = append(words[:1], strings.Fields(words[1])...)
		}
		return []shell.Command{{Words: words, Unknown: placeholder.FindString(strings.Join(words, " "))}}
	}
	var text string
	if i := slices.IndexFunc(values, func(v string) bool { return strings.Contains(v, " ") && mentions(v) }); i >= 0 {
		text = values[i]
	}
	if key := keyPattern.FindString(line); text == "" || key != "" && isUnquoted(line[len(key):]) {
		text = line[len(key):]
	}
	var all []shell.Command
	read := shell.Read(text, m.variables(nil))
	for _, c := range read.Commands {
		if c.Unknown == "" {
			c.Unknown = placeholder.FindString(strings.Join(c.Words, " "))
		}
		all = append(all, c)
	}
	return all
}

// isUnquoted says whether the first word of a value has neither quotation marks nor brackets.
func isUnquoted(value string) bool {
	word, _, _ := strings.Cut(value, " ")
	return value != "" && !strings.ContainsAny(word, `"'([{`)
}

// desktopEntry says who runs the command of a .desktop file. It removes the field codes from s.text.
func (s *search) desktopEntry() starter {
	for _, code := range strings.Fields("%f %F %u %U %i %c %k") {
		s.text = strings.ReplaceAll(s.text, code, "")
	}
	s.text = strings.ReplaceAll(s.text, "%%", "%")
	by := starter{name: ValidName(strings.TrimSuffix(filepath.Base(s.path), ".desktop")), how: "a menu entry starts it"}
	if filepath.Base(filepath.Dir(s.path)) == "autostart" && !strings.Contains(s.text, "Hidden=true") {
		by.auto, by.how = true, "your desktop starts it"
		by.todo = "remove " + s.path
	}
	return by
}
