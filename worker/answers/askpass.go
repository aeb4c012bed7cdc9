// Package answers answers the questions of a login. The answers come from systemd's credentials and
// from programs that follow the convention of SSH_ASKPASS. The package remembers some of them.
package answers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/holdfast/holdfast/internal/asking"
	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/tunnelfile"
	"github.com/holdfast/holdfast/worker/keeper"
)

// askTime is how long a question stays open. Most servers close the connection sooner
// (LoginGraceTime of sshd_config(5)). If nobody answers, the tunnel must say so and not wait on.
const askTime = 5 * time.Minute

// Askpass asks systemd's credentials first, and then programs that follow the convention of
// SSH_ASKPASS, see ssh(1). The first answer counts. The program decides whom it asks, and by which
// dialog or terminal.
type Askpass struct {
	credentials credentials
	programs    []askProgram
	limit       time.Duration // for one question
	refused     refused
	log         *slog.Logger
}

// unattended is the environment variable that tells `holdfast askpass` to ask the keyring only.
const unattended = "HOLDFAST_UNATTENDED=1"

// askProgram is a program that asks a person.
type askProgram struct {
	argv []string
	// nobody is the exit status for "no person was reached"; 0 if any failure may mean that.
	nobody      int
	environment []string // added to ours
}

// New finds what can answer questions, in this order; it returns nil if there is none of these:
//   - the credentials of this unit;
//   - `holdfast askpass`, which reads the keyring and asks the daemon. It must be installed beside
//     this program, and there must be a session bus or the tunnel must be the system's;
//   - $SSH_ASKPASS, under the conditions of ssh(1).
func New(log *slog.Logger) asking.Asker {
	a := &Askpass{credentials: ofThisUnit(), limit: askTime, log: log}
	if holdfast, ok := holdfastAskpass(); ok {
		a.programs = append(a.programs, holdfast)
	}
	if own := os.Getenv("SSH_ASKPASS"); own != "" {
		require := os.Getenv("SSH_ASKPASS_REQUIRE")
		display := os.Getenv("DISPLAY") != "" || os.Getenv("WAYLAND_DISPLAY") != ""
		if require == "force" || require == "prefer" || require != "never" && display {
			a.programs = append(a.programs, askProgram{argv: []string{own}})
		}
	}
	if len(a.programs) == 0 && a.credentials == nil {
		return nil // an untyped nil, because sshlink compares with nil
	}
	return a
}

// Unattended finds what can answer without a person: the files of LoadCredential= in the tunnel's
// [Service] section, and the keyring.
func Unattended(service []tunnelfile.Setting, log *slog.Logger) asking.Asker {
	a := &Askpass{credentials: ofSettings(service), limit: askTime, log: log}
	if holdfast, ok := holdfastAskpass(); ok {
		holdfast.environment = []string{unattended}
		a.programs = append(a.programs, holdfast)
	}
	return a
}

