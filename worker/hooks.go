package worker

import (
	"context"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
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

// close waits until the queued runs have ended. When ctx ends first, it kills the rest.
func (h *hooks) close(ctx context.Context) {
	close(h.queue)
	ended := make(chan struct{})
	go func() { h.done.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-ctx.Done():
		h.cancel()
		<-ended
	}
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
