// Package answers is who answers what a login asks: credentials that systemd hands over, programs
// that follow the convention of SSH_ASKPASS, and what is remembered of their answers.
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

// askTime is how long a question stays open. Most servers hang up sooner (LoginGraceTime of
// sshd_config(5)); where nobody is there, the tunnel is to say so and not to wait.
const askTime = 5 * time.Minute

// Askpass is the person as this process reaches them: credentials that systemd was told to
// hand over, and programs that follow the convention of SSH_ASKPASS, see ssh(1). The first
// that gives an answer is believed; which person, dialog or terminal that is, is the
// program's affair.
type Askpass struct {
	credentials credentials
	programs    []askProgram
	limit       time.Duration // of a question
	refused     refused
	log         *slog.Logger
}

// unattended tells `holdfast askpass` to ask the keyring and no person.
const unattended = "HOLDFAST_UNATTENDED=1"

// askProgram asks a person.
type askProgram struct {
	argv []string
	// nobody is the exit status that says that it reached no person; 0: any failure may mean that.
	nobody      int
	environment []string // besides ours
}

// New finds who can answer: the credentials of this unit, `holdfast askpass`, which
// looks into the keyring and asks the daemon, where it is installed beside this program and
// there is a session bus or the tunnel is the system's, and then $SSH_ASKPASS under the conditions of ssh(1). It is nil
// where there is none of these.
func New(log *slog.Logger) asking.Asker {
	a := &Askpass{credentials: handedOver(), limit: askTime, log: log}
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
		return nil // no typed nil: sshlink compares
	}
	return a
}

// Unattended finds what answers without a person: the files of LoadCredential= in the
// tunnel's [Service] section, and the keyring.
func Unattended(service []tunnelfile.Setting, log *slog.Logger) asking.Asker {
	a := &Askpass{credentials: toBeLoaded(service), limit: askTime, log: log}
	if holdfast, ok := holdfastAskpass(); ok {
		holdfast.environment = []string{unattended}
		a.programs = append(a.programs, holdfast)
	}
	return a
}

// holdfastAskpass is `holdfast askpass`, where it can do anything.
func holdfastAskpass() (program askProgram, ok bool) {
	self, err := os.Executable()
	if err != nil {
		return askProgram{}, false
	}
	holdfast := filepath.Join(filepath.Dir(self), "holdfast")
	if tunnelfile.OfSystem(os.Getenv) {
		return askProgram{argv: []string{holdfast, "--system", "askpass"}, nobody: 4}, exists(holdfast)
	}
	if os.Getenv("XDG_RUNTIME_DIR") == "" {
		return askProgram{}, false
	}
	bus := filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "bus")
	if !exists(holdfast) || os.Getenv("DBUS_SESSION_BUS_ADDRESS") == "" && !exists(bus) {
		return askProgram{}, false
	}
	return askProgram{argv: []string{holdfast, "askpass"}, nobody: 4}, true
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// Ask returns a credential, or the line that the person typed. What has been wrong once is
// not given again by anybody but a person who types it.
func (a *Askpass) Ask(ctx context.Context, q asking.Question) ([]byte, error) {
	if q.Again {
		a.refused.lastOf(q)
	} else if secret, id := a.credentials.answer(q); id != "" && !a.refused.has(q, secret) {
		a.log.Info("answered by a credential", "credential", id)
		return a.give(q, secret), nil
	}
	answer, err := a.run(ctx, q, q.Prompt)
	if err == nil && !q.Again && a.refused.has(q, answer) {
		clear(answer)
		q.Again = true
		answer, err = a.run(ctx, q, q.Prompt)
	}
	if err != nil {
		return nil, err
	}
	return a.give(q, answer), nil
}

// give hands out an answer, and keeps in mind which it was.
func (a *Askpass) give(q asking.Question, answer []byte) []byte {
	a.refused.given(q, answer)
	return answer
}

// Confirm puts a yes-or-no question in the words of ssh.
func (a *Askpass) Confirm(ctx context.Context, q asking.Question) (bool, error) {
	answer, err := a.run(ctx, q, strings.TrimSuffix(strings.TrimSpace(q.Prompt), "?")+" (yes/no)? ")
	return strings.EqualFold(strings.TrimSpace(string(answer)), "yes"), err
}

// Notify tells the person something, such as to touch a key, until ctx ends.
func (a *Askpass) Notify(ctx context.Context, q asking.Question) {
	for _, program := range a.programs {
		if _, err := program.run(ctx, q.Prompt, "SSH_ASKPASS_PROMPT=none"); err == nil || ctx.Err() != nil {
			return
		}
	}
}

// run asks with one program after the other until a person has answered or declined.
func (a *Askpass) run(parent context.Context, q asking.Question, prompt string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(parent, a.limit)
	defer cancel()
	environment := []string{"HOLDFAST_KIND=" + string(q.Kind)}
	if q.Again {
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

// declined says whether it was a person who did not want to answer.
func (p askProgram) declined(err error) bool {
	exit, ok := errors.AsType[*askpassError](err)
	return ok && p.nobody != 0 && exit.status == 1
}

// answerLimit bounds what a program may answer.
const answerLimit = 4096

// askpassError is how a program failed.
type askpassError struct {
	status int
	said   string
}

func (e *askpassError) Error() string {
	if e.said != "" {
		return e.said
	}
	return fmt.Sprintf("exit status %d", e.status)
}

// beginning keeps the first bytes that are written to it, and takes the rest.
type beginning struct{ strings.Builder }

func (b *beginning) Write(p []byte) (int, error) {
	b.Builder.Write(p[:min(len(p), answerLimit-b.Len())])
	return len(p), nil
}

// run runs the program and returns the first line that it prints, in memory that nothing else
// holds a copy of.
func (p askProgram) run(ctx context.Context, prompt string, environment ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, p.argv[0], append(p.argv[1:len(p.argv):len(p.argv)], prompt)...)
	cmd.Env = slices.Concat(os.Environ(), p.environment, environment)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = time.Second
	var said beginning
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	// A program that leaves its output open to a child must not keep us when it is no longer wanted.
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
			return nil, &askpassError{exit.ExitCode(), text.FromPeer(said.String())}
		}
		return nil, err
	}
	for i, c := range answer[:n] {
		if c == '\n' {
			clear(answer[i:])
			n = i
			break
		}
	}
	if n > 0 && answer[n-1] == '\r' {
		n--
	}
	return answer[:n], nil
}
