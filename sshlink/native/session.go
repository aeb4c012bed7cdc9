package native

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/holdfast/holdfast/sshlink/wire"
	"golang.org/x/crypto/ssh"
)

// Run runs a command in a session. When ctx ends, it sends SIGTERM to the command and closes the
// session. stdout and stderr may still be written to until the server has closed the session too.
func (l *Link) Run(ctx context.Context, command string, stdout, stderr io.Writer) error {
	ch, reqs, err := l.OpenChannel(ctx, "session", nil)
	if err != nil {
		return fmt.Errorf("no session on the server: %w", err)
	}
	// runIn may last longer than ctx, because a server may keep the channel open until its command
	// has ended. It ends with the channel or the link.
	result := make(chan error, 1)
	go func() { result <- runIn(ch, reqs, l.environment, command, stdout, stderr) }()
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		go func() {
			ch.SendRequest("signal", false, ssh.Marshal(struct{ Name string }{"TERM"}))
			ch.Close()
		}()
		return context.Cause(ctx)
	case <-l.Ended():
		return l.Lost()
	}
}

func runIn(ch ssh.Channel, reqs <-chan *ssh.Request, environment []string, command string, stdout, stderr io.Writer) error {
	defer ch.Close()
	ended := make(chan error, 1)
	go func() { ended <- exitStatus(reqs) }()
	for _, variable := range environment {
		name, value, _ := strings.Cut(variable, "=")
		ch.SendRequest("env", false, ssh.Marshal(struct{ Name, Value string }{name, value})) // the server may refuse it
	}
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

// exitStatus reads a session's requests to the end. One of them is exit-status or exit-signal, see
// RFC 4254, 6.10.
func exitStatus(reqs <-chan *ssh.Request) error {
	err := errors.New("the session ended without an exit status")
	for r := range reqs {
		switch r.Type {
		case "exit-status":
			var m struct{ Status uint32 }
			if ssh.Unmarshal(r.Payload, &m) == nil {
				err = nil
				if m.Status != 0 {
					err = &wire.ExitError{Status: int(m.Status)}
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
				err = &wire.ExitError{Status: -1, Signal: m.Signal}
			}
		}
		r.Reply(false, nil)
	}
	return err
}
