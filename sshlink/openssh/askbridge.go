package openssh

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/holdfast/holdfast/internal/asking"
	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/internal/lazyregexp"
	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/sshlink/config"
	"github.com/holdfast/holdfast/sshlink/hostkeys"
	"github.com/holdfast/holdfast/sshlink/login"
)

// askBridge passes ssh's questions to an Asker. ssh runs SSH_ASKPASS with its prompt and reads the
// answer from its standard output. The program here is a short shell script that passes both
// through FIFOs in the master's private folder. So no answer is ever an argument, an environment
// variable, or the content of a file.
type askBridge struct {
	o       *config.Options
	dir     string
	attempt *asking.Attempt
	quit    func()         // ends ssh
	asked   map[string]int // how often each prompt was asked
	count   int            // how many questions the server may have asked

	mu    sync.Mutex
	unmet unmet
}

// unmet is what kept ssh from an answer.
type unmet struct {
	needed  string       // what a person was needed for and did not give; empty: nothing
	reason  fault.Reason // the Reason for needed
	late    bool         // nobody answered in time
	doubt   string       // why a person did not confirm the host key; empty if nobody was asked
	tooMany bool         // the server asked more than login.MaxQuestions
}

// askScript writes the path of the FIFO for the answer, the kind of prompt, and the prompt. Then it
// reads a yes and the answer. The question is one write, short enough for a pipe to keep it
// together.
//
// A notice has no answer. ssh kills the program when the action is done. Then nobody has the FIFO
// open for writing any more, and show reads its end.
const askScript = `#!/bin/sh
answer="%[1]s/answer.$$"
mkfifo -m 600 "$answer" || exit 1
trap 'rm -f "$answer"' EXIT
if [ "$SSH_ASKPASS_PROMPT" = none ]; then
	exec 3<> "$answer"
	printf '%%s\n%%s\n%%s\000' "$answer" none "$1" > "%[1]s/question" || exit 1
	read -r over <&3
	exit
fi
printf '%%s\n%%s\n%%s\000' "$answer" "$SSH_ASKPASS_PROMPT" "$1" > "%[1]s/question" || exit 1
exec 3< "$answer"
read -r verdict <&3
[ "$verdict" = yes ] || exit 1
IFS= read -r reply <&3
printf '%%s\n' "$reply"
`

// startAskBridge writes the program, and answers questions until ctx ends.
func startAskBridge(ctx context.Context, o *config.Options, dir string, a *asking.Attempt, quit func()) (*askBridge, error) {
	b := &askBridge{o: o, dir: dir, attempt: a, asked: make(map[string]int), quit: quit}
	program, question := filepath.Join(dir, "askpass"), filepath.Join(dir, "question")
	if err := os.WriteFile(program, fmt.Appendf(nil, askScript, dir), 0o700); err != nil {
		return nil, err
	}
	if err := unix.Mkfifo(question, 0o600); err != nil {
		return nil, err
	}
	// Open for writing too, so that opening does not wait for ssh, and reading does not end between
	// two questions.
	f, err := os.OpenFile(question, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { f.Close() })
	go func() {
		defer stop()
		defer f.Close()
		in := bufio.NewReader(f)
		for {
			text, err := in.ReadString(0)
			if err != nil {
				return
			}
			b.answer(ctx, strings.TrimSuffix(text, "\x00"))
		}
	}()
	return b, nil
}

// environment is the environment for ssh, which then asks only through the bridge.
func (b *askBridge) environment() []string {
	return append(os.Environ(), "SSH_ASKPASS="+filepath.Join(b.dir, "askpass"), "SSH_ASKPASS_REQUIRE=force")
}

// answer asks the person, and writes the answer for the program.
func (b *askBridge) answer(ctx context.Context, text string) {
	parts := strings.SplitN(text, "\n", 3)
	if len(parts) != 3 || filepath.Dir(parts[0]) != b.dir {
		return
	}
	path, kind, prompt := parts[0], parts[1], parts[2]
	if kind == "none" {
		go b.show(ctx, path, prompt)
		return
	}
	if !keyPrompt.MatchString(prompt) && !pinPrompt.MatchString(prompt) { // those are ssh's own
		b.count++
	}
	if b.count > login.MaxQuestions {
		b.record(func(u *unmet) { u.tooMany = true })
		b.quit()
		return
	}
	again := b.asked[prompt] > 0
	b.asked[prompt]++
	reply, ok := b.ask(ctx, kind, prompt, again)
	// Open for reading too, because the program may be gone, and then nobody ever reads. The FIFO
	// has what was written as long as somebody has it open.
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return
	}
	context.AfterFunc(ctx, func() { f.Close() })
	defer clear(reply)
	if ok && !bytes.Contains(reply, []byte("\n")) {
		io.WriteString(f, "yes\n")
		f.Write(reply)
		io.WriteString(f, "\n")
	} else {
		io.WriteString(f, "no\n")
	}
}

