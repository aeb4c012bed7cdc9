package history

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/holdfast/holdfast/cli/advice"
	"github.com/holdfast/holdfast/internal/journal"
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
	Realtime, Monotonic, Boot string

	SystemUnit, UserUnit string // of a program's own line

	// Of what systemd says of a unit.
	MessageID, OfUnit, OfUserUnit, JobType, Command, ExitCode, ExitStatus, UnitResult string

	journal.Event // of ours
}

// fields are where the fields of an entry go.
func (e *journalEntry) fields() map[string]*string {
	return map[string]*string{
		"__REALTIME_TIMESTAMP": &e.Realtime, "__MONOTONIC_TIMESTAMP": &e.Monotonic, "_BOOT_ID": &e.Boot,
		"_SYSTEMD_UNIT": &e.SystemUnit, "_SYSTEMD_USER_UNIT": &e.UserUnit,
		"MESSAGE_ID": &e.MessageID, "UNIT": &e.OfUnit, "USER_UNIT": &e.OfUserUnit, "JOB_TYPE": &e.JobType,
		"COMMAND": &e.Command, "EXIT_CODE": &e.ExitCode, "EXIT_STATUS": &e.ExitStatus, "UNIT_RESULT": &e.UnitResult,
		"HOLDFAST_EVENT": (*string)(&e.Event.Kind), "HOLDFAST_TUNNEL": &e.Event.Tunnel, "HOLDFAST_STATE": &e.Event.State,
		"HOLDFAST_REASON": &e.Event.Reason, "HOLDFAST_STATUS": &e.Event.Status,
	}
}

// journalFields are those of journalEntry; journalctl gives those with two underscores always.
var journalFields = strings.Join(slices.Sorted(maps.Keys(new(journalEntry).fields())), ",")

// moment is when the journal got the entry.
func (e journalEntry) moment() moment {
	wall, _ := strconv.ParseInt(e.Realtime, 10, 64) // of journald, never anything else
	awake, _ := strconv.ParseInt(e.Monotonic, 10, 64)
	return moment{time.UnixMicro(wall), time.Duration(awake) * time.Microsecond, e.Boot}
}

// reader reads the journal by journalctl(1).
type reader struct {
	ctx       context.Context
	system    bool
	directory string // of another journal than this machine's; for tests
}

// terms select the entries that are events, by their MESSAGE_ID, which journalctl looks up in an
// index: a journal of years is no slower than its events. The journals of all users that may be
// read are looked at, since without a persistent one the lines of user units are in the system's.
func (j reader) terms() (terms []string) {
	ids := func(ids []string) (terms []string) {
		for _, id := range ids {
			terms = append(terms, "MESSAGE_ID="+id)
		}
		return terms
	}
	ours, systemds := ids(journal.MessageIDs()), ids(systemdMessages)
	if j.system { // whose programs may run as anybody
		return slices.Concat(ours, []string{"+", "_PID=1"}, systemds)
	}
	return slices.Concat([]string{j.mine()}, ours, systemds)
}

