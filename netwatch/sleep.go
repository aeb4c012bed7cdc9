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

// releaseTimeout is how long a Sleep that nobody releases may delay the machine. logind would wait
// 5 s (InhibitDelayMaxSec=).
const releaseTimeout = 2 * time.Second

// Sleep says that the machine is about to sleep (Going), or that it has woken up.
type Sleep struct {
	Going   bool
	release func()
}

// Release lets the machine sleep. Call it as soon as the tunnels have been signalled. A second call,
// or one after the machine has woken up, does nothing.
func (s Sleep) Release() {
	if s.release != nil {
		s.release()
	}
}

// isGoing asks logind whether the machine is about to sleep. If logind does not answer, it is not:
// a missed sleep does less harm than a missed waking.
func (b *systemBus) isGoing(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	var going dbus.Variant
	err := b.call(ctx, logindName, logindPath, bus.PropertiesInterface+".Get", logindInterface, "PreparingForSleep").Store(&going)
	if err != nil {
		b.log.Debug("logind does not say whether the machine is about to sleep", "error", err)
	}
	yes, _ := going.Value().(bool)
	return yes
}

// watchSleep sends each sleep and waking to out until ctx ends. While the machine is awake it has a
// delay inhibitor of logind, the only way to be notified before a sleep, and releases it once the
// Sleep was released. If this process dies, the kernel closes the inhibitor.
func (b *systemBus) watchSleep(ctx context.Context, out chan<- Sleep) {
	lock := b.inhibit(ctx)
	defer func() { lock.release() }()
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.logind: // a new logind may not know our inhibitor
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
		b.hint() // the network may have changed meanwhile
		b.send(ctx, out, Sleep{})
		lock.release() // the machine may have woken up before it was released
		lock = b.inhibit(ctx)
	}
}

// send sends a Sleep, unless there is a newer one or ctx ends.
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

// inhibitor is a lock of logind, which ends when the file is closed. A nil file is no lock.
type inhibitor struct{ file *os.File }

// inhibit takes a delay lock. Without one (no logind, not allowed) sleep is still announced, but
// perhaps too late.
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
