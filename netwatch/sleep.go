package netwatch

import (
	"context"
	"os"
	"time"

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
	Going bool
	lock  *os.File // logind's inhibitor; nil if there is none
}

// Release lets the machine sleep. Call it as soon as the tunnels have been signalled. A second call,
// or one after the machine has woken up, does nothing.
func (s Sleep) Release() { _ = s.lock.Close() }

// isGoing asks logind whether the machine is about to sleep. If logind does not answer, it is not:
// a missed sleep does less harm than a missed waking.
func (b *systemBus) isGoing(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	var going bool
	err := b.call(ctx, logindName, logindPath, bus.PropertiesInterface+".Get", logindInterface, "PreparingForSleep").Store(&going)
	if err != nil {
		b.log.Debug("logind does not say whether the machine is about to sleep", "error", err)
	}
	return going
}

// watchSleep sends each sleep and waking to out until ctx ends. While the machine is awake it has a
// delay inhibitor of logind, the only way to be notified before a sleep, and releases it once the
// Sleep was released. If this process dies, the kernel closes the inhibitor.
func (b *systemBus) watchSleep(ctx context.Context, out chan<- Sleep) {
	lock := b.inhibit(ctx)
	defer func() { lock.Close() }()
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.logind: // a new logind may not know our inhibitor
			old := lock
			lock = b.inhibit(ctx)
			old.Close()
			continue
		case <-b.slept:
		}
		if b.isGoing(ctx) {
			sleep := Sleep{Going: true, lock: lock}
			overdue := time.AfterFunc(releaseTimeout, sleep.Release)
			if !b.send(ctx, out, sleep) {
				overdue.Stop()
				sleep.Release()
			}
			continue
		}
		b.hint() // the network may have changed meanwhile
		b.send(ctx, out, Sleep{})
		lock.Close() // the machine may have woken up before it was released
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

// inhibit takes a delay lock, which ends when the file is closed. Without one (no logind, not
// allowed) the file is nil, which may be closed too. Sleep is still announced, but perhaps too late.
func (b *systemBus) inhibit(ctx context.Context) *os.File {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	file, err := bus.CallForFile(ctx, b.address, logindName, logindPath, logindInterface+".Inhibit",
		"sleep", "Holdfast", "Telling the tunnels", "delay")
	if err != nil {
		b.log.Debug("no sleep inhibitor", "error", err)
	}
	return file
}
