// Package logs reads the journal of tunnels: what their workers wrote, what the daemon did about them,
// and what systemd did with their units. It runs journalctl(1) and prints nothing.
package logs

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/internal/journal"
	"github.com/holdfast/holdfast/tunnelfile"
)

// Query says what to read.
type Query struct {
	Names  []string // of tunnels
	System bool
	Follow bool   // go on with new entries
	Lines  int    // only the last ones; 0 means all
	Since  string // a time as in systemd.time(7)
	JSON   bool   // for Command: all fields, as journalctl prints them

	directory string // another journal than this machine's; for tests
}

// Line is a journal entry.
type Line struct {
	At       time.Time
	Tunnel   string
	Priority int // as in syslog(3)
	Event    journal.Event
	Systemd  bool // a message of systemd about the unit
	Text     string
}

// Command is journalctl(1) with arguments for the query. Entries are selected by fields that journald
// sets itself, since other fields can be forged.
func (q Query) Command(ctx context.Context) *exec.Cmd {
	args := []string{"--no-pager", "--quiet"}
	if q.Follow {
		args = append(args, "--follow")
	}
	switch {
	case q.Lines > 0:
		args = append(args, "--lines="+strconv.Itoa(q.Lines))
	case q.Follow && q.Since == "":
		args = append(args, "--lines=10")
	case q.Follow:
		args = append(args, "--no-tail")
	}
	if q.Since != "" {
		args = append(args, "--since="+q.Since)
	}
	if q.directory != "" {
		args = append(args, "--directory="+q.directory)
	}
	args = append(args, "--output=json")
	if !q.JSON {
		args = append(args, "--output-fields=MESSAGE,PRIORITY,_PID,_SYSTEMD_UNIT,_SYSTEMD_USER_UNIT,UNIT,USER_UNIT,"+journal.Fields)
	}
	return exec.CommandContext(ctx, "journalctl", append(args, q.matches()...)...)
}

// matches are the terms for journalctl(1). They select the entries of each tunnel's worker, systemd's
// about its service unit and its socket unit (which say why a listener failed), and the daemon's about it.
func (q Query) matches() (terms []string) {
	either := func(term ...string) {
		if len(terms) > 0 {
			terms = append(terms, "+")
		}
		terms = append(terms, term...)
	}
	own := "_UID=" + strconv.Itoa(os.Getuid())
	for _, name := range q.Names {
		unit := tunnelfile.ServiceName(name)
		if q.System {
			either("_SYSTEMD_UNIT=" + unit)
			either("_PID=1", "UNIT="+unit, "UNIT="+tunnelfile.SocketName(name))
			either("_SYSTEMD_UNIT="+journal.DaemonUnit, "HOLDFAST_TUNNEL="+name)
			continue
		}
		either(own, "_SYSTEMD_USER_UNIT="+unit)
		either(own, "USER_UNIT="+unit, "USER_UNIT="+tunnelfile.SocketName(name))
		either(own, "_SYSTEMD_USER_UNIT="+journal.DaemonUnit, "HOLDFAST_TUNNEL="+name)
	}
	return terms
}

// entry has the fields that are read, see systemd.journal-fields(7).
type entry struct {
	Realtime   string          `json:"__REALTIME_TIMESTAMP"`
	Message    json.RawMessage `json:"MESSAGE"` // text, or an array of bytes if it is not UTF-8
	Priority   string          `json:"PRIORITY"`
	SystemUnit string          `json:"_SYSTEMD_UNIT"`
	UserUnit   string          `json:"_SYSTEMD_USER_UNIT"`
	OfUnit     string          `json:"UNIT"`
	OfUserUnit string          `json:"USER_UNIT"`
	journal.Event
}

func (e entry) line() Line {
	micros, _ := strconv.ParseInt(e.Realtime, 10, 64) // journald writes a number
	l := Line{At: time.UnixMicro(micros), Event: e.Event, Tunnel: e.Tunnel, Priority: 6}
	if priority, err := strconv.Atoi(e.Priority); err == nil {
		l.Priority = priority
	}
	if json.Unmarshal(e.Message, &l.Text) != nil {
		var numbers []byte
		_ = json.Unmarshal(e.Message, &numbers)
		l.Text = string(numbers)
	}
	if name, ok := tunnelfile.NameOfUnit(cmp.Or(e.UserUnit, e.SystemUnit)); ok {
		l.Tunnel = name
	} else if name, ok := tunnelfile.NameOfUnit(cmp.Or(e.OfUserUnit, e.OfUnit)); ok {
		l.Tunnel, l.Systemd = name, true
	}
	return l
}

// Read calls f with each line until there are no more, f fails, or the context ends.
func Read(ctx context.Context, q Query, f func(Line) error) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	cmd := q.Command(ctx)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return err
	}
	err = each(out, f)
	if err != nil {
		stop()
	}
	ended := cmd.Wait()
	switch {
	case err != nil:
		return err
	case ctx.Err() != nil:
		return ctx.Err()
	case ended != nil:
		return fmt.Errorf("journalctl: %w: %s", ended, bytes.TrimSpace(said.Bytes()))
	}
	return nil
}

func each(in io.Reader, f func(Line) error) error {
	entries := json.NewDecoder(bufio.NewReader(in))
	last := make(map[string]journal.Event) // by tunnel, the last state that was passed to f
	for {
		var e entry
		err := entries.Decode(&e)
		if _, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			err = nil // a field occurs twice; use what could be parsed
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("journalctl: %w", err)
		}
		if e.Kind == journal.State {
			if e.Event == last[e.Tunnel] {
				continue // the daemon repeats a state that the worker has reported
			}
			last[e.Tunnel] = e.Event
		}
		if err := f(e.line()); err != nil {
			return err
		}
	}
}

// words is the text of a line. A state is written as in other places: "retrying [unreachable]: …".
func (l Line) words() string {
	e := l.Event
	if e.Kind != journal.State {
		return l.Text
	}
	return tunnelfile.Status{State: tunnelfile.State(e.State), Reason: fault.Reason(e.Reason), Text: e.Status}.String()
}

// systemdWords is systemd's message about the unit, without the unit's name.
func (l Line) systemdWords() string {
	unit := tunnelfile.ServiceName(l.Tunnel)
	words := strings.TrimPrefix(l.Text, unit+": ")
	if i := strings.Index(words, unit); i >= 0 { // "Started holdfast-tunnel@web.service - its description."
		words = strings.TrimSpace(words[:i])
	}
	return "systemd: " + words
}
