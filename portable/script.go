package portable

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/holdfast/holdfast/tunnelfile"
)

// fromScript finds the tunnels that the lines of a shell script or of a crontab(5) start.
func (m Machine) fromScript(path, text string) (all []Found, problems []tunnelfile.Problem) {
	crontab := isCrontab(path, text)
	src := source{path: path, dir: filepath.Dir(path)}
	vars := m.variables(nil)
	var commands []shellCommand
	read := func(text string, above int) { // above: the lines above it
		these, refused := shellCommands(text, vars)
		for _, c := range these {
			c.line += above
			commands = append(commands, c)
		}
		if refused != nil {
			refused.Path = path
			refused.Line += above
			problems = append(problems, *refused)
		}
	}
	schedule := make(map[int]string) // of a crontab, by line
	if crontab {
		src.dir = m.Home
		number := 0
		for line := range strings.Lines(text) {
			number++
			when, command := cutSchedule(line, hasUsers(path))
			schedule[number] = when
			read(command, number-1)
		}
	} else {
		vars["0"] = path
		read(text, 0)
	}
	if !filepath.IsAbs(src.dir) || path == StandardInput {
		src.dir = m.Home
	}
	for _, c := range commands {
		for _, inv := range m.invocations(c, vars, 0) {
			f, ok, problem := src.found(inv)
			if problem != nil {
				problems = append(problems, *problem)
			}
			if !ok {
				continue
			}
			start, how := tunnelfile.StartManual, ""
			f.Start = "a script starts it"
			if crontab {
				start, how = tunnelfile.StartAuto, " (crontab -e)"
				f.Start = "cron starts it: " + schedule[c.line]
			}
			f.Todo = append(f.Todo, fmt.Sprintf("take the command out of %s%s, and end the ssh that it has started", f.Places[0], how))
			text, err := tunnelfile.Set(f.Text, tunnelfile.SectionTunnel, "Start", []string{string(start)})
			if err != nil {
				problems = append(problems, f.Problem(err.Error()))
				continue
			}
			f.Text = text
			all = append(all, f)
		}
	}
	return all, problems
}

// schedulePattern is what a line of a crontab begins with.
var schedulePattern = regexp.MustCompile(`^\s*(@[a-z]+|([-0-9*/,]+\s+){2}([-0-9*/,]+\s+)([-0-9*/,A-Za-z]+\s+)[-0-9*/,A-Za-z]+)\s+`)

// isCrontab says whether a text is no script: it has lines with schedules, and no #! line.
func isCrontab(path, text string) bool {
	return !strings.HasPrefix(text, "#!") && (hasUsers(path) || slices.ContainsFunc(strings.Split(text, "\n"), schedulePattern.MatchString))
}

// hasUsers says whether the crontab at path is one of the system's, which name a user behind the schedule.
func hasUsers(path string) bool {
	return path == "/etc/crontab" || filepath.Dir(path) == "/etc/cron.d"
}

// cutSchedule takes a line of a crontab apart.
func cutSchedule(line string, user bool) (schedule, command string) {
	schedule = schedulePattern.FindString(line)
	command = line[len(schedule):]
	if schedule != "" && user {
		_, command, _ = strings.Cut(command, " ")
	}
	if schedule != "" { // what follows a % is its input
		command = strings.ReplaceAll(command, `\%`, "\x00")
		command, _, _ = strings.Cut(command, "%")
		command = strings.ReplaceAll(command, "\x00", "%")
	}
	return strings.TrimSpace(schedule), command
}
