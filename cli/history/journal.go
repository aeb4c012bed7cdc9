package history

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/holdfast/holdfast/cli/advice"
	"github.com/holdfast/holdfast/internal/journal"
	"github.com/holdfast/holdfast/tunnelfile"
)

// moment is a time by the clock on the wall and by the one that stands still while the machine
// sleeps, which begins anew with each boot.
type moment struct {
	wall  time.Time
	awake time.Duration
	boot  string
}

// since is how long the machine was awake between two moments of one boot.
func (m moment) since(earlier moment) time.Duration {
	if m.boot != earlier.boot {
		return 0
	}
	return max(m.awake-earlier.awake, 0)
}

// at is the moment of another time of the same boot, were the machine awake in between.
func (m moment) at(wall time.Time) moment {
	return moment{wall, max(m.awake-m.wall.Sub(wall), 0), m.boot}
}

// thisMoment is now.
func thisMoment() (moment, error) {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return moment{}, fmt.Errorf("CLOCK_MONOTONIC: %w", err)
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return moment{}, err
	}
	// The journal writes the same UUID without dashes.
	return moment{time.Now(), time.Duration(ts.Nano()), strings.ReplaceAll(strings.TrimSpace(string(boot)), "-", "")}, nil
}

// journalEntry is what we read of an entry of the journal, see systemd.journal-fields(7).
type journalEntry struct {
	Realtime  string          `json:"__REALTIME_TIMESTAMP"`
	Monotonic string          `json:"__MONOTONIC_TIMESTAMP"`
	Boot      string          `json:"_BOOT_ID"`
	Message   json.RawMessage `json:"MESSAGE"` // text, or numbers where it is not UTF-8, or null where it is long

	// Of a program's own line.
	SystemUnit string `json:"_SYSTEMD_UNIT"`
	UserUnit   string `json:"_SYSTEMD_USER_UNIT"`

	// Of what systemd says of a unit.
	MessageID  string `json:"MESSAGE_ID"`
	OfUnit     string `json:"UNIT"`
	OfUserUnit string `json:"USER_UNIT"`
	JobType    string `json:"JOB_TYPE"`
	Command    string `json:"COMMAND"`
	ExitCode   string `json:"EXIT_CODE"`
	ExitStatus string `json:"EXIT_STATUS"`
	UnitResult string `json:"UNIT_RESULT"`

	// Of an event of ours.
	journal.Event
}

// journalFields are the fields of journalEntry; journalctl gives those with two underscores always.
const journalFields = "_BOOT_ID,MESSAGE,_SYSTEMD_UNIT,_SYSTEMD_USER_UNIT,MESSAGE_ID,UNIT,USER_UNIT,JOB_TYPE,COMMAND,EXIT_CODE,EXIT_STATUS,UNIT_RESULT," + journal.Fields

// text is the message, "" where it is no text.
func (e journalEntry) text() string {
	var text string
	if json.Unmarshal(e.Message, &text) != nil {
		return ""
	}
	return text
}

// moment is when the journal got the entry.
func (e journalEntry) moment() moment {
	wall, _ := strconv.ParseInt(e.Realtime, 10, 64) // of journald, never anything else
	awake, _ := strconv.ParseInt(e.Monotonic, 10, 64)
	return moment{time.UnixMicro(wall), time.Duration(awake) * time.Microsecond, e.Boot}
}

// reader reads the journal by journalctl(1).
type reader struct {
	ctx    context.Context
	system bool
}

// unit is the argument that selects a unit: its program's lines, and what systemd says of it.
// The journals of all users that may be read are looked at, since without a persistent one
// the lines of user units are in the system's.
func (j reader) unit(name string) string {
	if j.system {
		return "--unit=" + name
	}
	return "--user-unit=" + name
}

// mine is the argument that selects everything of whose tunnels these are. PID 1 is root's:
// who may not read what it says may read nothing of the system's tunnels.
func (j reader) mine() string {
	if j.system {
		return "_UID=0"
	}
	return "_UID=" + strconv.Itoa(os.Getuid())
}

// daemonUnit is where the daemon's own lines are.
const daemonUnit = "holdfastd.service"

// errEnough ends reading.
var errEnough = errors.New("enough")

