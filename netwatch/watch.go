package netwatch

import (
	"context"
	"log/slog"
	"time"
)

const (
	// lookGap is the least time between two looks at the network: there are at most twenty looks a
	// second, however many hints come. If a look takes long, the gap grows up to lookGapMax.
	lookGap    = 50 * time.Millisecond
	lookGapMax = time.Second
	// readTimeout is how long a look waits for NetworkManager or networkd.
	readTimeout = 2 * time.Second
	// busRetries is how often the system bus is tried, with growing delays, after it went away. After
	// that, and if there never was one, it is tried at each hint of the kernel.
	busRetries  = 10
	busRetryMin = 100 * time.Millisecond
	busRetryMax = 30 * time.Second
	// askManagerMax is the longest wait before NetworkManager, which did not answer, is asked again.
	askManagerMax = time.Minute
)

// Config is what a Watcher needs. The zero value is right for the daemon.
type Config struct {
	Log              *slog.Logger // nil for slog.Default()
	SystemBusAddress string       // a D-Bus address; "" for the system bus
}

// Watcher watches the network until its context ends.
type Watcher struct {
	config   Config
	networks chan Network
	sleeps   chan Sleep

	hints   chan struct{}      // something may have changed
	lost    chan *systemBus    // a bus connection ended
	kernel  *kernelWatch       // nil if netlink is not available
	bus     *systemBus         // nil if not connected
	cancel  context.CancelFunc // ends the goroutines of bus
	busSeen bool               // it was connected once
	busTry  int                // failed tries to connect since then
	noReply int                // looks in a row without an answer of NetworkManager

	last     Network // what was read last
	debounce debounce

	// What is planned; zero if nothing is.
	lookAt       time.Time // a look after a hint
	askManagerAt time.Time // a look because NetworkManager did not answer at the last one
	retryAt      time.Time // another try to reach the bus
	mayLook      time.Time // not a plan: no look before this time
}

// Watch starts to watch, and returns at once. The first Network comes within some seconds.
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

// Networks sends the network as it is, and then each time it differs. A late reader gets only the
// latest. Going offline comes some hundred milliseconds late, and not at all if it is over by then.
// Coming online comes at once.
func (w *Watcher) Networks() <-chan Network { return w.networks }

// Sleeps sends each sleep and each waking. Read it always: the machine waits up to two seconds until
// a Sleep is released.
func (w *Watcher) Sleeps() <-chan Sleep { return w.sleeps }

// hint asks for another look at the network. It never blocks.
func (w *Watcher) hint() {
	notify(w.hints)
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

	var latest Network     // to be published
	var out chan<- Network // nil if there is nothing to publish
	for {
		var due <-chan time.Time // nil if nothing is planned
		if first := earliest(w.lookAt, w.askManagerAt, w.retryAt, w.debounce.until); !first.IsZero() {
			due = time.After(time.Until(first))
		}
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
		case <-due:
		}

		if isDue(w.retryAt) {
			if w.connect(ctx); w.bus != nil {
				w.askLook()
			}
		}
		if isDue(w.askManagerAt) {
			w.askManagerAt = time.Time{}
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

// askLook plans a look at the network: at once, unless the last one was just now.
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
	// At most a tenth of the time goes into looks, however many hints come.
	gap := min(max(lookGap, 10*time.Since(began)), lookGapMax)
	w.lookAt, w.mayLook = time.Time{}, time.Now().Add(gap)
	w.debounce.offer(n, checking, time.Now())
}

// connect tries once to connect to the system bus, and plans the next try if that fails.
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
		w.noReply, w.askManagerAt = 0, time.Time{}
	}
}

// read reads the network. checking says that NetworkManager is checking the Internet.
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
	n, checking = combine(manager, networkd, kernel, w.last)
	w.last = n
	return n, checking
}

// answered plans another look if NetworkManager did not answer: no signal will say when it can.
func (w *Watcher) answered(err error) {
	if err == nil {
		w.noReply, w.askManagerAt = 0, time.Time{}
		return
	}
	w.config.Log.Debug("NetworkManager does not answer", "error", err)
	w.askManagerAt = time.Now().Add(min(askManagerMax, time.Second<<min(w.noReply, 10)))
	w.noReply++
}

// earliest is the first of some times. It ignores zero times.
func earliest(times ...time.Time) time.Time {
	var first time.Time
	for _, t := range times {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	return first
}

// isDue says whether a planned time has come. The zero time never comes.
func isDue(at time.Time) bool { return !at.IsZero() && !time.Now().Before(at) }