// noticeAfter is how long ssh must wait for a person before a notice is shown. Before ssh knows
// that it needs a PIN, it says for a moment that it needs a touch.
const noticeAfter = 200 * time.Millisecond

// show shows a notice as long as the program that waits at path runs. The attempt's clock stops
// meanwhile, because a person needs time.
func (b *askBridge) show(ctx context.Context, path, prompt string) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return // the program has ended
	}
	ctx, cancel := context.WithTimeout(ctx, login.TouchTimeout)
	defer cancel()
	defer context.AfterFunc(ctx, func() { f.Close() })()
	defer f.Close()
	b.attempt.Pause()
	defer b.attempt.Resume()
	f.SetReadDeadline(time.Now().Add(noticeAfter))
	if _, err := f.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		return // the program has ended already
	}
	f.SetReadDeadline(time.Time{})
	text := login.PrintableLines(prompt)
	b.o.Log.Info("ssh waits for a person", "says", text)
	go b.attempt.Notify(ctx, asking.Question{Kind: asking.KindTouch, Subject: b.o.Account(), Prompt: text})
	io.Copy(io.Discard, f)
}

// outcome is what kept ssh from an answer until now.
func (b *askBridge) outcome() unmet {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.unmet
}

// record changes the outcome.
func (b *askBridge) record(change func(*unmet)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change(&b.unmet)
}

// want records what a person was needed for. Only the first such thing is reported.
func (b *askBridge) want(reason fault.Reason, need string) {
	b.record(func(u *unmet) {
		if u.needed == "" {
			u.needed, u.reason = need, reason
		}
	})
}

// serverPrompt matches how ssh begins a question of the server. The server's words after it may
// look like any other question.
var serverPrompt = lazyregexp.New(`^\(\S+@[^\s)]+\) `)

var (
	keyPrompt      = lazyregexp.New(`^Enter passphrase for (?:key )?'?(.+?)'?: ?$`)
	pinPrompt      = lazyregexp.New(`^Enter PIN for (?:\S+ key )?'?(.+?)'?: ?$`)
	passwordPrompt = lazyregexp.New(`^(\S+@\S+)'s password: ?$`)
)

// ask puts ssh's prompt to the Asker as the native transport would.
func (b *askBridge) ask(ctx context.Context, kind, prompt string, again bool) ([]byte, bool) {
	q := asking.Question{Kind: asking.KindInteractive, Subject: b.o.Account(), Prompt: login.PrintableLines(prompt), Retry: again}
	if before, _, found := strings.Cut(q.Prompt, " (yes/no"); found && !serverPrompt.MatchString(prompt) {
		q.Kind, q.Echo, q.Prompt = asking.KindHostKey, true, before+"?"
		q.Subject, _ = hostkeys.NameOf(b.o)
		yes, err := b.attempt.Confirm(ctx, q)
		if err != nil {
			b.record(func(u *unmet) { u.doubt = hostkeys.NobodyToConfirm })
		} else if !yes {
			b.record(func(u *unmet) { u.doubt = hostkeys.NotConfirmed })
		}
		return []byte("yes"), yes && err == nil
	}
	if kind == "confirm" {
		yes, err := b.attempt.Confirm(ctx, q)
		return nil, yes && err == nil
	}
	need := fmt.Sprintf("needs an answer for %s: %q", q.Subject, text.FromPeer(prompt))
	if m := keyPrompt.FindStringSubmatch(prompt); m != nil {
		q.Kind, q.Subject = asking.KindPassphrase, m[1]
		need = "needs a passphrase for " + text.Tilde(m[1])
	} else if m := pinPrompt.FindStringSubmatch(prompt); m != nil {
		q.Kind, q.Subject = asking.KindPIN, m[1]
		need = "needs the PIN of " + text.Tilde(m[1])
	} else if m := passwordPrompt.FindStringSubmatch(prompt); m != nil {
		q.Kind, q.Subject = asking.KindPassword, m[1]
		need = "needs a password for " + m[1]
	}
	reply, err := b.attempt.Ask(ctx, q)
	if q.Kind == asking.KindPassphrase && err == nil && b.asked[prompt] >= max(1, b.o.Number("numberofpasswordprompts")) {
		// ssh does not ask again and does not say why. If this answer was right, nobody reads this
		// error.
		b.want(fault.Passphrase, "was given a wrong passphrase for "+text.Tilde(q.Subject))
	}
	if err != nil {
		b.want(q.Reason(), need+login.Unanswered(err))
		if errors.Is(err, asking.ErrNoAnswer) {
			b.record(func(u *unmet) { u.late = true })
		}
	}
	return reply, err == nil
}
