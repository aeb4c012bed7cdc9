package sshlink

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"

	"github.com/holdfast/holdfast/internal/text"
)

// ExitError is a remote command's exit status, where it is not 0.
type ExitError struct {
	Status int    // -1 where the command was ended by a signal
	Signal string // without SIG, such as TERM; empty: none
}

func (e *ExitError) Error() string {
	if e.Signal != "" {
		return "the remote command was ended by SIG" + text.FromPeer(e.Signal)
	}
	return fmt.Sprintf("the remote command ended with exit status %d", e.Status)
}

// Run runs a command in a session, as RemoteCommand does, and waits for its end: nil for exit
// status 0, else an *ExitError, or why there is no session or no status. Its standard input is
// empty. When ctx ends the command is sent SIGTERM and its session closed; stdout and stderr
// may still be written to until the server has closed it too.
//
// Where the server or the key forces a command (ForceCommand, command= in authorized_keys)
// that one runs instead: call Run only where the person asked for a command.
func (l *Link) Run(ctx context.Context, command string, stdout, stderr io.Writer) error {
	if l.master != nil {
		return l.master.runBeside(ctx, command, stdout, stderr)
	}
	ch, reqs, err := l.openChannel(ctx, "session", nil)
	if err != nil {
		return fmt.Errorf("no session on the server: %w", err)
	}
	// Not all of this ends with ctx: a server may keep the channel open until its command has
	// ended. What is left then ends with the channel or with the link.
	result := make(chan error, 1)
	go func() { result <- runIn(ch, reqs, command, stdout, stderr) }()
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		go func() {
			ch.SendRequest("signal", false, ssh.Marshal(struct{ Name string }{"TERM"}))
			ch.Close()
		}()
		return context.Cause(ctx)
	case <-l.ended:
		return l.lost()
	}
}

func runIn(ch ssh.Channel, reqs <-chan *ssh.Request, command string, stdout, stderr io.Writer) error {
	defer ch.Close()
	ended := make(chan error, 1)
	go func() { ended <- exitStatus(reqs) }()
	ok, err := ch.SendRequest("exec", true, ssh.Marshal(struct{ Command string }{command}))
	if err == nil && !ok {
		err = errors.New("the server does not run commands")
	}
	if err != nil {
		return err
	}
	ch.CloseWrite()
	var copying sync.WaitGroup
	copying.Go(func() { io.Copy(stdout, ch) })
	copying.Go(func() { io.Copy(stderr, ch.Stderr()) })
	copying.Wait()
	return <-ended
}

// exitStatus reads a session's requests until the last; exit-status or exit-signal is among
// them, see RFC 4254, 6.10.
func exitStatus(reqs <-chan *ssh.Request) error {
	err := errors.New("the session ended without an exit status")
	for r := range reqs {
		switch r.Type {
		case "exit-status":
			var m struct{ Status uint32 }
			if ssh.Unmarshal(r.Payload, &m) == nil {
				err = nil
				if m.Status != 0 {
					err = &ExitError{Status: int(m.Status)}
				}
			}
		case "exit-signal":
			var m struct {
				Signal  string
				Core    bool
				Message string
				Lang    string
			}
			if ssh.Unmarshal(r.Payload, &m) == nil {
				err = &ExitError{Status: -1, Signal: m.Signal}
			}
		}
		r.Reply(false, nil)
	}
	return err
}

// RemoveStale removes a unix socket on the server on which nobody answers, left behind by a
// session that died. It fails where somebody does answer, where the path is no socket, and
// where the server gives no shell to do it with.
func (l *Link) RemoveStale(ctx context.Context, path string) error {
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
