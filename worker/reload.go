package worker

import (
	"context"
	"path/filepath"
	"strings"
	"time"

	"github.com/holdfast/holdfast/internal/filewatch"
	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/sshlink/login"
	"github.com/holdfast/holdfast/tunnelfile"
	"github.com/holdfast/holdfast/worker/keeper"
)

// reload is what reading the tunnel file again has given.
type reload struct {
	settings settings
	err      error
}

// reload reads the file again, beside the loop: ssh may take its time with a Match exec.
func (w *worker) reload(ctx context.Context) {
	if w.reloading {
		w.reloadAgain = true
		return
	}
	w.reloading = true
	w.beginAgain()
	w.remember(w.inForce.Load().tunnel)
	if w.ready {
		w.notify.reloading()
	}
	go func() {
		s, err := load(ctx, w.o.Path, w.o.Ask, w.log)
		if err == nil {
			err = s.err
		}
		w.reloaded <- reload{s, err}
	}()
}

// apply puts a changed file in force, as far as it can be: a file that is broken
// leaves everything as it was.
func (w *worker) apply(ctx context.Context, r reload) {
	w.reloading = false
	w.note = ""
	err := r.err
	if err == nil {
		err = w.set.Apply(r.settings.forwards())
	}
	if err != nil {
		w.note = "the changed file is not in force: " + text.OneLine(err.Error())
		w.log.Error("the changed file is not in force", "error", err)
	} else {
		old := w.inForce.Load()
		w.inForce.Store(&r.settings)
		redial := !r.settings.sameLink(*old)
		w.sayLimits(r.settings)
		w.log.Info("the file was read again", "redial", redial)
		w.connections(r.settings.tunnel.Connections)
		w.pool.Each(func(k *keeper.Keeper) { k.Change(r.settings.policy(), redial) })
	}
	if w.ready {
		w.notify.ready(w.statusText())
	}
	w.publish()
	if w.reloadAgain {
		w.reloadAgain = false
		w.reload(ctx)
	} else if w.handOverDue {
		w.handOver()
	}
}

// statusText is what was told last.
func (w *worker) statusText() string {
	w.publishedMu.Lock()
	defer w.publishedMu.Unlock()
	return w.published.String()
}

// remember notes what the file looked like when it was read.
func (w *worker) remember(t tunnelfile.Tunnel) {
	stamp := fileStamp(t)
	w.lastStamp.Store(&stamp)
}

// lookAtFile has the tunnel file read again if it, or a drop-in, is not what was read.
func (w *worker) lookAtFile() {
	if fileStamp(w.inForce.Load().tunnel) != *w.lastStamp.Load() {
		select {
		case w.fileChanged <- struct{}{}:
		default:
		}
	}
}

// watchFile looks at the tunnel file whenever it, a drop-in, or a link on the way there may
// have changed, until the context ends. Where there is a daemon, that does it for all.
func (w *worker) watchFile(ctx context.Context) {
	path, err := filepath.Abs(w.o.Path)
	if err != nil {
		w.log.Warn("a changed file is read at SIGHUP only", "error", err)
		return
	}
	changed := make(chan struct{})
	go filewatch.Watch(ctx, w.log, func(set *filewatch.Set) {
		set.File(path)
		set.Folder(path+".d", func(name string) bool { return strings.HasSuffix(name, tunnelfile.DropInSuffix) })
	}, changed)
	for {
		select {
		case <-changed:
			w.lookAtFile()
		case <-ctx.Done():
			return
		}
	}
}

// serversDir is where tunnels keep what they owe a server together; "" where there is nowhere.
func serversDir(runtimeDir string) string {
	if runtimeDir == "" {
		return ""
	}
	return filepath.Join(runtimeDir, "servers")
}

// lookTimeout bounds one look at the agent's keys.
const lookTimeout = 10 * time.Second

// fingerprint is of all on this machine that may mend a tunnel that is blocked. A
// changed tunnel file is read again besides, in case that nobody sends SIGHUP.
func (w *worker) fingerprint() string {
	s := w.inForce.Load()
	w.lookAtFile()
	if s.resolved == nil {
		return s.source(w.log).Stamp()
	}
	ctx, cancel := context.WithTimeout(context.Background(), lookTimeout)
	defer cancel()
	return login.AuthState(ctx, s.resolved.Options)
}
