package config

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast/holdfast/tunnelfile"
)

// Explained is one setting in force.
type Explained struct {
	Keyword string // as ssh_config(5) spells it
	Value   string
	Source  string // "file:line", "ssh's default", "Holdfast's default", "the destination", "ProxyJump of HOST"
	Written bool   // somebody wrote it, in a file or in the destination
	Note    string // what the transport in use does with it, if ssh does something else

	Standing tunnelfile.Standing
}

// Sources of settings that are in no file.
const (
	fromSSH         = "ssh's default"
	FromHoldfast    = "Holdfast's default"
	fromDestination = "the destination"
)

// Explain lists every setting in force with its source, sorted by keyword. It runs ssh once more,
// to see which blocks of which files apply.
func (o *Options) Explain(ctx context.Context) []Explained {
	origins := o.origins(ctx)
	var all []Explained
	for keyword, values := range o.resolution.values {
		if keyword == "host" {
			continue
		}
		name, standing, known := tunnelfile.SSHStanding(keyword)
		if !known {
			if _, older := tunnelfile.SSHKeyword(keyword); older { // an older name; ssh -G prints the current one too
				continue
			}
			name = keyword
		}
		for i, value := range values {
			e := Explained{Keyword: name, Value: value, Source: o.origin(keyword, i, origins), Standing: standing}
			e.Written = e.Source != fromSSH && e.Source != FromHoldfast
			if e.Source == fromDestination && o.JumpOf != "" {
				e.Source = "ProxyJump of " + o.JumpOf
			}
			all = append(all, e)
		}
	}
	slices.SortStableFunc(all, func(a, b Explained) int { return strings.Compare(a.Keyword, b.Keyword) })
	return all
}

// origin is where the i-th value of a keyword comes from.
func (o *Options) origin(keyword string, i int, origins map[string][]string) string {
	if places := origins[keyword]; len(places) > 0 {
		if multiple[keyword] {
			return places[min(i, len(places)-1)]
		}
		return places[0]
	}
	dest, _ := parseDestination(o.Source.Destination)
	switch {
	case keyword == "user" && dest.user != "", keyword == "port" && dest.port != "", keyword == "hostname":
		return fromDestination
	case o.Unset(keyword):
		for _, s := range tunnelfile.SSHDefaults {
			if strings.EqualFold(s.Key, keyword) {
				return FromHoldfast
			}
		}
	}
	return fromSSH
}

// origins finds where each keyword is set, in ssh's order. The first place counts, or all places
// for a keyword that may be given several times.
func (o *Options) origins(ctx context.Context) map[string][]string {
	origins := make(map[string][]string)
	for _, s := range o.Source.Settings {
		keyword := strings.ToLower(s.Key)
		place := s.Path
		switch {
		case s.Line > 0:
			place += ":" + strconv.Itoa(s.Line)
		case place == "" && o.JumpOf != "":
			place = "ProxyJump of " + o.JumpOf
		}
		origins[keyword] = append(origins[keyword], place)
	}
	dest, err := parseDestination(o.Source.Destination)
	program, missing := exec.LookPath("ssh")
	if err != nil || missing != nil {
		return origins
	}
	// The destination comes after [SSH] and before any file.
	if dest.user != "" {
		origins["user"] = append(origins["user"], fromDestination)
	}
	if dest.port != "" {
		origins["port"] = append(origins["port"], fromDestination)
	}
	ctx, cancel := context.WithTimeout(ctx, sshTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, append([]string{"-G", "-N", "-vvv"}, o.Arguments()...)...)
	cmd.WaitDelay = time.Second
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if cmd.Run() == nil {
		t := trace{events: traceEvents(stderr.String()), origins: origins, own: o.Own}
		t.run()
	}
	return origins
}

// trace reads the files that ssh has read, guided by the messages that ssh printed meanwhile.
type trace struct {
	events  []string
	origins map[string][]string
	own     func(keyword string) bool // says whether [SSH] has a keyword
}

// traceEvents are the messages of ssh -vvv that show which blocks apply.
func traceEvents(text string) []string {
	var events []string
	for line := range strings.Lines(text) {
		_, message, found := strings.Cut(strings.TrimSpace(line), ": ")
		if !found || !strings.HasPrefix(line, "debug") {
			continue
		}
		for _, part := range []string{"Reading configuration data ", "Applying options for ", "Including file ", "match found", "match not found"} {
			if strings.Contains(message, part) {
				events = append(events, message)
				break
			}
		}
	}
	return events
}

// next takes the next event if it has the prefix.
func (t *trace) next(prefix string) (string, bool) {
	if len(t.events) == 0 || !strings.HasPrefix(t.events[0], prefix) {
		return "", false
	}
	rest := strings.TrimPrefix(t.events[0], prefix)
	t.events = t.events[1:]
	return rest, true
}

// run reads the files that ssh reads without an Include: the person's, the system's, and both once
// more for Match final.
func (t *trace) run() {
	for {
		file, ok := t.next("Reading configuration data ")
		if !ok {
			return
		}
		t.file(file, true)
	}
}

// file notes the settings of a file. reached is false if ssh only parsed the file, because its
// Include is in a block that does not apply. ssh mentions a Host block only if it applies. For each
// Match line it prints whether it matches.
func (t *trace) file(path string, reached bool) {
	text, err := os.ReadFile(path)
	if err != nil {
		return
	}
	active := reached
	number := 0
	for line := range strings.Lines(string(text)) {
		number++
		keyword, _ := cutKeyword(line)
		if keyword == "" {
			continue
		}
		place := path + " line " + strconv.Itoa(number) + ": "
		switch keyword {
		case "host":
			_, active = t.next(place + "Applying options for ")
		case "match":
			_, active = t.next("match found")
			if !active {
				t.next("match not found")
			}
			active = active && reached
		case "include":
			t.include(place)
		default:
			if active {
				t.note(keyword, path+":"+strconv.Itoa(number))
			}
		}
	}
}

// include reads the files of an Include line.
func (t *trace) include(place string) {
	for {
		message, ok := t.next(place + "Including file ")
		if !ok {
			return
		}
		if file, ok := t.next("Reading configuration data "); ok {
			t.file(file, !strings.HasSuffix(message, "(parse only)"))
		}
	}
}

// note records a place, unless [SSH] decides the keyword, so that no file matters.
func (t *trace) note(keyword, place string) {
	if t.own(keyword) && !multiple[keyword] || slices.Contains(t.origins[keyword], place) {
		return
	}
	t.origins[keyword] = append(t.origins[keyword], place)
}
