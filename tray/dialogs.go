package tray

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"html"
	"net/url"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/holdfast/holdfast/internal/text"
)

// FindDialog returns the program that asks: $SSH_ASKPASS, else the first of zenity, kdialog (on KDE
// kdialog comes first) and a pinentry. Answers come back through a pipe. They are never in an
// argument or in the environment.
func FindDialog(e Environment, lookPath func(string) (string, error)) (Dialog, error) {
	// Our own askpass asks the daemon, and the daemon has asked us.
	if own := e.Get("SSH_ASKPASS"); own != "" && !strings.HasPrefix(filepath.Base(own), "holdfast") {
		if path, err := lookPath(own); err == nil {
			return askpass{program{path, e}}, nil
		}
	}
	names := []string{"zenity", "kdialog", "pinentry-gnome3", "pinentry-qt", "pinentry-gtk-2", "pinentry-x11", "pinentry"}
	if strings.Contains(e.Get("XDG_CURRENT_DESKTOP"), "KDE") {
		slices.Reverse(names[:2]) // prefer the desktop's own
	}
	for _, name := range names {
		path, err := lookPath(name)
		if err != nil {
			continue
		}
		switch p := (program{path, e}); name {
		case "zenity":
			return zenity{p}, nil
		case "kdialog":
			return kdialog{p}, nil
		default:
			return pinentry{p}, nil
		}
	}
	return nil, errors.New("nothing to ask with: install zenity, kdialog or a pinentry, or set SSH_ASKPASS")
}

// waitDelay is how long a process that a dialog left behind may keep its output open.
const waitDelay = time.Second

// program is the program of a dialog.
type program struct {
	path string
	env  Environment
}

// command returns a dialog's command. The dialog ends with ctx, and also when the tray is killed:
// nobody would get an answer that is typed later.
func (p program) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, p.path, args...)
	cmd.Env = p.env
	cmd.WaitDelay = waitDelay
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	return cmd
}

// run runs a dialog and returns its first line of output.
func run(cmd *exec.Cmd) (string, error) {
	out, err := output(cmd)
	answer, _, _ := strings.Cut(out, "\n")
	return answer, err
}

// output runs a dialog and returns its output, also what it wrote before it failed. Exit status 1 gives
// errDeclined: dialogs use it both for a no and for a closed window.
func output(cmd *exec.Cmd) (string, error) {
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	runtime.LockOSThread() // Pdeathsig is sent when this thread ends, see prctl(2)
	defer runtime.UnlockOSThread()
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return out.String(), nil
	case errors.As(err, &exit) && exit.ExitCode() == 1:
		return out.String(), errDeclined
	}
	return out.String(), fmt.Errorf("%s: %w %s", filepath.Base(cmd.Path), err, text.FromPeer(complaint.String()))
}

// yesNo returns the answer to a yes-or-no question. errDeclined is a no.
func yesNo(yes bool, err error) (bool, error) {
	if errors.Is(err, errDeclined) {
		return false, nil
	}
	return yes && err == nil, err
}

// askpass is the program of $SSH_ASKPASS, see ssh(1).
type askpass struct{ program }

func (a askpass) Ask(ctx context.Context, q Question) (string, error) {
	return run(a.command(ctx, q.Text))
}

func (a askpass) Confirm(ctx context.Context, q Question) (bool, error) {
	cmd := a.command(ctx, q.Text)
	cmd.Env = append(slices.Clip(cmd.Env), "SSH_ASKPASS_PROMPT=confirm")
	_, err := run(cmd)
	return yesNo(true, err)
}

type zenity struct{ program }

func (z zenity) Ask(ctx context.Context, q Question) (string, error) {
	// GTK takes an underscore in this text for an access key.
	args := []string{"--entry", "--title", q.Title, "--text", strings.ReplaceAll(unescaped(q.Text), "_", "__"), "--width", "420"}
	if !q.Echo {
		args = append(args, "--hide-text")
	}
	return run(z.command(ctx, args...))
}

func (z zenity) Confirm(ctx context.Context, q Question) (bool, error) {
	_, err := run(z.command(ctx, "--question", "--default-cancel", "--title", q.Title, "--text", asMarkup(q.Text),
		"--ok-label", q.Yes, "--cancel-label", q.No, "--width", "420"))
	return yesNo(true, err)
}

