package portable

import (
	"os/user"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/holdfast/holdfast/portable/shell"
)

// job is a line of a crontab(5) that runs a command.
type job struct {
	line     int
	schedule string
	rest     string // the command, after the user's name if the crontab has one
}

var (
	assignmentPattern = regexp.MustCompile(`^\s*["']?([A-Za-z_]\w*)["']?\s*=\s*(.*?)\s*$`)
	schedulePattern   = regexp.MustCompile(`^\s*-?(@[A-Za-z0-9_]+|([-0-9*/,~?]+\s+){3}([-0-9*/,~?A-Za-z]+\s+)[-0-9*/,~?A-Za-z]+)\s+`)
	anacronPattern    = regexp.MustCompile(`^\s*(@\w+|\d+)\s+\d+\s+\S+\s+`)
	userPattern       = regexp.MustCompile(`^([A-Za-z_][\w-]*\$?)([:/]\S+)?\s+(-[nqs]+\s+)*\S`)
)

// scheduleOf is the schedule at the beginning of a line of the crontab at path; "" if it runs no command.
func scheduleOf(path, line string) string {
	if filepath.Base(path) == "anacrontab" {
		return anacronPattern.FindString(line)
	}
	return schedulePattern.FindString(line)
}

// isCrontab says whether a text is a crontab: the first line that is neither a comment nor an assignment
// has a schedule.
func isCrontab(path, text string) bool {
	for line := range strings.Lines(text) {
		trimmed := strings.TrimSpace(line)
		if trimmed == "" || trimmed[0] == '#' {
			continue
		}
		if scheduleOf(path, line) != "" {
			return true
		}
		if !assignmentPattern.MatchString(line) {
			return false
		}
	}
	return false
}

// fromCrontab finds the tunnels that a crontab(5) starts.
func (s *search) fromCrontab() {
	env := make(map[string]string)
	users := s.namesUsers()
	number := 0
	for line := range strings.Lines(s.text) {
		number++
		line = strings.TrimRight(line, "\r\n")
		if strings.HasPrefix(strings.TrimSpace(line), "#") {
			continue
		}
		if schedule := scheduleOf(s.path, line); schedule != "" {
			s.job(job{number, strings.TrimSpace(schedule), line[len(schedule):]}, users, env)
		} else if a := assignmentPattern.FindStringSubmatch(line); a != nil {
			env[a[1]] = unquoted(a[2])
		}
	}
}

// job finds tunnels in the command of a job.
func (s *search) job(j job, users bool, env map[string]string) {
	by := starter{auto: true, how: "cron starts it: " + j.schedule, todo: "take the command out of " + placeOf(s.path, j.line)}
	switch {
	case users:
		word, command, _ := strings.Cut(strings.ReplaceAll(j.rest, "\t", " "), " ")
		by.user, _, _ = strings.Cut(word, ":")
		by.user, _, _ = strings.Cut(by.user, "/")
		j.rest = strings.TrimLeft(command, " ")
	case filepath.Base(s.path) == "anacrontab":
		by.user = "root"
	case strings.HasPrefix(s.path, "/var/spool/cron/"): // one file for each user, with the user's name
		by.user = filepath.Base(s.path)
	default:
		by.todo += " (crontab -e)"
	}
	for strings.HasPrefix(j.rest, "-") { // options of BSD's cron
		_, j.rest, _ = strings.Cut(j.rest, " ")
	}
	vars := s.machine.variables(env)
	read := shell.Read(beforePercent(j.rest), vars)
	for _, c := range read.Commands {
		c.Line, c.Lines, c.Env = j.line, []int{j.line}, merged(env, c.Env)
		s.command(c, read.Vars, by)
	}
	if read.Refused != nil && mentions(j.rest) {
		s.refuse(s.path, j.line, read.Refused.Message)
	}
}

// beforePercent is the part of a crontab's command before a %; the rest is its input.
func beforePercent(command string) string {
	command = strings.ReplaceAll(command, `\%`, "\x00")
	command, _, _ = strings.Cut(command, "%")
	return strings.ReplaceAll(command, "\x00", "%")
}

// unquoted removes the quotation marks around a value.
func unquoted(value string) string {
	if len(value) > 1 && (value[0] == '"' || value[0] == '\'') && value[len(value)-1] == value[0] {
		return value[1 : len(value)-1]
	}
	return value
}

// namesUsers says whether the crontab is one of the system's, with a user's name after each schedule. It
// is if it lies in a system folder, or if each line has the name of an existing user.
func (s *search) namesUsers() bool {
	if s.path == "/etc/crontab" || filepath.Base(filepath.Dir(s.path)) == "cron.d" {
		return true
	}
	jobs := 0
	for line := range strings.Lines(s.text) {
		schedule := scheduleOf(s.path, line)
		if schedule == "" || filepath.Base(s.path) == "anacrontab" {
			continue
		}
		jobs++
		name := userPattern.FindStringSubmatch(line[len(schedule):])
		if name == nil {
			return false
		}
		if _, err := user.Lookup(name[1]); err != nil && name[1] != "root" {
			return false
		}
	}
	return jobs > 0
}
