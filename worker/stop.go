package worker

import (
	"cmp"
	"context"
	"os"
	"syscall"
	"time"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/tunnelfile"
	"github.com/holdfast/holdfast/worker/keeper"
)

// ExitStatus is the exit status of the process for an error of Run. 1 is for errors where a new
// attempt may help: a local port that is in use, or with --once any passing error.
func ExitStatus(err error) tunnelfile.ExitStatus {
	if err == nil {
		return tunnelfile.ExitOK
	}
	return cmp.Or(exitStatuses[fault.ClassOf(err)], 1)
}

var exitStatuses = map[fault.Class]tunnelfile.ExitStatus{
	fault.ClassDenied:     tunnelfile.ExitDenied,
	fault.ClassDistrusted: tunnelfile.ExitDistrusted,
	fault.ClassMistaken:   tunnelfile.ExitMistaken,
}

// How long open connections and commands may take at the end.
const (
	defaultDrain = 10 * time.Second
	drainMargin  = 500 * time.Millisecond // of TimeoutStopSec, reserved for the end itself
	hookGrace    = 2 * time.Second        // for commands of ExecUp= and ExecDown=
	endlessDrain = 365 * 24 * time.Hour
)

// drainTime is how long open connections may go on when the tunnel is asked to stop. systemd does
// not pass TimeoutStopSec to a process, so it is read from the tunnel file.
func drainTime(t tunnelfile.Tunnel) time.Duration {
	limit := cmp.Or(t.ServiceSetting("TimeoutStopSec").Value, t.ServiceSetting("TimeoutSec").Value)
	d, err := tunnelfile.ParseSpan(limit)
	switch {
	case limit == "infinity":
		return endlessDrain
	case err != nil:
		return defaultDrain
	}
	return max(d-drainMargin, 0)
}

// shutDown closes the forwards, waits for open connections, and then calls endKeepers. cause is
// the error that ends the tunnel; nil if it was asked to stop or is idle. A second request to
// stop ends the process at once.
func (w *worker) shutDown(cause error, endKeepers func()) {
	w.stopping = true
	limit := drainTime(w.inForce.Load().tunnel)
	if cause == nil {
		w.publish()
		w.notify.stopping(string(tunnelfile.Stopping))
	} else {
		limit = 0 // there is no link, nothing can drain
	}
	w.pool.Each((*keeper.Keeper).Suspend)
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	defer w.handleStopRequests(nil)()
	if err := w.set.Close(ctx); err != nil && cause == nil {
		w.log.Info("connections were cut that did not end in time", "limit", limit.String())
	}
	endKeepers()
	last := w.pool.Status().Status
	last.State = tunnelfile.Stopping
	w.runExecDown(last)
	w.hooks.close()
}

// isStopRequest says whether a signal asks the tunnel to stop.
func isStopRequest(s os.Signal) bool { return s == syscall.SIGTERM || s == syscall.SIGINT }

// handleStopRequests calls first at the next request to stop, and ends the process at the one after that; at
// the next one if first is nil. It does so until end is called.
func (w *worker) handleStopRequests(first func()) (end func()) {
	ended := make(chan struct{})
	go func() {
		for {
			select {
			case s := <-w.o.Signals:
				switch {
				case !isStopRequest(s):
				case first == nil:
					w.o.Fatal("asked to stop again, ending at once")
				default:
					first()
					first = nil
				}
			case <-ended:
				return
			}
		}
	}()
	return func() { close(ended) }
}
