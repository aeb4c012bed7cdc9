package history

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/holdfast/holdfast/cli/journalctl"
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

// fields are those that the events are made of, for --output-fields=.
const fields = "_BOOT_ID,MESSAGE_ID,JOB_TYPE,COMMAND,EXIT_CODE,EXIT_STATUS,UNIT_RESULT," + journalctl.Units + "," + journal.Fields

// momentOf is when journald received the entry.
func momentOf(e journalctl.Entry) moment { return moment{e.Realtime(), e.Monotonic(), e.Boot} }

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

// mine selects the entries of the tunnels' owner. PID 1 runs as root: if root's entries cannot be read,
// nothing about the system's tunnels can.
func (j reader) mine() string {
	if j.system {
		return "_UID=0"
	}
	return "_UID=" + strconv.Itoa(os.Getuid())
}

// read calls f with each entry that journalctl prints for the arguments.
func (j reader) read(f func(journalctl.Entry) error, args ...string) error {
	options := []string{"--output-fields=" + fields}
	if j.directory != "" {
		options = append(options, "--directory="+j.directory)
	}
	return journalctl.Read(j.ctx, f, append(options, args...)...)
}

// begins is the time of the first entry.
func (j reader) begins() (begins time.Time, err error) {
	err = j.read(func(e journalctl.Entry) error {
		begins = momentOf(e).wall
		return journalctl.ErrEnough
	}, j.mine())
	if err == nil && begins.IsZero() {
		err = journalctl.ErrUnreadable
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
	err = j.read(func(e journalctl.Entry) error {
		// Units of the user's manager and of the system's may have the same names.
		if event, ok := eventOf(e); ok && e.OfUser() != j.system {
			events = append(events, event)
			if enough != nil && enough(event) {
				return journalctl.ErrEnough
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
		if e.what == workerState { // it tells the state, whatever happened before
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
			failed := j.read(func(e journalctl.Entry) error {
				mu.Lock()
				defer mu.Unlock()
				ends = append(ends, event{at: momentOf(e), what: machineOff})
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
