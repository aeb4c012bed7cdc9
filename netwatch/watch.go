package netwatch

import (
	"context"
	"log/slog"
	"time"
)

const (
	// lookGap is the least time between two looks at the network: however many hints
	// come, there are at most twenty looks a second, and the first is at once. Where a
	// look takes long, the gap grows up to lookGapMax.
	lookGap    = 50 * time.Millisecond
	lookGapMax = time.Second
	// readTimeout is how long a look waits for NetworkManager or networkd.
	readTimeout = 2 * time.Second
	// busRetries and busRetryMax are for a system bus that went away: tries with a
	// growing delay. After those, and where there never was one, it is tried when the
	// kernel says that something changed.
	busRetries  = 10
	busRetryMin = 100 * time.Millisecond
	busRetryMax = 30 * time.Second
	// againMax is the longest wait before NetworkManager is asked again when it did not answer.
	againMax = time.Minute
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
	lost    chan *systemBus    // a bus connection ended
	kernel  *kernelWatch       // nil: no netlink socket could be had
	bus     *systemBus         // nil: not connected
	cancel  context.CancelFunc // ends the goroutines of bus
	busSeen bool               // it was connected once
	busTry  int                // tries to connect since then that failed
	noReply int                // looks in a row that NetworkManager did not answer

	memory   Network // what was read last
	debounce debounce

	// What is planned; the zero time is nothing.
	lookAt  time.Time // a look that was asked for
	againAt time.Time // a look because NetworkManager did not answer the last one
	retryAt time.Time // another try to reach the bus
	mayLook time.Time // not a plan: looks before this would be too many
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
		lost:     make(chan *systemBus, 1),
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

	var latest Network     // to be told
	var out chan<- Network // nil: nothing to tell
	timer := newIdleTimer()
	for {
		timer.arm(earliest(w.lookAt, w.againAt, w.retryAt, w.debounce.until))
		select {
		case <-ctx.Done():
			return
		case out <- latest:
			out = nil
			continue
		case <-w.hints:
			w.askLook()
		case lost := <-w.lost:
			if lost == w.bus {
				w.config.Log.Info("the system bus went away")
				w.disconnect()
				w.retryAt = time.Now().Add(busRetryMin)
				w.askLook()
			}
		case <-timer.C():
		}

		if isDue(w.retryAt) {
			if w.connect(ctx); w.bus != nil {
				w.askLook()
			}
		}
		if isDue(w.againAt) {
			w.againAt = time.Time{}
			w.askLook()
		}
		if isDue(w.lookAt) {
			w.look(ctx)
		}
		if n, ok := w.debounce.due(time.Now()); ok {
			w.config.Log.Debug("network", "state", n.State, "source", n.Source, "primary", n.Primary.ID, "addresses", n.Addresses)
			latest, out = n, w.networks
		}
	}
}

// askLook plans a look at the network, at once unless the last was just now.
func (w *Watcher) askLook() {
	if w.lookAt.IsZero() {
		w.lookAt = w.mayLook
		if w.lookAt.Before(time.Now()) {
			w.lookAt = time.Now()
		}
	}
}

// look reads what the network is like.
func (w *Watcher) look(ctx context.Context) {
	if w.bus == nil && w.retryAt.IsZero() && w.busTry > 0 {
		w.connect(ctx)
	}
	began := time.Now()
	n, checking := w.read(ctx)
	// A tenth of the time at most is spent looking, however many hints come.
	gap := min(max(lookGap, 10*time.Since(began)), lookGapMax)
	w.lookAt, w.mayLook = time.Time{}, time.Now().Add(gap)
	w.debounce.offer(n, checking, time.Now())
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
			w.retryAt = time.Now().Add(min(busRetryMax, busRetryMin<<w.busTry))
		}
		return
	}
	w.busSeen, w.busTry = true, 0
	w.bus, w.cancel = b, cancel
	go b.watchSleep(life, w.sleeps)
	go func() {
		<-b.Done()
		select {
		case w.lost <- b:
		case <-life.Done():
		}
	}()
}

func (w *Watcher) disconnect() {
	if w.bus != nil {
		w.cancel()
		w.bus.Close()
		w.bus = nil
		w.noReply, w.againAt = 0, time.Time{}
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
		manager, err = w.bus.readNetworkManager(ctx, kernel.interfaces)
		w.answered(err)
		if manager == nil || manager.silent || manager.foreign {
			networkd = w.bus.readNetworkd(ctx)
		}
	}
	n, checking = combine(manager, networkd, kernel, w.memory)
	w.memory = n
	return n, checking
}

// answered plans another look where NetworkManager runs and does not answer: it will not
// say when it does again.
func (w *Watcher) answered(err error) {
	if err == nil {
		w.noReply, w.againAt = 0, time.Time{}
		return
	}
	w.config.Log.Debug("NetworkManager does not answer", "error", err)
	w.againAt = time.Now().Add(min(againMax, time.Second<<min(w.noReply, 10)))
	w.noReply++
}
