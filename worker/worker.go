package worker

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/holdfast/holdfast/internal/asking"
	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/sshlink"
	"github.com/holdfast/holdfast/tunnelfile"
	"github.com/holdfast/holdfast/worker/answers"
	"github.com/holdfast/holdfast/worker/forward"
	"github.com/holdfast/holdfast/worker/keeper"
	"github.com/holdfast/holdfast/worker/pool"
)

// Options says how Run runs a tunnel.
type Options struct {
	Path   string       // of the tunnel file
	Listen string       // host:port where the report is served too; empty: nowhere
	Once   bool         // end with the first failed attempt or lost link
	Ask    asking.Asker // nil if there is nobody to ask
	Log    *slog.Logger
	Fatal  func(reason string) // ends the process at once; called at the second request to stop

	Signals <-chan os.Signal // from [Signals]
}

// Signals receives the signals that a worker understands. main calls it first, because an earlier
// signal would end the process.
func Signals() <-chan os.Signal {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, tunnelfile.SignalReload, tunnelfile.SignalProbe, tunnelfile.SignalSuspend, tunnelfile.SignalReconnect, tunnelfile.SignalHandOver)
	return signals
}

// worker is one running tunnel.
type worker struct {
	o       Options
	log     *slog.Logger
	notify  *notifier
	managed bool // a service manager runs us: a problem that needs a person blocks the tunnel and does not end it

	predecessor *predecessor // hands over to us
	reports     *reports

	pool  *pool.Pool
	set   *forward.Set
	hooks *hooks

	inForce  atomic.Pointer[settings]
	resolved chan settings
	reloaded chan reload

	fileChanged chan struct{} // a token: the file has changed since it was read

	changed     chan struct{} // a token: the status of a keeper or a forward may have changed
	publishedMu sync.Mutex
	published   tunnelfile.Status // guarded by publishedMu
	since       time.Time         // of its State; guarded by publishedMu

	handedOver     atomic.Bool
	handOverStatus handOverStatus // guarded by publishedMu

	wasUp     bool // ExecUp ran, ExecDown is due; owned by poolChanged while keepers run
	tookOver  bool // ExecUp ran in the predecessor; owned by poolChanged too
	lastStamp atomic.Pointer[string]
	resolving sync.Mutex // allows one sender to resolved

	answers *answers.Shared

	commandOn    atomic.Pointer[sshlink.Link] // RemoteCommand runs on this link; nil if it does not run
	commandEnded chan commandEnd

	// The goroutine of Run owns the fields below.

	commandRan    sshlink.Link  // the link on which RemoteCommand was last started
	commandNote   string        // how it ended; empty if it has not ended yet
	rtt           time.Duration // the round trip shown in the status
	note          string        // what is wrong with the changed file; empty if nothing
	ready         bool          // READY=1 was sent
	outage        bool          // the log has a warning for the current outage
	refusing      bool
	stopping      bool
	reloading     bool
	reloadAgain   bool // another SIGHUP came during a reload
	inherited     int
	successor     *successor // takes over from us; nil if none
	handOverDue   bool       // hand over when the file has been read
	publishedHere bool       // this process has published a state after taking over
}

// Run runs the tunnel until it is asked to stop, is idle for too long, is handed over, or meets an
// error that ends it. See [ExitStatus] for the meaning of the error.
func Run(ctx context.Context, o Options) error {
	w := &worker{
		o: o, log: o.Log, notify: newNotifier(o.Log),
		resolved: make(chan settings, 1), reloaded: make(chan reload, 1), changed: make(chan struct{}, 1),
		commandEnded: make(chan commandEnd, 1),
		fileChanged:  make(chan struct{}, 1),
		published:    tunnelfile.Status{State: tunnelfile.Connecting}, since: time.Now(),
	}
	w.managed = w.notify.present() && !o.Once
	w.answers = answers.Share(o.Ask, w.wake)
	if o.Ask != nil {
		w.o.Ask = w.answers
	}
	err := w.run(ctx)
	if errors.Is(err, errHandedOver) {
		return nil
	}
	if err != nil {
		// systemd keeps the last StatusText of the unit, so it must say why the unit failed.
		last := tunnelfile.Status{State: tunnelfile.Failed, Reason: fault.ReasonOf(err), Text: err.Error()}
		if last.Reason.Class().Blocks() {
			last.State = tunnelfile.Blocked
		}
		w.notify.status(last.String())
	}
	return err
}

