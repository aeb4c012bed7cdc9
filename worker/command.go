package worker

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync"

	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/sshlink"
	"github.com/holdfast/holdfast/sshlink/wire"
	"github.com/holdfast/holdfast/tunnelfile"
)

// commandEnd is how RemoteCommand= ended.
type commandEnd struct {
	link sshlink.Link
	err  error
}

// runCommand starts RemoteCommand= on the link in use, once on each link and one at a
// time: while it still runs on a link that drains, it is not started again.
func (w *worker) runCommand(ctx context.Context, link sshlink.Link) {
	s := w.inForce.Load()
	if s.resolved == nil || s.resolved.RemoteCommand == "" || w.commandOn.Load() != nil || w.commandRan == link {
		return
	}
	w.commandRan = link
	w.commandOn.Store(&link)
	go func() {
		out := &lineLog{log: w.log.With("command", "RemoteCommand")}
		err := link.Run(ctx, s.resolved.RemoteCommand, out, out)
		out.flush()
		w.commandEnded <- commandEnd{link, err}
	}()
}

// commandHasEnded reports the end, and says whether the tunnel ends with it: one that a
// person started for the command's sake does.
func (w *worker) commandHasEnded(end commandEnd) (over bool) {
	w.commandOn.Store(nil)
	var status *wire.ExitError
	if end.err != nil && !errors.As(end.err, &status) && !end.link.Alive() {
		return false // the connection went first; it runs again on the next
	}
	w.commandNote = "RemoteCommand ended with exit status 0"
	if end.err != nil {
		w.commandNote = "RemoteCommand: " + text.OneLine(end.err.Error())
	}
	w.log.Info(w.commandNote)
	return w.inForce.Load().tunnel.Start == tunnelfile.StartManual
}

// lineLog logs what is written to it, line by line.
type lineLog struct {
	log *slog.Logger
	mu  sync.Mutex
	buf []byte
}

// maxLine is where a line is cut that does not end.
const maxLine = 4096

func (l *lineLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buf = append(l.buf, p...)
	for {
		i := bytes.IndexByte(l.buf, '\n')
		if i < 0 && len(l.buf) < maxLine {
			return len(p), nil
		}
		if i < 0 {
			i = maxLine - 1
		}
		l.log.Info(text.Printable(string(bytes.TrimRight(l.buf[:i+1], "\r\n"))))
		l.buf = l.buf[i+1:]
	}
}

// flush logs a last line without an end.
func (l *lineLog) flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.buf) > 0 {
		l.log.Info(text.Printable(string(l.buf)))
		l.buf = nil
	}
}
