package netwatch

import (
	"context"
	"os"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/holdfast/holdfast/internal/bus"
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

// isGoing asks logind whether the machine is about to sleep. A logind that does not say so is
// taken to be awake: who is not told of a sleep loses less than who is not told of a waking.
func (b *systemBus) isGoing(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	var going dbus.Variant
	err := b.call(ctx, logindName, logindPath, propertiesInterface+".Get", logindInterface, "PreparingForSleep").Store(&going)
	if err != nil {
		b.log.Debug("logind does not say whether the machine is about to sleep", "error", err)
	}
	yes, _ := going.Value().(bool)
	return yes
}

// watchSleep tells of each sleep and waking until ctx ends. While the machine is awake it
// holds a delay inhibitor of logind's, the only way to be asked before a sleep; it gives
// it back as soon as the tunnels were told. Should this process die, the kernel does.
func (b *systemBus) watchSleep(ctx context.Context, out chan<- Sleep) {
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
		if b.isGoing(ctx) {
			overdue := time.AfterFunc(releaseTimeout, lock.release)
			sent := b.send(ctx, out, Sleep{Going: true, release: lock.release})
			if !sent {
				overdue.Stop()
				lock.release()
			}
			continue
		}
		b.hint() // much may have changed meanwhile
		b.send(ctx, out, Sleep{})
		lock.release() // where it woke up before anybody released it
		lock = b.inhibit(ctx)
	}
}

// send hands a Sleep over, unless there is a newer one or ctx ends.
func (b *systemBus) send(ctx context.Context, out chan<- Sleep, s Sleep) bool {
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

// inhibitor is a lock of logind's: a file that releases it when closed. Nil is none.
type inhibitor struct{ file *os.File }

// inhibit takes a delay lock. Without one (no logind, not allowed) sleep is told of all
// the same, only perhaps too late.
func (b *systemBus) inhibit(ctx context.Context) inhibitor {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	file, err := bus.CallForFile(ctx, b.address, logindName, logindPath, logindInterface+".Inhibit",
		"sleep", "Holdfast", "Telling the tunnels", "delay")
	if err != nil {
		b.log.Debug("no sleep inhibitor", "error", err)
	}
	return inhibitor{file}
}

// release may be called more than once.
func (i inhibitor) release() {
	if i.file != nil {
		_ = i.file.Close()
	}
}
