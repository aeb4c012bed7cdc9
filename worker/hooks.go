package worker

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/tunnelfile"
	"github.com/holdfast/holdfast/worker/keeper"
	"github.com/holdfast/holdfast/worker/pool"
)

// hookTimeout bounds each command of ExecUp= and ExecDown=.
const hookTimeout = 30 * time.Second

// hookQueue is how many runs may wait. If the link comes and goes faster than the commands end,
// the oldest waiting runs are dropped.
const hookQueue = 16

// hooks runs the commands of ExecUp= and ExecDown= in a goroutine of its own, one after the
// other, in the order of the events.
type hooks struct {
	log    *slog.Logger
	queue  chan hookRun
	cancel context.CancelFunc
	done   sync.WaitGroup
}

// hookRun is the commands for one event.
type hookRun struct {
	event    string // "ExecUp" or "ExecDown"
	commands [][]string
	env      []string
}

func startHooks(log *slog.Logger) *hooks {
	ctx, cancel := context.WithCancel(context.Background())
	h := &hooks{log: log, queue: make(chan hookRun, hookQueue), cancel: cancel}
	h.done.Go(func() {
		for run := range h.queue {
			for _, argv := range run.commands {
				h.run(ctx, run, argv)
			}
		}
	})
	return h
}

// add queues a run. It never blocks.
func (h *hooks) add(run hookRun) {
	if len(run.commands) == 0 {
		return
	}
	for {
		select {
		case h.queue <- run:
			return
		default:
		}
		select {
		case lost := <-h.queue:
			h.log.Warn("commands are slower than the link: a run is left out", "key", lost.event)
		default:
		}
	}
}

// close waits until the queued runs have ended, for hookGrace at most. Then it kills the rest.
func (h *hooks) close() {
	close(h.queue)
	late := time.AfterFunc(hookGrace, h.cancel)
	defer late.Stop()
	h.done.Wait()
	h.cancel()
}

// run runs one command in its own process group. At hookTimeout the whole group is killed.
func (h *hooks) run(ctx context.Context, run hookRun, argv []string) {
	if ctx.Err() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, hookTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), run.env...)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		h.log.Warn("command failed", "key", run.event, "command", strings.Join(argv, " "), "error", err)
	}
}

// poolChanged is called by the pool with each change of its status, one call at a time.
func (w *worker) poolChanged(all pool.Status) {
	switch {
	case w.predecessor.serving(), w.handedOver.Load(): // another process speaks for the tunnel
	case all.State == tunnelfile.Up && !w.wasUp:
		w.wasUp = true
		if w.tookOver {
			w.tookOver = false // the predecessor ran ExecUp, and the tunnel was up all the time
			break
		}
		w.runHooks("ExecUp", all.Status)
	case all.Link == nil:
		w.runExecDown(all.Status)
	}
	w.answers.Remember(all.Up < all.Wanted && all.Wanted > 1)
	w.wake()
}

// runExecDown runs ExecDown if ExecUp ran before.
func (w *worker) runExecDown(s keeper.Status) {
	if w.wasUp {
		w.wasUp = false
		w.runHooks("ExecDown", s)
	}
}

func (w *worker) runHooks(event string, s keeper.Status) {
	set := w.inForce.Load()
	run := hookRun{event: event, commands: set.tunnel.ExecUp, env: []string{
		"HOLDFAST_NAME=" + set.tunnel.Name,
		"HOLDFAST_DESTINATION=" + set.tunnel.Destination,
		"HOLDFAST_STATE=" + string(s.State),
		"HOLDFAST_EVENT=" + event,
		"HOLDFAST_SERVER=" + set.server(),
		fmt.Sprintf("HOLDFAST_RECONNECTS=%d", s.Reconnects),
	}}
	if event == "ExecDown" {
		run.commands = set.tunnel.ExecDown
		if s.Err != nil {
			run.env = append(run.env, "HOLDFAST_REASON="+text.BoundBytes(text.OneLine(s.Err.Error()), maxStatus))
		}
	}
	w.hooks.add(run)
}
