package worker

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/holdfast/holdfast/sshlink"
)

// Askpass is the person as this process reaches them: through programs that follow the
// convention of SSH_ASKPASS, see ssh(1). The first that gives an answer is believed;
// which person, dialog or terminal that is, is the program's affair.
type Askpass struct {
	programs [][]string
	log      *slog.Logger
}

// NewAskpass finds the programs: `holdfast askpass`, which asks the daemon, where it is
// installed beside this one and there is a session bus, and then $SSH_ASKPASS under the
// conditions of ssh(1). It is nil where there is neither.
func NewAskpass(log *slog.Logger) sshlink.Asker {
	var programs [][]string
	if self, err := os.Executable(); err == nil && os.Getenv("XDG_RUNTIME_DIR") != "" {
		holdfast := filepath.Join(filepath.Dir(self), "holdfast")
		bus := filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "bus")
		if exists(holdfast) && (os.Getenv("DBUS_SESSION_BUS_ADDRESS") != "" || exists(bus)) {
			programs = append(programs, []string{holdfast, "askpass"})
		}
	}
	if own := os.Getenv("SSH_ASKPASS"); own != "" {
		require := os.Getenv("SSH_ASKPASS_REQUIRE")
		display := os.Getenv("DISPLAY") != "" || os.Getenv("WAYLAND_DISPLAY") != ""
		if require == "force" || require == "prefer" || require != "never" && display {
			programs = append(programs, []string{own})
		}
	}
	if len(programs) == 0 {
		return nil // no typed nil: sshlink compares
	}
	return &Askpass{programs, log}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// Ask returns the line that the person typed.
func (a *Askpass) Ask(ctx context.Context, q sshlink.Question) (string, error) {
	return a.run(ctx, q.Prompt)
}

// Confirm puts a yes-or-no question in the words of ssh.
func (a *Askpass) Confirm(ctx context.Context, q sshlink.Question) (bool, error) {
	answer, err := a.run(ctx, strings.TrimSuffix(strings.TrimSpace(q.Prompt), "?")+" (yes/no)? ")
	return strings.EqualFold(strings.TrimSpace(answer), "yes"), err
}

// run asks with one program after the other. A program that fails says that nobody
// answered, whoever it was.
func (a *Askpass) run(ctx context.Context, prompt string) (string, error) {
	for _, program := range a.programs {
		cmd := exec.CommandContext(ctx, program[0], append(program[1:len(program):len(program)], prompt)...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
		cmd.WaitDelay = time.Second
		answer, err := cmd.Output()
		if ctx.Err() != nil {
			clear(answer)
			return "", context.Cause(ctx)
		}
		if err == nil {
			line, _, _ := bytes.Cut(answer, []byte("\n"))
			text := strings.TrimSuffix(string(line), "\r")
			clear(answer)
			return text, nil
		}
		var exit *exec.ExitError
		if errors.As(err, &exit) && len(exit.Stderr) > 0 {
			err = errors.New(oneLine(string(exit.Stderr)))
		}
		a.log.Info("no answer to a question", "asked", program[0], "error", err)
	}
	return "", sshlink.ErrNobody
}