func (w *worker) run(ctx context.Context) error {
	watchdog := watchdogInterval()
	var err error
	if w.predecessor, err = takePredecessor(); err != nil {
		return err
	}
	inherited := inherit(w.log, w.predecessor.present())
	w.inherited = len(inherited.listeners)
	if !w.predecessor.present() {
		return w.serve(ctx, watchdog, inherited)
	}
	w.notify.muted.Store(true)
	go w.predecessor.listen(w.wake)
	err = w.serve(ctx, watchdog, inherited)
	w.predecessor.tellFailed(cmp.Or(err, errStopped))
	return err
}

// serve is the rest of run, after the inherited sockets are known.
func (w *worker) serve(ctx context.Context, watchdog time.Duration, in inherited) error {
	s, err := load(ctx, w.o.Path, w.o.Ask, w.log)
	if err == nil && s.err != nil && !w.waitsForPerson() {
		err = s.err
	}
	if err != nil {
		return err
	}
	w.inForce.Store(&s)
	w.noteFileStamp(s.tunnel)
	os.Setenv("HOLDFAST_NAME", s.tunnel.Name) // for the programs that we start

	c := s.forwards()
	c.Inherited, c.Log, c.Changed = in.listeners, w.log, w.wake
	c.Dormant = w.predecessor.present()
	if w.notify.present() {
		c.Store, c.Unstore = w.notify.store, w.notify.unstore
	}
	if w.set, err = forward.New(c); err != nil {
		return err
	}
	w.warnLimits(s)
	w.hooks = startHooks(w.log)
	dir := tunnelfile.RuntimeDir(os.Getenv)
	if err := tunnelfile.MakeRuntimeDir(dir); err != nil {
		w.log.Warn("the runtime directory cannot be used: there are no statistics, and tunnels to one server do not take turns", "error", err)
		dir = ""
	}
	keeping, stopKeepers := context.WithCancel(context.Background())
	defer stopKeepers()
	w.pool = pool.New(keeping, pool.Config{
		Set: w.set, Keeper: func(c *pool.Connection) keeper.Config { return w.keeperConfig(c, dir) }, Changed: w.poolChanged, Log: w.log,
	})
	w.setConnections(s.tunnel.Connections)
	if w.reports, err = w.newReports(dir, s.tunnel.Name, in.report); err != nil {
		return err
	}
	defer w.reports.close()
	if !w.predecessor.present() {
		w.reports.begin(listenReports)
	}
	w.tookOver = w.predecessor.present()
	if !w.managed { // under a service manager the daemon sends SIGHUP
		go w.watchFile(keeping)
	}

	err = w.loop(ctx, watchdog)
	endKeepers := func() { stopKeepers(); w.pool.Wait() }
	switch {
	case errors.Is(err, errHandedOver):
		w.giveToSuccessor(endKeepers)
	default:
		if w.successor != nil {
			w.successor.end()
		}
		w.shutDown(err, endKeepers)
	}
	return err
}

// errStopped is sent to the predecessor if this process is asked to stop before it takes over.
var errStopped = errors.New("it was asked to stop")

// waitsForPerson says whether a tunnel that needs a person waits. Otherwise Run ends. It ends too
// while a predecessor serves the tunnel, because that goes on.
func (w *worker) waitsForPerson() bool { return w.managed && !w.predecessor.serving() }

// setConnections sets the number of SSH connections; 0 is Connections=auto.
func (w *worker) setConnections(n int) {
	w.pool.Resize(n)
	w.set.Watch(n != 1)
	w.wake()
}

