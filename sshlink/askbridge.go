package sshlink

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// askBridge takes ssh's questions to an Asker. ssh runs SSH_ASKPASS with its prompt and reads
// the answer from its standard output; the program here is a few lines of shell that pass both
// through FIFOs in the master's private folder, so that no answer is ever an argument, a
// variable of the environment, or a file's content.
type askBridge struct {
	r       *Resolved
	dir     string
	attempt *attempt
	asked   map[string]int // prompts, and how often

	mu     sync.Mutex
	wanted string // what a person was needed for, and did not give; empty: nothing
	late   bool   // nobody said anything in time
}

// askScript writes where it waits for the answer, what kind of prompt it is, and the prompt, and
// reads a yes and the answer. Both are one write and shorter than a pipe keeps together.
const askScript = `#!/bin/sh
answer="%[1]s/answer.$$"
mkfifo -m 600 "$answer" || exit 1
trap 'rm -f "$answer"' EXIT
printf '%%s\n%%s\n%%s\000' "$answer" "$SSH_ASKPASS_PROMPT" "$1" > "%[1]s/question" || exit 1
exec 3< "$answer"
read -r verdict <&3
[ "$verdict" = yes ] || exit 1
IFS= read -r reply <&3
printf '%%s\n' "$reply"
`

// startAskBridge makes the program and answers until ctx ends.
func (r *Resolved) startAskBridge(ctx context.Context, dir string, a *attempt) (*askBridge, error) {
	b := &askBridge{r: r, dir: dir, attempt: a, asked: make(map[string]int)}
	program, question := filepath.Join(dir, "askpass"), filepath.Join(dir, "question")
	if err := os.WriteFile(program, fmt.Appendf(nil, askScript, dir), 0o700); err != nil {
		return nil, err
	}
	if err := unix.Mkfifo(question, 0o600); err != nil {
		return nil, err
	}
	// Open for writing too, so that it neither waits for ssh nor ends between two questions.
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

// environment is what ssh runs in: it asks through the bridge, and nowhere else. A nil bridge
// stands for nobody.
func (b *askBridge) environment() []string {
	if b == nil {
		return append(os.Environ(), "SSH_ASKPASS_REQUIRE=never")
	}
	return append(os.Environ(), "SSH_ASKPASS="+filepath.Join(b.dir, "askpass"), "SSH_ASKPASS_REQUIRE=force")
}

// answer asks the person and lets the program know.
func (b *askBridge) answer(ctx context.Context, text string) {
	parts := strings.SplitN(text, "\n", 3)
	if len(parts) != 3 || filepath.Dir(parts[0]) != b.dir {
		return
	}
	path, kind, prompt := parts[0], parts[1], parts[2]
	if kind == "none" {
		go b.notify(ctx, path, prompt)
		return
	}
	again := b.asked[prompt] > 0
	b.asked[prompt]++
	b.attempt.pause()
	reply, ok := b.ask(ctx, kind, prompt, again)
	b.attempt.resume()
	// Open for reading too: the program may be gone, and then nobody ever reads. What is
	// written stays in the FIFO as long as somebody has it open.
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return
	}
	context.AfterFunc(ctx, func() { f.Close() })
	if ok && !strings.Contains(reply, "\n") {
		io.WriteString(f, "yes\n"+reply+"\n")
	} else {
		io.WriteString(f, "no\n")
	}
}

// notify passes on a notice, such as to touch a key, until ssh ends the program that brought it.
func (b *askBridge) notify(ctx context.Context, path, prompt string) {
	defer os.Remove(path) // a program that is ended by a signal leaves it behind
	f := openForReader(ctx, path)
	if f == nil {
		return // it is over already
	}
	defer f.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	over := make(chan struct{})
	go func() {
		defer close(over)
		b.r.config.Ask.Notify(ctx, Question{Kind: KindNotice, Subject: b.r.User + "@" + b.r.HostName, Prompt: printableLines(prompt)})
	}()
	b.attempt.pause()
	defer b.attempt.resume()
	// A FIFO that nobody reads from any more is an error to who writes.
	for ctx.Err() == nil {
		poll := []unix.PollFd{{Fd: int32(f.Fd())}}
		if n, err := unix.Poll(poll, 1000); n > 0 || err != nil && err != unix.EINTR {
			break
		}
	}
	cancel()
	<-over
}

// openForReader opens a FIFO for writing once somebody has opened it for reading, as the
// program does a moment after it has written its question; nil where nobody does.
func openForReader(ctx context.Context, path string) *os.File {
	ctx, cancel := context.WithTimeout(ctx, openTime)
	defer cancel()
	for {
		f, err := os.OpenFile(path, os.O_WRONLY|unix.O_NONBLOCK, 0)
		if !errors.Is(err, unix.ENXIO) {
			return f
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// openTime is how long the program may take from its question to waiting for the answer.
const openTime = 5 * time.Second

// needed is what a person was needed for, and did not give; late says that nobody said no.
func (b *askBridge) needed() (what string, late bool) {
	if b == nil {
		return "", false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.wanted, b.late
}

var (
	keyPrompt      = regexp.MustCompile(`^Enter passphrase for (?:key )?'?(.+?)'?: ?$`)
	passwordPrompt = regexp.MustCompile(`^(\S+@\S+)'s password: ?$`)
)

// ask puts ssh's prompt to the Asker as the native transport would.
func (b *askBridge) ask(ctx context.Context, kind, prompt string, again bool) (string, bool) {
	q := Question{Kind: KindInteractive, Subject: b.r.User + "@" + b.r.HostName, Prompt: printableLines(prompt), Again: again}
	if before, _, found := strings.Cut(q.Prompt, " (yes/no"); found {
		q.Kind, q.Echo, q.Prompt = KindHostKey, true, before+"?"
		q.Subject, _ = b.r.knownName()
		yes, err := b.r.config.Ask.Confirm(ctx, q)
		return "yes", yes && err == nil
	}
	if kind == "confirm" {
		yes, err := b.r.config.Ask.Confirm(ctx, q)
		return "", yes && err == nil
	}
	need := fmt.Sprintf("needs an answer for %s: %q", q.Subject, printable(prompt))
	if m := keyPrompt.FindStringSubmatch(prompt); m != nil {
		q.Kind, q.Subject = KindPassphrase, m[1]
		need = "needs a passphrase for " + tilde(m[1])
	} else if m := passwordPrompt.FindStringSubmatch(prompt); m != nil {
		q.Kind, q.Subject = KindPassword, m[1]
		need = "needs a password for " + m[1]
	}
	reply, err := b.r.config.Ask.Ask(ctx, q)
	if err != nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.wanted == "" {
			b.wanted = need + unanswered(err)
		}
		b.late = b.late || errors.Is(err, ErrNoAnswer)
	}
	return reply, err == nil
}
