package wire

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/holdfast/holdfast/internal/text"
	"golang.org/x/crypto/ssh"
)

// Runner is as much of a link as RemoveStale needs.
type Runner interface {
	DialContext(ctx context.Context, network, addr string) (net.Conn, error)
	Run(ctx context.Context, command string, stdout, stderr io.Writer) error
}

// RemoveStale removes a unix socket on the server on which nobody answers, left behind by a
// session that died. It fails where somebody does answer, where the path is no socket, and
// where the server gives no shell to do it with.
func RemoveStale(ctx context.Context, l Runner, path string) error {
	if c, err := l.DialContext(ctx, "unix", path); err == nil {
		c.Close()
		return fmt.Errorf("%s is in use on the server: somebody answers on it", path)
	} else if _, refused := errors.AsType[*ssh.OpenChannelError](err); !refused {
		return err
	}
	quoted, err := quoteForAnyShell(path)
	if err != nil {
		return err
	}
	var said limitedBuffer
	// Every shell a person may have knows these words; the command itself is told apart from
	// one that is forced by the number that only it ends with.
	const removed = 93
	command := fmt.Sprintf("test -S %s && rm -f -- %s && exit %d", quoted, quoted, removed)
	err = l.Run(ctx, command, io.Discard, &said)
	exit, ok := errors.AsType[*ExitError](err)
	switch {
	case ok && exit.Status == removed:
		return nil
	case ok && said.Len() > 0:
		return fmt.Errorf("%s on the server: %s", path, text.FromPeer(said.String()))
	case ok:
		return fmt.Errorf("%s on the server is no socket that could be removed", path)
	case err == nil:
		return fmt.Errorf("%s on the server could not be removed: the server runs a command of its own", path)
	}
	return fmt.Errorf("%s on the server could not be removed: %w", path, err)
}

// quoteForAnyShell quotes a path so that sh, csh and fish take it for itself. Characters that
// they read differently inside quotes are refused.
func quoteForAnyShell(path string) (string, error) {
	if strings.ContainsAny(path, "'\\!\n\r\x00") || !strings.HasPrefix(path, "/") {
		return "", fmt.Errorf("%q on the server is not a path that could be removed safely", path)
	}
	return "'" + path + "'", nil
}

// limitedBuffer keeps the first kilobyte.
type limitedBuffer struct{ bytes.Buffer }

func (b *limitedBuffer) Write(p []byte) (int, error) {
	if room := 1024 - b.Len(); room > 0 {
		b.Buffer.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}
