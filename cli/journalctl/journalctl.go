// Package journalctl reads the journal with journalctl(1). It prints nothing.
package journalctl

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast/holdfast/cli/advice"
	"github.com/holdfast/holdfast/internal/journal"
)

// Entry has the fields that we read, see systemd.journal-fields(7).
type Entry struct {
	realtime, monotonic string

	Boot, Message, Priority string

	systemUnit, userUnit string // the unit that wrote the entry

	// In systemd's messages about a unit.
	MessageID, ofUnit, ofUserUnit, JobType, Command, ExitCode, ExitStatus, UnitResult string

	journal.Event // in Holdfast's own messages
}

// fields maps the journal's names of the fields to where they are stored.
func (e *Entry) fields() map[string]*string {
	return map[string]*string{
		"__REALTIME_TIMESTAMP": &e.realtime, "__MONOTONIC_TIMESTAMP": &e.monotonic,
		"_BOOT_ID": &e.Boot, "MESSAGE": &e.Message, "PRIORITY": &e.Priority,
		"_SYSTEMD_UNIT": &e.systemUnit, "_SYSTEMD_USER_UNIT": &e.userUnit,
		"MESSAGE_ID": &e.MessageID, "UNIT": &e.ofUnit, "USER_UNIT": &e.ofUserUnit, "JOB_TYPE": &e.JobType,
		"COMMAND": &e.Command, "EXIT_CODE": &e.ExitCode, "EXIT_STATUS": &e.ExitStatus, "UNIT_RESULT": &e.UnitResult,
		"HOLDFAST_EVENT": (*string)(&e.Kind), "HOLDFAST_TUNNEL": &e.Tunnel, "HOLDFAST_STATE": &e.State,
		"HOLDFAST_REASON": &e.Reason, "HOLDFAST_STATUS": &e.Status,
	}
}

// Units are the fields that say which units an entry is about, for --output-fields=.
const Units = "_SYSTEMD_UNIT,_SYSTEMD_USER_UNIT,UNIT,USER_UNIT"

// Writer is the unit that wrote the entry. journald sets it. All other fields can be forged.
func (e Entry) Writer() string { return cmp.Or(e.userUnit, e.systemUnit) }

// Subject is the unit that a message of systemd is about.
func (e Entry) Subject() string { return cmp.Or(e.ofUserUnit, e.ofUnit) }

// OfUser says whether the unit is one of a user's manager.
func (e Entry) OfUser() bool { return e.userUnit != "" || e.ofUserUnit != "" }

// Realtime is when journald received the entry, by the wall clock.
func (e Entry) Realtime() time.Time { return time.UnixMicro(number(e.realtime)) }

// Monotonic is the same by CLOCK_MONOTONIC.
func (e Entry) Monotonic() time.Duration {
	return time.Duration(number(e.monotonic)) * time.Microsecond
}

func number(field string) int64 {
	n, _ := strconv.ParseInt(field, 10, 64) // journald writes a number
	return n
}

// ErrEnough ends Read without an error.
var ErrEnough = errors.New("enough")

// Read calls f with each entry that journalctl prints for the arguments, until f fails. It returns that
// error, but nil for ErrEnough.
func Read(ctx context.Context, f func(Entry) error, args ...string) error {
	running, stop := context.WithCancel(ctx)
	defer stop()
	cmd := exec.CommandContext(running, "journalctl", append([]string{"--quiet", "--no-pager", "--output=export"}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return err
	}
	err = Parse(out, f)
	if err != nil {
		stop()
	}
	ended := cmd.Wait()
	switch {
	case errors.Is(err, ErrEnough):
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return err
	case ended != nil && strings.Contains(stderr.String(), "insufficient permissions"):
		return ErrUnreadable
	case ended != nil:
		return fmt.Errorf("journalctl: %w: %s", ended, bytes.TrimSpace(stderr.Bytes()))
	}
	return nil
}

// ErrUnreadable says that no entry can be read.
var ErrUnreadable = advice.Error{
	Err:  errors.New("there is no journal that you may read"),
	Hint: "Storage=persistent in journald.conf(5) gives each user one of their own; members of the group systemd-journal may read all",
}

// maxValue is the largest size of a field in bytes. Ours are far shorter.
const maxValue = 1 << 20

// Parse calls f with each entry in systemd's Journal Export Format: fields, and an empty line after each
// entry. That takes half the time of JSON, for journalctl and for us.
func Parse(in io.Reader, f func(Entry) error) error {
	r := bufio.NewReaderSize(in, maxValue)
	var e Entry
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
	return time.Time{}, advice.Misuse{
		Message: fmt.Sprintf("--since %s: not a time", text),
		Usage:   "examples: yesterday, -2h, '2026-01-02 03:04'; see systemd.time(7)",
	}
}
