package netwatch

import (
	"context"
	"log/slog"
	"time"
)

const (
	// readGap is the least time between two looks at the network: however many hints
	// come, there are at most ten looks a second, and the first is at once.
	readGap = 100 * time.Millisecond
	// readTimeout is how long a look waits for NetworkManager or networkd.
	readTimeout = 2 * time.Second
	// busRetries and busRetryMax are for a system bus that went away: tries with a
	// growing delay. After those, and where there never was one, it is tried when the
	// kernel says that something changed.
	busRetries  = 10
	busRetryMax = 30 * time.Second
)

// Config is what a Watcher needs to know; the zero value is right for the daemon.
type Config struct {
	Log              *slog.Logger // nil: slog.Default()
	SystemBusAddress string       // a D-Bus address; empty: the system bus
}

// Watcher watches the network until its context ends.
type Watcher struct {
	config   Config
	networks chan Network
	sleeps   chan Sleep

	hints   chan struct{}      // something may have changed
	lost    chan *bus          // a bus connection ended
	kernel  *kernelWatch       // nil: no netlink socket could be had
	bus     *bus               // nil: not connected
	memory  Network            // what was read last
	cancel  context.CancelFunc // ends the goroutines of bus
	busSeen bool               // it was connected once
	busTry  int                // tries to connect since then that failed
	retryAt time.Time          // zero: no try is planned
}

// Watch starts to watch. It returns at once; the first Network comes as soon as it is
// known, which is at most some seconds.
func Watch(ctx context.Context, c Config) *Watcher {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	w := &Watcher{
		config:   c,
		networks: make(chan Network),
		sleeps:   make(chan Sleep),
		hints:    make(chan struct{}, 1),
		lost:     make(chan *bus, 1),
	}
	go w.run(ctx)
	return w
}

// Networks gives the network as it is, first, and then each time it differs. Who reads
// late gets the latest only. Going offline is told some hundred milliseconds late, should
// it be over by then; coming online is told at once.
func (w *Watcher) Networks() <-chan Network { return w.networks }

// Sleeps tells of each sleep and each waking. Read it always: the machine's sleep waits
// up to two seconds for what it gives to be released.
func (w *Watcher) Sleeps() <-chan Sleep { return w.sleeps }

// hint asks for another look at the network. It never blocks.
func (w *Watcher) hint() {
	select {
	case w.hints <- struct{}{}:
	default: // one is waiting already, and the look comes after both
	}
}

func (w *Watcher) run(ctx context.Context) {
	kernel, err := watchKernel(ctx, w.hint)
	if err != nil {
		w.config.Log.Warn("cannot watch the kernel's routes", "error", err)
	}
	w.kernel = kernel
	w.connect(ctx)
	defer w.disconnect()
	w.hint()

	var (
		settling settling
		latest   Network          // to be told
		out      chan<- Network   // nil: nothing to tell
		readAt   = time.Time{}    // when the next look may be
		asked    bool             // a hint waits for that time
		timer    = newIdleTimer() // for what is planned, the earliest of it
		now      = time.Now       // monotonic
	)
	for {
		timer.arm(earliest(plannedRead(asked, readAt), settling.until, w.retryAt))
		select {
		case <-ctx.Done():
			return
		case <-w.hints:
			asked = true
		case <-timer.C():
		case lost := <-w.lost:
			if lost == w.bus {
				w.config.Log.Info("the system bus went away")
				w.disconnect()
				w.retryAt = now().Add(100 * time.Millisecond)
				asked = true
			}
		case out <- latest:
			out = nil
			continue
		}

		if !w.retryAt.IsZero() && !now().Before(w.retryAt) {
			if w.connect(ctx); w.bus != nil {
				asked = true
			}
		}
		if asked && !now().Before(readAt) {
			asked = false
			if w.bus == nil && w.retryAt.IsZero() && w.busTry > 0 {
				w.connect(ctx)
			}
			began := now()
			n, checking := w.read(ctx)
			// Looking takes a tenth of the time at most, be it ever so slow.
			readAt = began.Add(max(readGap, 10*now().Sub(began)))
			settling.offer(n, checking, now())
		}
		if n, ok := settling.due(now()); ok {
			w.config.Log.Debug("network", "state", n.State, "source", n.Source, "primary", n.Primary.ID, "addresses", n.Addresses)
			latest, out = n, w.networks
		}
	}
}

// connect tries to reach the system bus once, and plans the next try where that fails.
func (w *Watcher) connect(ctx context.Context) {
	w.retryAt = time.Time{}
	life, cancel := context.WithCancel(ctx)
	b, err := connectBus(life, w.config, w.hint)
	if err != nil {
		cancel()
		w.busTry++
		if w.busTry == 1 {
			w.config.Log.Info("no system bus: the kernel alone says what the network is like", "error", err)
		}
		if w.busSeen && w.busTry <= busRetries {
			w.retryAt = time.Now().Add(min(busRetryMax, 100*time.Millisecond<<w.busTry))
		}
		return
	}
	w.busSeen, w.busTry = true, 0
	w.bus, w.cancel = b, cancel
	go b.watchSleep(life, w.sleeps)
	go func() {
		<-b.conn.Context().Done()
		select {
		case w.lost <- b:
		case <-life.Done():
		}
	}()
}

func (w *Watcher) disconnect() {
	if w.bus != nil {
		w.cancel()
		w.bus.conn.Close()
		w.bus = nil
	}
}

// read looks at the network. Checking says that NetworkManager is about to find out more.
func (w *Watcher) read(ctx context.Context) (n Network, checking bool) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	kernel, err := w.kernel.read()
	if err != nil {
		w.config.Log.Warn("cannot read the kernel's routes", "error", err)
	}
	var manager *managerReading
	var networkd State
	if w.bus != nil {
		if manager, err = w.bus.readNetworkManager(ctx, kernel.interfaces); err != nil {
			w.config.Log.Debug("NetworkManager does not answer", "error", err)
		}
		if manager == nil || manager.foreign {
			networkd = w.bus.readNetworkd(ctx)
		}
	}
	n, checking = combine(manager, networkd, kernel, w.memory)
	w.memory = n
	return n, checking
}

func plannedRead(asked bool, at time.Time) time.Time {
	if !asked {
		return time.Time{}
	}
	return at
}