// loop handles events until the tunnel ends. It returns nil for a normal end, and errHandedOver
// when the successor is ready.
func (w *worker) loop(ctx context.Context, watchdog time.Duration) error {
	var alive <-chan time.Time
	if watchdog > 0 {
		ticker := time.NewTicker(watchdog / 2)
		defer ticker.Stop()
		alive = ticker.C
	}
	idle := time.NewTimer(time.Hour)
	defer idle.Stop()
	fit := time.NewTimer(time.Hour)
	defer fit.Stop()
	idleMemory := time.NewTimer(freeMemoryAfter)
	defer idleMemory.Stop()
	ctx, stopCommand := context.WithCancel(ctx)
	defer stopCommand()
	w.publish()
	for {
		if wait, over := w.idleFor(); over {
			w.log.Info("idle, ending until the next connection")
			return nil
		} else if wait > 0 {
			idle.Reset(wait)
		}
		select {
		case <-ctx.Done():
			return nil
		case err := <-w.pool.Ended():
			return err
		case s := <-w.o.Signals:
			if isStopRequest(s) {
				w.log.Info("asked to stop", "signal", s.String())
				return nil
			}
			w.handle(ctx, s)
		case s := <-w.resolved:
			w.adopt(s)
		case err := <-w.successorNews():
			if err == nil {
				return errHandedOver
			}
			w.handOverFailed(err)
		case err := <-w.predecessor.broken:
			return err
		case r := <-w.reloaded:
			w.apply(ctx, r)
		case <-w.fileChanged:
			w.reload(ctx)
		case load := <-w.set.Loads():
			w.fit(&load, fit)
		case <-fit.C:
			w.fit(nil, fit)
		case <-w.changed:
			w.fit(nil, fit)
			if all := w.pool.Status(); all.State == tunnelfile.Blocked && all.NextTry.IsZero() && !w.waitsForPerson() {
				return all.Err
			}
			w.publish()
			if s := w.pool.First(); s.State == tunnelfile.Up {
				w.runCommand(ctx, s.Link.(sshlink.Link))
			}
		case end := <-w.commandEnded:
			if w.commandHasEnded(end) {
				return nil
			}
			w.wake()
		case <-w.set.Idle():
			idleMemory.Reset(freeMemoryAfter)
		case <-idleMemory.C:
			freeMemory()
		case <-idle.C:
		case <-alive:
			w.sendWatchdog(ctx, watchdog)
		case <-w.notify.resendAt:
			w.notify.resendMissed()
		}
	}
}

// fit adjusts the number of connections, and sets the timer for the next call. load is nil if
// there is no new sample.
func (w *worker) fit(load *forward.Load, timer *time.Timer) {
	if again := w.pool.Fit(time.Now(), load); !again.IsZero() {
		timer.Reset(max(time.Until(again), time.Millisecond))
	}
	tuneFor(w.pool.Size())
}

// handle carries out a signal.
func (w *worker) handle(ctx context.Context, s os.Signal) {
	w.log.Debug("signal", "signal", s.String())
	switch s {
	case tunnelfile.SignalReload:
		w.reload(ctx)
	case tunnelfile.SignalProbe:
		w.pool.Each((*keeper.Keeper).Probe)
	case tunnelfile.SignalSuspend:
		w.pool.Each((*keeper.Keeper).Suspend)
	case tunnelfile.SignalReconnect:
		w.pool.Each((*keeper.Keeper).Reconnect)
	case tunnelfile.SignalHandOver:
		w.handOver()
	}
}

// sendWatchdog sends WATCHDOG=1 if the keepers and the forwards answer too.
func (w *worker) sendWatchdog(ctx context.Context, interval time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, interval/4)
	defer cancel()
	if err := w.pool.Answers(ctx); err != nil {
		w.log.Error("the keeper does not answer", "error", err)
		return
	}
	w.set.Totals()
	w.notify.watchdog()
}

// idleFor is how long an on-demand tunnel that is idle still runs, 0 if it has no such limit. over
// says that it ends now. It may end only if the service manager listens for it meanwhile.
func (w *worker) idleFor() (wait time.Duration, over bool) {
	t := w.inForce.Load().tunnel
	if t.Start != tunnelfile.StartOnDemand || w.inherited == 0 || w.predecessor.draining() {
		return 0, false
	}
	since := w.set.IdleSince()
	if since.IsZero() {
		return 0, false
	}
	wait = t.IdleTimeout - time.Since(since)
	return max(wait, time.Millisecond), wait <= 0
}

// wake makes the loop compute the status again. It may be called from any goroutine.
func (w *worker) wake() {
	select {
	case w.changed <- struct{}{}:
	default:
	}
}
