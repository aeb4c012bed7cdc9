package cli

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/internal/text"
)

// terminalAgent asks the person at the terminal that holdfast runs in.
type terminalAgent struct {
	tty   *os.File
	out   *printer
	typed *answers
}

// terminalAgent is one, where there is a person at a terminal.
func (s *session) terminalAgent() (agent terminalAgent, ok bool) {
	fd := int(os.Stdin.Fd())
	if !term.IsTerminal(fd) || !term.IsTerminal(int(os.Stderr.Fd())) {
		return terminalAgent{}, false
	}
	// In the background, as below timeout(1), reading from the terminal would stop the program.
	if group, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP); err != nil || group != unix.Getpgrp() {
		return terminalAgent{}, false
	}
	return terminalAgent{os.Stdin, s.out, new(answers)}, true
}

// Ask asks for a line, unseen unless echo is set.
func (a terminalAgent) Ask(ctx context.Context, tunnel, kind, prompt string, echo bool) (string, error) {
	a.out.prompt(a.heading(tunnel, prompt))
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
		a.out.answered(!echo)
		if l.err != nil {
			return "", fmt.Errorf("%w: %w", dbusapi.ErrRefused, l.err)
		}
		a.typed.add(tunnel, kind, prompt, l.text)
		return l.text, nil
	case <-ctx.Done():
		// The reader stays behind until the next line; the terminal must show it again.
		_ = term.Restore(fd, before)
		a.out.answered(true)
		return "", ctx.Err()
	}
}

// Confirm asks for a yes or a no.
func (a terminalAgent) Confirm(ctx context.Context, tunnel, kind, prompt string) (bool, error) {
	if kind == "touch" {
		a.out.note("%s", strings.TrimSpace(a.heading(tunnel, prompt)))
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

// heading is a prompt with the tunnel it is for. Prompts come from servers too.
func (a terminalAgent) heading(tunnel, prompt string) string {
	var lines []string
	for line := range strings.Lines(strings.TrimRight(prompt, " \n")) {
		lines = append(lines, text.Printable(strings.TrimRight(line, "\n")))
	}
	if tunnel != "" {
		lines[0] = tunnel + ": " + lines[0]
	}
	return strings.Join(lines, "\n") + " "
}