// read calls f with each entry that journalctl prints for the arguments, until f fails; its
// errEnough is no error.
func (j reader) read(f func(journalEntry) error, args ...string) error {
	ctx, stop := context.WithCancel(j.ctx)
	defer stop()
	cmd := exec.CommandContext(ctx, "journalctl", append([]string{"--quiet", "--no-pager", "--output=json", "--output-fields=" + journalFields}, args...)...)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	err = eachEntry(out, f)
	if err != nil {
		stop()
	}
	ended := cmd.Wait()
	switch {
	case errors.Is(err, errEnough):
		return nil
	case j.ctx.Err() != nil:
		return j.ctx.Err()
	case err != nil:
		return err
	case ended != nil && strings.Contains(said.String(), "insufficient permissions"):
		return errUnreadable
	case ended != nil:
		return fmt.Errorf("journalctl: %w: %s", ended, bytes.TrimSpace(said.Bytes()))
	}
	return nil
}

func eachEntry(in io.Reader, f func(journalEntry) error) error {
	entries := json.NewDecoder(bufio.NewReader(in))
	for {
		var e journalEntry
		err := entries.Decode(&e)
		if _, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			err = nil // a field that is there twice, or no text: it says nothing
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("journalctl: %w", err)
		}
		if err := f(e); err != nil {
			return err
		}
	}
}

// errUnreadable says that the journal tells us nothing.
var errUnreadable = advice.Error{
	Err:  errors.New("there is no journal that you may read"),
	Hint: "Storage=persistent in journald.conf(5) gives each user one of their own; members of the group systemd-journal may read all",
}

// begins is when the journal begins.
func (j reader) begins() (begins time.Time, err error) {
	err = j.read(func(e journalEntry) error {
		begins = e.moment().wall
		return errEnough
	}, j.mine())
	if err == nil && begins.IsZero() {
		err = errUnreadable
	}
	return begins, err
}

// priorEntries and priorDaemonEntries are how far back is looked for what a tunnel did when a
// period began.
const (
	priorEntries       = 100
	priorDaemonEntries = 1000
)

// events is what happened to tunnels from a time on, with so much of what was before that
// their states are known, in order. Tunnels that are named have theirs found even where they did
// not change; others that the journal has are there all the same.
func (j reader) events(since time.Time, names []string, now moment) ([]event, error) {
	var before, events []event
	boots := make(map[string]bool)
	to := func(list *[]event) func(journalEntry) error {
		return func(e journalEntry) error {
			if event, ok := eventOf(e); ok {
				*list = append(*list, event)
				boots[event.at.boot] = true
			}
			return nil
		}
	}
	stamp := fmt.Sprintf("@%d.%06d", since.Unix(), since.Nanosecond()/1000)
	err := j.read(to(&events), "--since="+stamp, j.unit(tunnelfile.ServiceName("*")), j.unit(daemonUnit))
	prior := func(unit string, entries int) error {
		var backwards []event
		err := j.read(to(&backwards), "--until="+stamp, "--reverse", "--lines="+strconv.Itoa(entries), j.unit(unit))
		slices.Reverse(backwards)
		before = append(before, backwards...)
		return err
	}
	if err == nil {
		err = prior(daemonUnit, priorDaemonEntries)
	}
	for _, name := range names {
		if err == nil {
			err = prior(tunnelfile.ServiceName(name), priorEntries)
		}
	}
	for boot := range boots {
		if err == nil && boot != now.boot {
			err = j.read(func(e journalEntry) error {
				events = append(events, event{at: e.moment(), what: machineOff})
				return nil
			}, "--lines=1", "_BOOT_ID="+boot)
		}
	}
	return inOrder(before, events), err
}

// timestamp is a time as systemd.time(7) has it: "yesterday", "-2h", "2026-01-02 03:04".
func timestamp(ctx context.Context, text string) (time.Time, error) {
	cmd := exec.CommandContext(ctx, "systemd-analyze", "timestamp", "--", text)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	out, err := cmd.Output()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		return time.Time{}, err
	}
	for line := range strings.Lines(string(out)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ": @"); ok && name == "UNIX seconds" {
			seconds, err := strconv.ParseFloat(value, 64)
			return time.UnixMicro(int64(seconds * 1e6)), err
		}
	}
	return time.Time{}, advice.Misuse{Message: fmt.Sprintf("--since %s: no such time", text), Usage: "systemd.time(7) has what can be said: yesterday, -2h, '2026-01-02 03:04'"}
}
