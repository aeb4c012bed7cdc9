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

// moment is a time by two clocks: the wall clock, and CLOCK_MONOTONIC, which stops while the machine
// sleeps and restarts at each boot.
type moment struct {
	wall  time.Time
	awake time.Duration
	boot  string
}

// since is how long the machine was awake between two moments. It is 0 if they are in different boots.
func (m moment) since(earlier moment) time.Duration {
	if m.boot != earlier.boot {
		return 0
	}
	return max(m.awake-earlier.awake, 0)
}

// at is the moment of another wall-clock time in the same boot, as if the machine had been awake in between.
func (m moment) at(wall time.Time) moment {
	return moment{wall, max(m.awake-m.wall.Sub(wall), 0), m.boot}
}

// thisMoment is the current moment.
func thisMoment() (moment, error) {
	awake, err := Awake()
	if err != nil {
		return moment{}, err
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return moment{}, err
	}
	// The kernel writes the boot ID with dashes, the journal without.
	return moment{time.Now(), awake, strings.ReplaceAll(strings.TrimSpace(string(boot)), "-", "")}, nil
}

// Awake returns how long this machine has been awake since it booted: CLOCK_MONOTONIC of clock_gettime(2).
// A variable, so that a test is not bound to the machine's age.
var Awake = func() (time.Duration, error) {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return 0, fmt.Errorf("CLOCK_MONOTONIC: %w", err)
	}
	return time.Duration(ts.Nano()), nil
}

// journalEntry has the fields that we read, see systemd.journal-fields(7).
type journalEntry struct {
	Realtime, Monotonic, Boot string

	SystemUnit, UserUnit string // the unit that wrote the entry

	// In systemd's messages about a unit.
	MessageID, OfUnit, OfUserUnit, JobType, Command, ExitCode, ExitStatus, UnitResult string

	journal.Event // in Holdfast's own messages
}

// fields maps the journal's names of the fields to where they are stored.
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

// journalFields is the value for --output-fields=. journalctl always prints the fields with two underscores.
var journalFields = strings.Join(slices.Sorted(maps.Keys(new(journalEntry).fields())), ",")

// moment is when journald received the entry.
func (e journalEntry) moment() moment {
	wall, _ := strconv.ParseInt(e.Realtime, 10, 64) // journald writes a number
	awake, _ := strconv.ParseInt(e.Monotonic, 10, 64)
	return moment{time.UnixMicro(wall), time.Duration(awake) * time.Microsecond, e.Boot}
}

// reader reads the journal with journalctl(1).
type reader struct {
	ctx       context.Context
	system    bool
	directory string // another journal than this machine's; for tests
}

// terms selects events by their MESSAGE_ID. journalctl has an index for it, so a journal of years takes
// no longer than its events. The search covers every readable journal: without persistent storage,
// entries of user units are in the system's journal.
func (j reader) terms() (terms []string) {
	ids := func(ids []string) (terms []string) {
		for _, id := range ids {
			terms = append(terms, "MESSAGE_ID="+id)
		}
		return terms
	}
	ours, systemds := ids(journal.MessageIDs()), ids(systemdMessages)
	if j.system { // whose workers may run as any user
		return slices.Concat(ours, []string{"+", "_PID=1"}, systemds)
	}
	return slices.Concat([]string{j.mine()}, ours, systemds)
}

// concerns says whether an entry is about the right manager's units. The other manager's units may have
// the same names.
func (j reader) concerns(e journalEntry) bool {
	ofUser := e.UserUnit != "" || e.OfUserUnit != ""
	return ofUser != j.system
}

// mine selects the entries of the tunnels' owner. PID 1 runs as root: if root's entries cannot be read,
// nothing about the system's tunnels can.
func (j reader) mine() string {
	if j.system {
		return "_UID=0"
	}
	return "_UID=" + strconv.Itoa(os.Getuid())
}

// errEnough is returned by a callback of read to stop it.
var errEnough = errors.New("enough")

// read calls f with each entry that journalctl prints for the arguments, until f fails. It returns that
// error, but nil for errEnough.
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

// eachEntry parses systemd's Journal Export Format: fields, and an empty line after each entry. That
// takes half the time of JSON, for journalctl and for us.
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

// binaryValue reads the value of a field that is not one line of text: its length, then as many bytes.
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

// maxValue is the largest size of a field in bytes. Ours are far shorter.
const maxValue = 1 << 20

// errUnreadable says that no entry can be read.
var errUnreadable = advice.Error{
	Err:  errors.New("there is no journal that you may read"),
	Hint: "Storage=persistent in journald.conf(5) gives each user one of their own; members of the group systemd-journal may read all",
}

// begins is the time of the first entry.
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

// priorEvents is how many events before the period are read to find the state at its beginning.
const priorEvents = 5000

// events returns the events since a time, by tunnel and in order. It adds earlier events, back to the one
// that tells each named tunnel's state at that time. Other tunnels of the journal are included too.
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

// collect returns the events that journalctl finds for the arguments, until enough returns true.
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

// eventsBefore returns the last events before a time, back to one from the worker of each named tunnel,
// and at most priorEvents.
func (j reader) eventsBefore(stamp string, names []string) ([]event, error) {
	wanted := make(map[string]bool)
	for _, name := range names {
		wanted[name] = true
	}
	events, err := j.collect(func(e event) bool {
		if e.what == workerSays { // it tells the state, whatever happened before
			delete(wanted, e.tunnel)
		}
		return len(wanted) == 0
	}, "--until="+stamp, "--reverse", "--lines="+strconv.Itoa(priorEvents))
	slices.Reverse(events)
	return events, err
}

// bootEnds returns the time of the last entry of each earlier boot that is in events.
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

// byTunnel maps a tunnel's name to its events in order. "" has the events of all tunnels.
type byTunnel map[string][]event

// split groups lists of events by tunnel. Each list must be in order.
func split(lists ...[]event) byTunnel {
	by := make(byTunnel)
	for _, e := range inOrder(lists...) {
		by[e.tunnel] = append(by[e.tunnel], e)
	}
	return by
}

// of returns the events of a tunnel, with those of all tunnels.
func (b byTunnel) of(name string) []event { return inOrder(b[""], b[name]) }

// Timestamp parses a time as in systemd.time(7): "yesterday", "-2h", "2026-01-02 03:04".
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