// unescaped protects a text from zenity and kdialog, which read escapes like \n. The name of a
// Windows account has a backslash.
func unescaped(text string) string { return strings.ReplaceAll(text, `\`, `\\`) }

type kdialog struct{ program }

func (k kdialog) Ask(ctx context.Context, q Question) (string, error) {
	kind := "--password"
	if q.Echo {
		kind = "--inputbox"
	}
	return run(k.command(ctx, "--title", q.Title, kind, asHTML(q.Text)))
}

// Confirm shows a list. In a yes-or-no dialog, the desktop decides which button Return presses.
func (k kdialog) Confirm(ctx context.Context, q Question) (bool, error) {
	answer, err := run(k.command(ctx, "--title", q.Title, "--default", q.No, "--menu", asHTML(q.Text), "no", q.No, "yes", q.Yes))
	return yesNo(answer == "yes", err)
}

// asHTML returns HTML that shows a text as it is. Qt guesses whether a text is HTML, and this text
// may come from a server. Qt knows no <tt> in a label.
func asHTML(text string) string {
	monospace := strings.NewReplacer("<tt>", `<span style="font-family: monospace">`, "</tt>", "</span>")
	return `<p align="left" style="white-space: pre-wrap">` + monospace.Replace(asMarkup(text)) + "</p>"
}

// asMarkup returns markup, for Pango and HTML, that shows a text as it is. It uses a monospace font
// for the picture of a host key, whose lines begin with | or +.
func asMarkup(text string) string {
	lines := strings.Split(html.EscapeString(unescaped(text)), "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, "|") || strings.HasPrefix(line, "+") {
			lines[i] = "<tt>" + line + "</tt>"
		}
	}
	return strings.Join(lines, "\n")
}

// pinentry speaks the Assuan protocol, see the manual of pinentry, "Protocol".
type pinentry struct{ program }

func (p pinentry) Ask(ctx context.Context, q Question) (string, error) {
	return p.converse(ctx, q, "SETPROMPT ", "GETPIN")
}

func (p pinentry) Confirm(ctx context.Context, q Question) (bool, error) {
	_, err := p.converse(ctx, q, "SETOK "+q.Yes, "SETCANCEL "+q.No, "CONFIRM")
	return yesNo(true, err)
}

// converse sends commands and returns the data in the last reply.
func (p pinentry) converse(ctx context.Context, q Question, commands ...string) (string, error) {
	commands = append([]string{"SETTITLE " + q.Title, "SETDESC " + q.Text}, commands...)
	if display := p.env.Get("DISPLAY"); display != "" {
		commands = append([]string{"OPTION display=" + display}, commands...)
	}
	var in strings.Builder
	for _, command := range commands {
		fmt.Fprintln(&in, assuan(command))
	}
	cmd := p.command(ctx)
	cmd.Stdin = strings.NewReader(in.String())
	out, failed := output(cmd)
	lines := bufio.NewScanner(strings.NewReader(out))
	for range commands { // the program greets first
		_, _ = assuanReply(lines) // an error does no harm, such as an unknown option
	}
	// The last reply is the person's answer, however the program ends. Without it, an exit status is no answer.
	answer, err := assuanReply(lines)
	if errors.Is(err, errEndedEarly) && failed != nil && !errors.Is(failed, errDeclined) {
		return "", failed
	}
	return answer, err
}

// assuanLine is the longest line in bytes. A longer one ends the dialog.
const assuanLine = 1000

// assuan escapes a command, and shortens it to assuanLine.
func assuan(command string) string {
	escape := strings.NewReplacer("%", "%25", "\n", "%0A", "\r", "%0D")
	line := escape.Replace(command)
	for most := assuanLine; len(line) > assuanLine; most-- {
		line = escape.Replace(text.BoundBytes(command, most))
	}
	return line
}

var errEndedEarly = errors.New("the dialog ended early")

// assuanReply reads until OK or ERR, and returns the data before it.
func assuanReply(lines *bufio.Scanner) (data string, err error) {
	for lines.Scan() {
		word, rest, _ := strings.Cut(lines.Text(), " ")
		switch word {
		case "OK":
			return data, nil
		case "D":
			text, err := url.PathUnescape(rest)
			if err != nil {
				return "", errors.New("an answer that is not well formed")
			}
			data += text
		case "ERR":
			code, text, _ := strings.Cut(rest, " ")
			n, _ := strconv.Atoi(code)
			switch n & 0xffff { // the other bits are the source of the error
			case 99, 114: // GPG_ERR_CANCELED, GPG_ERR_NOT_CONFIRMED
				return "", errDeclined
			}
			return "", errors.New(text)
		}
	}
	return "", errEndedEarly
}
