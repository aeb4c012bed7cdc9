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

// reload is the result of reading the tunnel file again.
type reload struct {
	settings settings
	err      error
}

// reload reads the file again, in a goroutine of its own because ssh may be slow (Match exec).
// The result arrives in w.reloaded.
func (w *worker) reload(ctx context.Context) {
	if w.reloading {
		w.reloadAgain = true
		return
	}
	w.reloading = true
	w.postponeHandOver()
	w.noteFileStamp(w.inForce.Load().tunnel)
	if w.ready {
		w.notify.reloading()
	}
	go func() {
		s, err := loadResolved(ctx, w.o.Path, w.o.Ask, w.log)
		w.reloaded <- reload{s, err}
	}()
}

// apply puts a changed file in force. If the file is broken, or its forwards cannot be opened,
// nothing changes.
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
		w.warnLimits(r.settings)
		w.log.Info("the file was read again", "redial", redial)
		w.setConnections(r.settings.tunnel.Connections)
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

// statusText is the last published status.
func (w *worker) statusText() string {
	w.publishedMu.Lock()
	defer w.publishedMu.Unlock()
	return w.published.String()
}

// noteFileStamp notes the stamp of the file that is being read.
func (w *worker) noteFileStamp(t tunnelfile.Tunnel) {
	stamp := fileStamp(t)
	w.lastStamp.Store(&stamp)
}

// reloadIfChanged causes a reload if the tunnel file or a drop-in has changed since it was read. It
// may be called from any goroutine.
func (w *worker) reloadIfChanged() {
	if fileStamp(w.inForce.Load().tunnel) != *w.lastStamp.Load() {
		select {
		case w.fileChanged <- struct{}{}:
		default:
		}
	}
}

// watchFile calls reloadIfChanged whenever the tunnel file, a drop-in, or a symbolic link on the way
// there may have changed, until ctx ends. It is not used under a service manager: there the
// daemon watches all files and sends SIGHUP.
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
			w.reloadIfChanged()
		case <-ctx.Done():
			return
		}
	}
}

// lookTimeout bounds reading the agent's keys once.
const lookTimeout = 10 * time.Second

// fingerprint summarizes everything on this machine that may repair a blocked tunnel; see
// keeper.Config. It also causes a reload if the tunnel file has changed, in case nobody sends
// SIGHUP.
func (w *worker) fingerprint() string {
	s := w.inForce.Load()
	w.reloadIfChanged()
	if s.resolved == nil {
		return s.source(w.log).Stamp()
	}
	ctx, cancel := context.WithTimeout(context.Background(), lookTimeout)
	defer cancel()
	return login.AuthState(ctx, s.resolved.Options)
}
