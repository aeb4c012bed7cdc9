package worker

import (
	"context"
	"io"
	"time"

	"github.com/holdfast/holdfast/sshlink"
)

// noDelayTimeout bounds the session that noDelay has.
const noDelayTimeout = 30 * time.Second

// noDelay has the server send small packets at once. sshd sets TCP_NODELAY on a connection when
// the first command, shell or subsystem on it starts, and on none that only forwards; a session
// alone, or with a terminal, does not do it (OpenSSH 9.2). The option stays when the command has
// ended. Where no command can be run nothing is lost.
func (w *worker) noDelay(l sshlink.Link) {
	ctx, cancel := context.WithTimeout(context.Background(), noDelayTimeout)
	defer cancel()
	if err := l.Run(ctx, "exit", io.Discard, io.Discard); err != nil {
		w.log.Debug("the server may send small packets late", "error", err)
	}
}
