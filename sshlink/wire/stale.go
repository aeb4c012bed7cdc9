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

// Runner is the part of a link that RemoveStale needs.
type Runner interface {
	DialContext(ctx context.Context, network, addr string) (net.Conn, error)
	Run(ctx context.Context, command string, stdout, stderr io.Writer) error
}

// RemoveStale removes a unix socket on the server that a session left behind when it died. It fails
// if somebody listens on the socket, if the path is not a socket, and if the server gives no shell.
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
	// Every login shell knows these words. Only this command ends with this number, and not one
	// that the server forces.
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

// quoteForAnyShell quotes an absolute path for sh, csh and fish. It refuses characters that they
// read differently inside quotes.
func quoteForAnyShell(path string) (string, error) {
	if strings.ContainsAny(path, "'\\!\n\r\x00") || !strings.HasPrefix(path, "/") {
		return "", fmt.Errorf("%q on the server is not a path that could be removed safely", path)
	}
	return "'" + path + "'", nil
}

// limitedBuffer keeps the first 1024 bytes, and drops the rest.
type limitedBuffer struct{ bytes.Buffer }

func (b *limitedBuffer) Write(p []byte) (int, error) {
	if room := 1024 - b.Len(); room > 0 {
		b.Buffer.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}
