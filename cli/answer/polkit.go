package answer

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/term"

	"github.com/holdfast/holdfast/cli/session"
)

// polkitTime is how long pkttyagent may take to register with polkit.
const polkitTime = 10 * time.Second

// Polkit makes polkit ask the person at this terminal until stop is called. It runs pkttyagent(1), as
// systemctl does. If the session has its own agent, such as a desktop's dialog, that one asks.
func Polkit(s *session.Session) (stop func(), err error) {
	agent, ok := AtTerminal(s)
	if !ok {
		return nil, errors.New("there is no terminal")
	}
	before, err := term.GetState(int(agent.tty.Fd()))
	if err != nil {
		return nil, err
	}
	known, notify, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer known.Close()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, "pkttyagent", "--notify-fd=3", "--fallback")
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = time.Second
	cmd.ExtraFiles = []*os.File{notify}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	err = cmd.Start()
	notify.Close()
	if err != nil {
		cancel()
		return nil, err
	}
	// pkttyagent closes this end when it is registered, or when it ends.
	if err := known.SetReadDeadline(time.Now().Add(polkitTime)); err == nil {
		_, _ = io.Copy(io.Discard, known)
	}
	return func() {
		cancel()
		_ = cmd.Wait()
		signal.Ignore(syscall.SIGTTOU)                // the process may be in the background by now
		_ = term.Restore(int(agent.tty.Fd()), before) // pkttyagent may have ended in the middle of a password
	}, nil
}