// concerns says whether an entry is about units of the manager whose tunnels these are: the other
// manager's units may have the same names.
func (j reader) concerns(e journalEntry) bool {
	ofUser := e.UserUnit != "" || e.OfUserUnit != ""
	return ofUser != j.system
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
	options := []string{"--quiet", "--no-pager", "--output=export", "--output-fields=" + journalFields}
	if j.directory != "" {
		options = append(options, "--directory="+j.directory)
	}
	cmd := exec.CommandContext(ctx, "journalctl", append(options, args...)...)
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

// eachEntry reads systemd's journal export format: fields, and an empty line after each entry. It
// takes half the time of JSON, on both sides.
func eachEntry(in io.Reader, f func(journalEntry) error) error {
	r := bufio.NewReaderSize(in, 1<<16)
	var e journalEntry
	fields, some := e.fields(), false
	for {
		line, err := r.ReadSlice('\n')
		if errors.Is(err, io.EOF) && len(line) == 0 && !some {
			return nil
		}
		if err != nil {
			return fmt.Errorf("journalctl: a line of %d bytes: %w", len(line), err)
		}
		line = line[:len(line)-1]
		if len(line) == 0 {
			if err := f(e); err != nil {
				return err
			}
			for _, field := range fields {
				*field = ""
			}
			some = false
			continue
		}
		some = true
		name, value, isText := bytes.Cut(line, []byte{'='})
		field := fields[string(name)]
		if !isText {
			if value, err = binaryValue(r); err != nil {
				return fmt.Errorf("journalctl: %w", err)
			}
		}
		if field != nil {
			*field = string(value)
		}
	}
}

// binaryValue is the rest of a field that is not one line of text: its length, and so many bytes.
func binaryValue(r *bufio.Reader) ([]byte, error) {
	var length uint64
	if err := binary.Read(r, binary.LittleEndian, &length); err != nil {
		return nil, err
	}
	if length > maxValue {
		return nil, fmt.Errorf("a field of %d bytes", length)
	}
	value := make([]byte, length+1)
	_, err := io.ReadFull(r, value)
	return value[:length], err
}

// maxValue bounds a field: ours are far shorter.
const maxValue = 1 << 20

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

// priorEvents is how many events are looked back at for what each tunnel did when a period began.
const priorEvents = 5000

// events is what happened to tunnels from a time on, by tunnel, with so much of what was before
// that their states are known, in order. Tunnels that are named have theirs looked for where they
// did not change; others that the journal has are there all the same.
func (j reader) events(since time.Time, names []string, now moment) (byTunnel, error) {
	stamp := fmt.Sprintf("@%d.%06d", since.Unix(), since.Nanosecond()/1000)
	var before, after []event
	var errBefore, errAfter error
	var both sync.WaitGroup
	both.Go(func() { before, errBefore = j.eventsBefore(stamp, names) })
	both.Go(func() { after, errAfter = j.collect(nil, "--since="+stamp) })
	both.Wait()
	if err := cmp.Or(errBefore, errAfter); err != nil {
		return nil, err
	}
	ends, err := j.bootEnds(slices.Concat(before, after), now)
	return split(before, inOrder(after, ends)), err
}

// collect is the events of journalctl's arguments, until enough says so.
func (j reader) collect(enough func(event) bool, args ...string) (events []event, err error) {
	err = j.read(func(e journalEntry) error {
		if event, ok := eventOf(e); ok && j.concerns(e) {
			events = append(events, event)
			if enough != nil && enough(event) {
				return errEnough
			}
		}
		return nil
	}, append(args, j.terms()...)...)
	return events, err
}

// eventsBefore are the last events before a time, back to where each of these tunnels has some.
func (j reader) eventsBefore(stamp string, names []string) ([]event, error) {
	wanted := make(map[string]bool)
	for _, name := range names {
		wanted[name] = true
	}
	events, err := j.collect(func(e event) bool {
		if e.what == workerSays { // which tells its state whatever was before
			delete(wanted, e.tunnel)
		}
		return len(wanted) == 0
	}, "--until="+stamp, "--reverse", "--lines="+strconv.Itoa(priorEvents))
	slices.Reverse(events)
	return events, err
}

// bootEnds are the last that was heard in each boot of events but this one.
func (j reader) bootEnds(events []event, now moment) (ends []event, err error) {
	boots := make(map[string]bool)
	for _, e := range events {
		boots[e.at.boot] = true
	}
	delete(boots, now.boot)
	var mu sync.Mutex
	var reading sync.WaitGroup
	slots := make(chan struct{}, 4)
	for boot := range boots {
		slots <- struct{}{}
		reading.Go(func() {
			defer func() { <-slots }()
			failed := j.read(func(e journalEntry) error {
				mu.Lock()
				defer mu.Unlock()
				ends = append(ends, event{at: e.moment(), what: machineOff})
				return nil
			}, "--lines=1", "_BOOT_ID="+boot)
			mu.Lock()
			defer mu.Unlock()
			err = cmp.Or(err, failed)
		})
	}
	reading.Wait()
	return ends, err
}

// byTunnel is events in order by the name of their tunnel; under "" those of all tunnels.
type byTunnel map[string][]event

// split is lists of events by tunnel; the events of each list are in order.
func split(lists ...[]event) byTunnel {
	by := make(byTunnel)
	for _, e := range inOrder(lists...) {
		by[e.tunnel] = append(by[e.tunnel], e)
	}
	return by
}

// of is what happened to a tunnel, with what happened to all.
func (b byTunnel) of(name string) []event { return inOrder(b[""], b[name]) }

// Timestamp is a time as systemd.time(7) has it: "yesterday", "-2h", "2026-01-02 03:04".
func Timestamp(ctx context.Context, text string) (time.Time, error) {
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
