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

// commandEnd says how RemoteCommand= ended, and on which link it ran.
type commandEnd struct {
	link sshlink.Link
	err  error
}

// runCommand starts RemoteCommand= on the link in use, once on each link. Only one command
// runs at a time: while it still runs on a draining link, no other is started.
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

// commandHasEnded logs the end of RemoteCommand=. over says whether the tunnel ends too, which
// is so with Start=manual: a person started it for the command.
func (w *worker) commandHasEnded(end commandEnd) (over bool) {
	w.commandOn.Store(nil)
	var status *wire.ExitError
	if end.err != nil && !errors.As(end.err, &status) && !end.link.Alive() {
		return false // the link was lost first: the command runs again on the next link
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

// maxLine is the longest line in bytes; lineLog breaks a longer one.
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

// flush logs the rest, a last line without a newline.
func (l *lineLog) flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.buf) > 0 {
		l.log.Info(text.Printable(string(l.buf)))
		l.buf = nil
	}
}
