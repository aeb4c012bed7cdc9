package netwatch

import (
	"context"
	"sync"
	"syscall"
	"time"

	"github.com/godbus/dbus/v5"
)

// Names of logind, see org.freedesktop.login1(5).
const (
	logindName      = "org.freedesktop.login1"
	logindPath      = "/org/freedesktop/login1"
	logindInterface = "org.freedesktop.login1.Manager"
)

// releaseTimeout is how long a Sleep that nobody releases may hold the machine up. By
// itself logind waits 5 s (InhibitDelayMaxSec=).
const releaseTimeout = 2 * time.Second

// Sleep says that the machine is about to sleep (Going), or that it has woken up.
type Sleep struct {
	Going   bool
	release func()
}

// Release lets the machine sleep: call it as soon as the tunnels were told. Calling it
// again, or after waking up, does nothing.
func (s Sleep) Release() {
	if s.release != nil {
		s.release()
	}
}

// setGoing notes what PrepareForSleep says. Who is late sees the last of it only: that
// the machine went to sleep is of no use when it is awake again.
func (b *bus) setGoing(going bool) {
	b.sleepMu.Lock()
	b.going = going
	b.sleepMu.Unlock()
	notify(b.slept)
	if !going {
		b.hint() // much may have changed meanwhile
	}
}

func (b *bus) isGoing() bool {
	b.sleepMu.Lock()
	defer b.sleepMu.Unlock()
	return b.going
}

// watchSleep tells of each sleep and waking until ctx ends. While the machine is awake it
// holds a delay inhibitor of logind's, the only way to be asked before a sleep; it gives
// it back as soon as the tunnels were told. Should this process die, the kernel does.
func (b *bus) watchSleep(ctx context.Context, out chan<- Sleep) {
	lock := b.inhibit(ctx)
	defer func() { lock.release() }()
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.logind: // another logind may not know of our lock
			old := lock
			lock = b.inhibit(ctx)
			old.release()
			continue
		case <-b.slept:
		}
		if b.isGoing() {
			overdue := time.AfterFunc(releaseTimeout, lock.release)
			sent := b.send(ctx, out, Sleep{Going: true, release: lock.release})
			if !sent {
				overdue.Stop()
				lock.release()
			}
			continue
		}
		b.send(ctx, out, Sleep{})
		lock.release() // where it woke up before anybody released it
		lock = b.inhibit(ctx)
	}
}

// send hands a Sleep over, unless there is a newer one or ctx ends.
func (b *bus) send(ctx context.Context, out chan<- Sleep, s Sleep) bool {
	select {
	case out <- s:
		return true
	case <-b.slept:
		notify(b.slept) // for the loop
		return false
	case <-ctx.Done():
		return false
	}
}

// inhibitor is a lock of logind's: a file descriptor that releases it when closed.
type inhibitor struct {
	once sync.Once
	fd   int
}

// inhibit takes a delay lock. Without one (no logind, not allowed) sleep is told of all
// the same, only perhaps too late.
func (b *bus) inhibit(ctx context.Context) *inhibitor {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	var fd dbus.UnixFD
	err := b.call(ctx, logindName, logindPath, logindInterface+".Inhibit",
		"sleep", "Holdfast", "Telling the tunnels", "delay").Store(&fd)
	if err != nil {
		b.log.Debug("no sleep inhibitor", "error", err)
		return &inhibitor{fd: -1}
	}
	return &inhibitor{fd: int(fd)}
}

func (i *inhibitor) release() {
	i.once.Do(func() {
		if i.fd >= 0 {
			syscall.Close(i.fd)
		}
	})
}
