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
	"unicode/utf8"

	"github.com/holdfast/holdfast/internal/text"
)

// FindDialog is the program that asks: $SSH_ASKPASS, else the first of zenity, kdialog (on KDE the
// other way round) and a pinentry. Answers come back through a pipe; none is ever in an argument or in
// the environment.
func FindDialog(e Environment, lookPath func(string) (string, error)) (Dialog, error) {
	// Our own askpass asks the daemon, which has asked us.
	if own := e.Get("SSH_ASKPASS"); own != "" && !strings.HasPrefix(filepath.Base(own), "holdfast") {
		if path, err := lookPath(own); err == nil {
			return askpass{program{path, e}}, nil
		}
	}
	names := []string{"zenity", "kdialog", "pinentry-gnome3", "pinentry-qt", "pinentry-gtk-2", "pinentry-x11", "pinentry"}
	if strings.Contains(e.Get("XDG_CURRENT_DESKTOP"), "KDE") {
		slices.Reverse(names[:2]) // a desktop's own looks at home there
	}
	for _, name := range names {
		path, err := lookPath(name)
		switch {
		case err != nil:
		case name == "zenity":
			return zenity{program{path, e}}, nil
		case name == "kdialog":
			return kdialog{program{path, e}}, nil
		default:
			return pinentry{program{path, e}}, nil
		}
	}
	return nil, errors.New("nothing to ask with: install zenity, kdialog or a pinentry, or set SSH_ASKPASS")
}

// waitDelay is how long what a dialog left behind may keep its output open.
const waitDelay = time.Second

// program is a dialog's.
type program struct {
	path string
	env  Environment
}

// command is a dialog that ends with ctx, and with the tray, however that ends: what is typed
// afterwards would reach nobody.
func (p program) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, p.path, args...)
	cmd.Env = p.env
	cmd.WaitDelay = waitDelay
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	return cmd
}

// run runs a dialog and returns its first line of output. Exit status 1 is the
// person's no: dialogs do not tell it from a closed window.
func run(cmd *exec.Cmd) (string, error) {
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	runtime.LockOSThread() // Pdeathsig goes by the thread
	defer runtime.UnlockOSThread()
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		answer, _, _ := strings.Cut(out.String(), "\n")
		return answer, nil
	case errors.As(err, &exit) && exit.ExitCode() == 1:
		return "", errDeclined
	}
	return "", fmt.Errorf("%s: %w %s", filepath.Base(cmd.Path), err, text.FromPeer(complaint.String()))
}

// yesNo is the answer to a question of yes or no.
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

// unescaped is a text in which zenity and kdialog find no escape like \n: a Windows account
// has a backslash in its name.
func unescaped(text string) string { return strings.ReplaceAll(text, `\`, `\\`) }

type kdialog struct{ program }

func (k kdialog) Ask(ctx context.Context, q Question) (string, error) {
	kind := "--password"
	if q.Echo {
		kind = "--inputbox"
	}
	return run(k.command(ctx, "--title", q.Title, kind, asHTML(q.Text)))
}

// Confirm is a list: which button of a question Return presses is a matter of the desktop.
func (k kdialog) Confirm(ctx context.Context, q Question) (bool, error) {
	answer, err := run(k.command(ctx, "--title", q.Title, "--default", q.No, "--menu", asHTML(q.Text), "no", q.No, "yes", q.Yes))
	return yesNo(answer == "yes", err)
}

// asHTML is a text as it is: Qt takes one for HTML when it looks so, and this one may be a
// server's. Qt knows no <tt> in a label.
func asHTML(text string) string {
	monospace := strings.NewReplacer("<tt>", `<span style="font-family: monospace">`, "</tt>", "</span>")
	return `<p align="left" style="white-space: pre-wrap">` + monospace.Replace(asMarkup(text)) + "</p>"
}

// asMarkup is a text as it is in Pango's markup and in HTML, with letters of one width in
// the picture of a host key, whose lines begin with | or +.
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

// converse sends commands and returns the data that the last one brought.
func (p pinentry) converse(ctx context.Context, q Question, commands ...string) (string, error) {
	cmd := p.command(ctx)
	in, err := cmd.StdinPipe()
	if err != nil {
		return "", err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	runtime.LockOSThread() // Pdeathsig goes by the thread
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		return "", err
	}
	// What a dialog left behind may keep its output open.
	defer context.AfterFunc(ctx, func() { _ = out.Close() })()
	defer func() {
		_ = in.Close()
		_ = cmd.Wait()
	}()
	commands = append([]string{"SETTITLE " + q.Title, "SETDESC " + q.Text}, commands...)
	if display := p.env.Get("DISPLAY"); display != "" {
		commands = append([]string{"OPTION display=" + display}, commands...)
	}
	lines := bufio.NewScanner(out)
	answer := ""
	for i := -1; i < len(commands); i++ { // it greets first
		if i >= 0 {
			if _, err := fmt.Fprintln(in, assuan(commands[i])); err != nil {
				return "", fmt.Errorf("%s: %w", filepath.Base(p.path), err)
			}
		}
		data, err := assuanReply(lines)
		if err != nil && (i == len(commands)-1 || i < 0) {
			return "", err // that an option is unknown does no harm
		}
		answer = data
	}
	return answer, nil
}

// assuanLine is how many bytes a line may have. One that has more ends the dialog.
const assuanLine = 1000

// assuan escapes what a command's argument may not hold, and leaves out what does not fit.
func assuan(command string) string {
	escape := strings.NewReplacer("%", "%25", "\n", "%0A", "\r", "%0D")
	line := escape.Replace(command)
	for runes := []rune(command); len(line) > assuanLine; {
		runes = runes[:len(runes)-1-(len(line)-assuanLine)/utf8.UTFMax]
		line = escape.Replace(string(runes)) + "…"
	}
	return line
}

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
			switch n & 0xffff { // the rest says who reports it
			case 99, 114: // GPG_ERR_CANCELED, GPG_ERR_NOT_CONFIRMED
				return "", errDeclined
			}
			return "", errors.New(text)
		}
	}
	return "", errors.New("the dialog ended early")
}
