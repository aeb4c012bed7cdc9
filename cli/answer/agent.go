// Package answer lets people at a terminal answer what tunnels ask: passphrases, passwords, codes, and
// whether a host key is right. It stores nothing except what a person wants in the keyring.
package answer

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"github.com/holdfast/holdfast/cli/session"
	"github.com/holdfast/holdfast/cli/terminal"
	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/internal/text"
)

// Agent asks the person at the terminal that holdfast runs in.
type Agent struct {
	tty   *os.File
	out   *terminal.Printer
	Typed *answers
	only  []string // the tunnels whose questions it answers; nil means all
}

// AtTerminal returns an Agent for the terminal. ok is false if there is no terminal, or if holdfast
// runs in its background.
func AtTerminal(s *session.Session) (agent Agent, ok bool) {
	fd := int(os.Stdin.Fd())
	if !term.IsTerminal(fd) || !term.IsTerminal(int(os.Stderr.Fd())) {
		return Agent{}, false
	}
	// A process in the background, as under timeout(1), would be stopped by reading from the terminal.
	if group, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP); err != nil || group != unix.Getpgrp() {
		return Agent{}, false
	}
	return Agent{tty: os.Stdin, out: s.Out, Typed: new(answers)}, true
}

// Prompts registers this terminal to answer the questions of the named tunnels, until stop is called.
// Other agents get the questions of other tunnels.
func Prompts(s *session.Session, client *dbusapi.Client, names []string) (agent Agent, stop func()) {
	agent, ok := AtTerminal(s)
	if !ok {
		return agent, func() {}
	}
	agent.only = names
	// Ctrl-C may come while a passphrase is typed and echo is off. stop restores this state.
	before, err := term.GetState(int(agent.tty.Fd()))
	if err != nil {
		return agent, func() {}
	}
	if err := client.RegisterAgent(s.Ctx, agent); err != nil {
		return agent, func() {} // then the tunnel's status says what it needs
	}
	return agent, func() {
		signal.Ignore(syscall.SIGTTOU) // the process may be in the background by now
		_ = term.Restore(int(agent.tty.Fd()), before)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = client.UnregisterAgent(ctx)
	}
}

// takes says whether this terminal answers questions of the tunnel.
func (a Agent) takes(tunnel string) bool {
	return a.only == nil || slices.Contains(a.only, tunnel)
}

// Ask asks for a line. What is typed is shown only if echo is set.
func (a Agent) Ask(ctx context.Context, tunnel, kind, prompt string, echo bool) (string, error) {
	if !a.takes(tunnel) {
		return "", dbusapi.ErrNoAgent
	}
	a.out.Prompt(a.heading(tunnel, prompt))
	fd := int(a.tty.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", err
	}
	type line struct {
		text string
		err  error
	}
	read := make(chan line, 1)
	go func() {
		if echo {
			text, err := bufio.NewReader(a.tty).ReadString('\n')
			read <- line{strings.TrimRight(text, "\r\n"), err}
			return
		}
		secret, err := term.ReadPassword(fd)
		read <- line{string(secret), err}
	}()
	select {
	case l := <-read:
		a.out.Answered(!echo)
		if l.err != nil {
			return "", fmt.Errorf("%w: %w", listing.ErrRefused, l.err)
		}
		a.Typed.add(tunnel, kind, prompt, l.text)
		return l.text, nil
	case <-ctx.Done():
		// The goroutine goes on reading until the next line. Restore the terminal's echo now.
		_ = term.Restore(fd, before)
		a.out.Answered(true)
		return "", ctx.Err()
	}
}

// Confirm asks for a yes or a no.
func (a Agent) Confirm(ctx context.Context, tunnel, kind, prompt string) (bool, error) {
	if !a.takes(tunnel) {
		return false, dbusapi.ErrNoAgent
	}
	if kind == "touch" {
		a.out.Note("%s", strings.TrimSpace(a.heading(tunnel, prompt)))
		return true, nil
	}
	for {
		answer, err := a.Ask(ctx, tunnel, kind, prompt+" (yes/no)", true)
		if err != nil {
			return false, err
		}
		switch strings.ToLower(strings.TrimSpace(answer)) {
		case "yes", "y":
			return true, nil
		case "no", "n", "":
			return false, nil
		}
	}
}

// heading is a prompt after the tunnel's name, made printable: some prompts come from servers.
func (a Agent) heading(tunnel, prompt string) string {
	var lines []string
	for line := range strings.Lines(strings.TrimRight(prompt, " \n")) {
		lines = append(lines, text.Printable(strings.TrimRight(line, "\n")))
	}
	if tunnel != "" {
		lines[0] = tunnel + ": " + lines[0]
	}
	return strings.Join(lines, "\n") + " "
}
