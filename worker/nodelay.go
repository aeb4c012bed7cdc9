package worker

import (
	"context"
	"io"
	"time"

	"github.com/holdfast/holdfast/sshlink"
)

// noDelayTimeout bounds the session that noDelay opens.
const noDelayTimeout = 30 * time.Second

// noDelay makes the server send small packets at once. sshd sets TCP_NODELAY on a connection when
// the first command, shell or subsystem on it starts, but not if it only forwards. A session
// alone, or one with a terminal, is not enough (OpenSSH 9.2). The option stays after the command
// has ended. If the server runs no command, nothing is lost.
func (w *worker) noDelay(l sshlink.Link) {
	ctx, cancel := context.WithTimeout(context.Background(), noDelayTimeout)
	defer cancel()
	if err := l.Run(ctx, "exit", io.Discard, io.Discard); err != nil {
		w.log.Debug("the server may send small packets late", "error", err)
	}
}
