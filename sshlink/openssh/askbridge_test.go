package openssh

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/holdfast/holdfast/internal/asking"
	"github.com/holdfast/holdfast/sshlink/config"
	"github.com/holdfast/holdfast/sshlink/login"
)

// asked keeps the question that came last.
type asked struct{ last asking.Question }

func (a *asked) Ask(_ context.Context, q asking.Question) ([]byte, error) {
	a.last = q
	return []byte("x"), nil
}

func (a *asked) Confirm(_ context.Context, q asking.Question) (bool, error) {
	a.last = q
	return true, nil
}

// FuzzAskBridge takes anything for what ssh hands to its askpass program: what a person is asked
// is printable, and a server's question is never taken for ssh's own.
func FuzzAskBridge(f *testing.F) {
	f.Add("", "Enter passphrase for key '/home/me/.ssh/id_ed25519': ")
	f.Add("", "(me@host) Enter passphrase for key '/home/me/.ssh/id_ed25519': ")
	f.Add("confirm", "Allow use of key?")
	f.Add("", "me@host's password: ")
	f.Add("", "Are you sure you want to continue connecting (yes/no/[fingerprint])? ")
	f.Add("", "(me@host) Really (yes/no)?\x1b[2J")
	f.Fuzz(func(t *testing.T, kind, prompt string) {
		if kind == "none" {
			return // a notice, which waits for the end of its program
		}
		a := &asked{}
		ctx, attempt, cancel := asking.Start(t.Context(), 0, a)
		defer cancel()
		b := &askBridge{
			o:   &config.Options{Source: config.Source{Destination: "me@host", Log: slog.New(slog.DiscardHandler)}},
			dir: "/nowhere", attempt: attempt, asked: make(map[string]int), quit: func() {},
		}
		b.answer(ctx, strings.Join([]string{filepath.Join(b.dir, "answer.1"), kind, prompt}, "\n"))
		if strings.ContainsFunc(a.last.Prompt, func(r rune) bool { return r != '\n' && unicode.IsControl(r) }) || len(a.last.Prompt) > 16<<10 {
			t.Errorf("%q is asked as %q", prompt, a.last.Prompt)
		}
		if serverPrompt.MatchString(prompt) && !strings.Contains(kind, "\n") && kind != "confirm" && a.last.Kind != asking.KindInteractive {
			t.Errorf("the server's %q is asked as %s", prompt, a.last.Kind)
		}
	})
}

// TestOnlyServersQuestionsAreLimited asks for many passphrases and PINs, as a person with many keys
// is asked, and then as many questions of the server as may be.
func TestOnlyServersQuestionsAreLimited(t *testing.T) {
	ctx, attempt, cancel := asking.Start(t.Context(), 0, &asked{})
	defer cancel()
	quits := 0
	b := &askBridge{
		o:   &config.Options{Source: config.Source{Destination: "me@host", Log: slog.New(slog.DiscardHandler)}},
		dir: "/nowhere", attempt: attempt, asked: make(map[string]int), quit: func() { quits++ },
	}
	ask := func(prompt string) { b.answer(ctx, filepath.Join(b.dir, "answer.1")+"\n\n"+prompt) }
	for i := range login.MaxQuestions {
		ask(fmt.Sprintf("Enter passphrase for key '/home/me/.ssh/%d': ", i))
		ask(fmt.Sprintf("Enter PIN for ED25519-SK key /home/me/.ssh/%d: ", i))
		ask("(me@host) Enter PIN for key: ")
	}
	if quits != 0 || b.outcome().tooMany {
		t.Errorf("ssh was ended for its own questions")
	}
	ask("(me@host) Code: ")
	if quits != 1 || !b.outcome().tooMany {
		t.Errorf("the server may ask more than %d questions", login.MaxQuestions)
	}
}
