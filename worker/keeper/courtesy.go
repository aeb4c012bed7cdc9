package keeper

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
	"golang.org/x/sys/unix"

	"github.com/holdfast/holdfast/internal/fault"
)

// server is what all tunnels to one server address share, across processes: at most three handshakes at
// once, and one penalty clock, which stops all attempts for a while after the server has turned one away.
//
// It is one small file. A handshake locks a byte of it (an open file description lock, see fcntl(2)), so
// the kernel releases it if the process dies. If the folder is missing, full or not ours, each tunnel
// makes its attempts without regard to the others.
type server struct {
	path string // of the file; empty if nothing is shared
}

// handshakes is how many attempts may run at one server at once. sshd's MaxStartups 10:30:100 begins
// to drop connections at ten.
const handshakes = 3

// maxWait bounds the wait for a slot, because a stopped process may have one.
const maxWait = time.Minute

// slotByte is the file offset of the locks, far behind the written text.
const slotByte = 1 << 20

// serverAt returns the server at address, "host:port". dir is [Config.ServersDir].
func serverAt(dir, address string) server {
	if dir == "" || address == "" {
		return server{}
	}
	name := url.PathEscape(address)
	return server{filepath.Join(dir, name[:min(len(name), 200)]+".server")}
}

// acquireSlot waits for a slot among the handshakes with this server, for maxWait at most. release gives
// the slot back, and may be called more than once. The only error is that of ctx.
func (s server) acquireSlot(ctx context.Context) (release func(), err error) {
	f, err := s.open()
	if err != nil {
		return func() {}, ctx.Err()
	}
	deadline := time.Now().Add(maxWait)
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, 80*time.Millisecond) {
		free, err := lockOne(f)
		if free || err != nil || time.Now().After(deadline) {
			break
		}
		// A wait for a lock cannot be abandoned when ctx ends. So try again after a random pause.
		select {
		case <-ctx.Done():
			f.Close()
			return nil, ctx.Err()
		case <-time.After(pause/2 + rand.N(pause)):
		}
	}
	if err := ctx.Err(); err != nil {
		f.Close()
		return nil, err
	}
	return func() { f.Close() }, nil // closing releases the lock
}

func (s server) open() (*os.File, error) {
	if s.path == "" {
		return nil, os.ErrNotExist
	}
	if err := os.MkdirAll(filepath.Dir(s.path), 0o700); err != nil {
		return nil, err
	}
	return os.OpenFile(s.path, os.O_RDWR|os.O_CREATE, 0o600)
}

// lockOne locks one of the slots of an open file, if any is free.
func lockOne(f *os.File) (bool, error) {
	for i := range int64(handshakes) {
		err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{
			Type: unix.F_WRLCK, Whence: io.SeekStart, Start: slotByte + i, Len: 1,
		})
		switch {
		case err == nil:
			return true, nil
		case !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EACCES):
			return false, err
		}
	}
	return false, nil
}

// turnedAway tells the other tunnels that the server turns this machine's address away. It starts the
// penalty clock unless that is running already.
func (s server) turnedAway(p Policy, now time.Time) {
	c := s.clock()
	if now.Before(c.until) {
		return
	}
	if now.Sub(c.until) > 10*p.RetryMax {
		c.level = 0 // long ago
	}
	c.level++
	wait, _ := p.Delay(Failure{Class: fault.ClassTurnedAway}, c.level, 0, rand.Float64())
	c.until = now.Add(wait)
	s.write(c)
}

// established tells the other tunnels that the server answers. The penalty is over, and waiting
// tunnels try again.
func (s server) established() { s.write(clock{}) }

// penalty is until when no attempt should be made; a time in the past means there is no penalty.
func (s server) penalty() time.Time { return s.clock().until }

// clock is the penalty clock, as a server's file has it.
type clock struct {
	until time.Time // wall clock, because processes share it
	level int       // penalties in a row
}

func (s server) clock() (c clock) {
	text, _ := os.ReadFile(s.path)
	var until int64
	if _, err := fmt.Sscanf(string(text), "until %d level %d", &until, &c.level); err != nil || until == 0 {
		return clock{}
	}
	if c.until = time.Unix(0, until); time.Until(c.until) > time.Hour {
		return clock{} // the machine's clock was set back
	}
	return c
}

// establishedElsewhere returns a channel that receives a token when another tunnel has established a link
// to this server, until ctx ends. If the file cannot be watched, no token comes.
func (s server) establishedElsewhere(ctx context.Context) <-chan struct{} {
	established := make(chan struct{}, 1)
	f, err := s.open()
	if err != nil {
		return established
	}
	f.Close() // it exists now
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return established
	}
	if err := watcher.Add(s.path); err != nil {
		watcher.Close()
		return established
	}
	go func() {
		defer watcher.Close()
		for {
			select {
			case <-ctx.Done():
				return
			case e := <-watcher.Events:
				if e.Has(fsnotify.Write) && s.clock().until.IsZero() {
					select {
					case established <- struct{}{}:
					default:
					}
				}
			case <-watcher.Errors: // events were lost; the next attempt still comes by its timer
			}
		}
	}()
	return established
}

// write replaces the file's text in place, because the locks belong to the file and not to its name.
// Two processes that write at once write nearly the same.
func (s server) write(c clock) {
	f, err := s.open()
	if err != nil {
		return
	}
	defer f.Close()
	var until int64
	if !c.until.IsZero() {
		until = c.until.UnixNano()
	}
	f.WriteAt(fmt.Appendf(nil, "until %-20d level %-4d\n", until, c.level), 0)
}