// holdfastAskpass returns `holdfast askpass`; ok is false if it is missing or can reach nobody.
func holdfastAskpass() (program askProgram, ok bool) {
	self, err := os.Executable()
	if err != nil {
		return askProgram{}, false
	}
	holdfast := filepath.Join(filepath.Dir(self), "holdfast")
	argv := []string{holdfast, "askpass"}
	if tunnelfile.OfSystem(os.Getenv) {
		argv = []string{holdfast, "--system", "askpass"}
	} else if dir := os.Getenv("XDG_RUNTIME_DIR"); dir == "" ||
		os.Getenv("DBUS_SESSION_BUS_ADDRESS") == "" && !exists(filepath.Join(dir, "bus")) {
		return askProgram{}, false
	}
	return askProgram{argv: argv, nobody: 4}, exists(holdfast)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// Ask returns a credential, or the first line that a program printed. A credential that was refused
// once is not used again. A refused answer of a program is asked for once more, with q.Again.
func (a *Askpass) Ask(ctx context.Context, q asking.Question) ([]byte, error) {
	if q.Retry {
		a.refused.markLast(q)
	} else if secret, id := a.credentials.answer(q); id != "" && !a.refused.wasWrong(q, secret) {
		a.log.Info("answered by a credential", "credential", id)
		return a.record(q, secret), nil
	}
	answer, err := a.run(ctx, q, q.Prompt)
	if err == nil && !q.Retry && a.refused.wasWrong(q, answer) {
		clear(answer)
		q.Retry = true
		answer, err = a.run(ctx, q, q.Prompt)
	}
	if err != nil {
		return nil, err
	}
	return a.record(q, answer), nil
}

// record returns an answer, and notes it in a.refused.
func (a *Askpass) record(q asking.Question, answer []byte) []byte {
	a.refused.given(q, answer)
	return answer
}

// Confirm asks a yes-or-no question in the words of ssh.
func (a *Askpass) Confirm(ctx context.Context, q asking.Question) (bool, error) {
	answer, err := a.run(ctx, q, strings.TrimSuffix(strings.TrimSpace(q.Prompt), "?")+" (yes/no)? ")
	return strings.EqualFold(strings.TrimSpace(string(answer)), "yes"), err
}

// Notify shows the person a message until ctx ends, such as a request to touch a key.
func (a *Askpass) Notify(ctx context.Context, q asking.Question) {
	for _, program := range a.programs {
		if _, err := program.run(ctx, q.Prompt, "SSH_ASKPASS_PROMPT=none"); err == nil || ctx.Err() != nil {
			return
		}
	}
}

// run asks one program after the other until a person has answered or declined. Its error is
// asking.ErrNobody if no program reached a person, asking.ErrNoAnswer after the time limit.
func (a *Askpass) run(parent context.Context, q asking.Question, prompt string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(parent, a.limit)
	defer cancel()
	environment := []string{"HOLDFAST_KIND=" + string(q.Kind)}
	if q.Retry {
		environment = append(environment, "HOLDFAST_AGAIN=1")
	}
	if q.Echo {
		environment = append(environment, "HOLDFAST_ECHO=1")
	}
	programs := a.programs
	if keeper.Unattended(parent) {
		environment = append(environment, unattended)
		programs = slices.DeleteFunc(slices.Clone(programs), func(p askProgram) bool { return p.nobody == 0 })
	}
	for _, program := range programs {
		answer, err := program.run(ctx, prompt, environment...)
		switch {
		case parent.Err() != nil:
			clear(answer)
			return nil, context.Cause(parent)
		case ctx.Err() != nil:
			clear(answer)
			return nil, fmt.Errorf("%w within %s", asking.ErrNoAnswer, a.limit)
		case err == nil:
			return answer, nil
		}
		a.log.Info("no answer to a question", "asked", program.argv[0], "error", err)
		if program.declined(err) {
			return nil, err
		}
	}
	return nil, asking.ErrNobody
}

// declined says whether err means that a person did not want to answer.
func (p askProgram) declined(err error) bool {
	exit, ok := errors.AsType[*askpassError](err)
	return ok && p.nobody != 0 && exit.status == 1
}

// answerLimit is the longest answer of a program, in bytes.
const answerLimit = 4096

// askpassError is a program's exit status and what it wrote to its standard error.
type askpassError struct {
	status int
	stderr string
}

func (e *askpassError) Error() string {
	if e.stderr != "" {
		return e.stderr
	}
	return fmt.Sprintf("exit status %d", e.status)
}

// beginning stores the first answerLimit bytes that are written to it, and discards the rest.
type beginning struct{ strings.Builder }

func (b *beginning) Write(p []byte) (int, error) {
	b.Builder.Write(p[:min(len(p), answerLimit-b.Len())])
	return len(p), nil
}

// run runs the program and returns the first line that it prints. There is no other copy of the
// answer in memory.
func (p askProgram) run(ctx context.Context, prompt string, environment ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, p.argv[0], append(p.argv[1:len(p.argv):len(p.argv)], prompt)...)
	cmd.Env = slices.Concat(os.Environ(), p.environment, environment)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = time.Second
	var stderr beginning
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	// A child of the program may keep the output open. Close it when ctx ends, so that reads return.
	stop := context.AfterFunc(ctx, func() { out.Close() })
	defer stop()
	answer := make([]byte, answerLimit)
	n, err := io.ReadFull(out, answer)
	if err == nil {
		_, _ = io.Copy(io.Discard, out)
	}
	if err := cmd.Wait(); err != nil {
		clear(answer)
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			return nil, &askpassError{exit.ExitCode(), text.FromPeer(stderr.String())}
		}
		return nil, err
	}
	return firstLine(answer[:n]), nil
}
