package answers

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/internal/asking"
)

// asks is an Askpass with programs made of shell, which note how they were called.
func asks(t *testing.T, credentials map[string]string, scripts ...string) (a *Askpass, calls func() string) {
	t.Helper()
	dir := t.TempDir()
	log := filepath.Join(dir, "calls")
	a = &Askpass{limit: time.Minute, log: slog.New(slog.DiscardHandler)}
	if credentials != nil {
		t.Setenv("CREDENTIALS_DIRECTORY", dir)
		a.credentials = ofThisUnit()
	}
	for id, secret := range credentials {
		if err := os.WriteFile(filepath.Join(dir, id), []byte(secret), 0o400); err != nil {
			t.Fatal(err)
		}
	}
	for i, text := range scripts {
		path := filepath.Join(dir, "program"+string(rune('1'+i)))
		text = "#!/bin/sh\necho \"${0##*/} $1 $HOLDFAST_AGAIN\" >>" + log + "\n" + text + "\n"
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
		p := askProgram{argv: []string{path}}
		if i == 0 {
			p.nobody = 4 // as holdfast askpass
		}
		a.programs = append(a.programs, p)
	}
	return a, func() string {
		text, _ := os.ReadFile(log)
		_ = os.Remove(log)
		return string(text)
	}
}

var passphraseQuestion = asking.Question{Kind: asking.KindPassphrase, Subject: "/h/.ssh/id_db", Prompt: "P?"}

func TestAskpassPrograms(t *testing.T) {
	for _, c := range []struct {
		name    string
		scripts []string
		answer  string
		err     error // nil: none, or declined
		calls   string
	}{
		{"one line counts", []string{"printf 'open sesame\\r\\nmore\\n'"}, "open sesame", nil, "program1 P? \n"},
		{"spaces stay", []string{"printf '  a b '"}, "  a b ", nil, "program1 P? \n"},
		{"an empty answer", []string{"echo"}, "", nil, "program1 P? \n"},
		{"nobody there, then somebody", []string{"exit 4", "echo two"}, "two", nil, "program1 P? \nprogram2 P? \n"},
		{"a no is final", []string{"exit 1", "echo two"}, "", errDeclinedForTest, "program1 P? \n"},
		{"another program's failure is nobody", []string{"exit 4", "exit 1"}, "", asking.ErrNobody, "program1 P? \nprogram2 P? \n"},
		{"killed", []string{"kill -9 $$", "echo two"}, "two", nil, "program1 P? \nprogram2 P? \n"},
		{"much too long", []string{"head -c 100000 /dev/zero | tr '\\0' x"}, strings.Repeat("x", answerLimit), nil, "program1 P? \n"},
	} {
		a, calls := asks(t, nil, c.scripts...)
		answer, err := a.Ask(t.Context(), passphraseQuestion)
		switch {
		case c.err == errDeclinedForTest:
			if err == nil || errors.Is(err, asking.ErrNobody) {
				t.Errorf("%s: %v, want the person's no", c.name, err)
			}
		case !errors.Is(err, c.err):
			t.Errorf("%s: %v", c.name, err)
		}
		if string(answer) != c.answer {
			t.Errorf("%s: %q", c.name, answer)
		}
		if got := calls(); got != c.calls {
			t.Errorf("%s: called %q, want %q", c.name, got, c.calls)
		}
	}
}

var errDeclinedForTest = errors.New("declined")

// TestAskpassEcho wants the program to be told what may be seen, and nothing else to be.
func TestAskpassEcho(t *testing.T) {
	a, _ := asks(t, nil, `echo "echo=$HOLDFAST_ECHO"`)
	for _, c := range []struct {
		echo bool
		want string
	}{{false, "echo="}, {true, "echo=1"}} {
		q := asking.Question{Kind: asking.KindInteractive, Subject: "me@h", Prompt: "(me@h) Name: ", Echo: c.echo}
		if got, err := a.Ask(t.Context(), q); string(got) != c.want || err != nil {
			t.Errorf("echo %v: %q, %v", c.echo, got, err)
		}
	}
}

// TestAskpassEnds wants a program to end with the question, and its children too.
func TestAskpassEnds(t *testing.T) {
	pidFile := filepath.Join(t.TempDir(), "pid")
	a, _ := asks(t, nil, "sleep 60 & echo $! >"+pidFile+".new; mv "+pidFile+".new "+pidFile+"; wait")
	ctx, cancel := context.WithCancelCause(t.Context())
	over := errors.New("over")
	go func() {
		for !exists(pidFile) {
			time.Sleep(time.Millisecond)
		}
		cancel(over)
	}()
	start := time.Now()
	if _, err := a.Ask(ctx, passphraseQuestion); !errors.Is(err, over) {
		t.Errorf("ended with %v", err)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("took %s", took)
	}
	pid, _ := os.ReadFile(pidFile)
	deadline := time.Now().Add(5 * time.Second)
	for {
		stat, err := os.ReadFile("/proc/" + strings.TrimSpace(string(pid)) + "/stat")
		if err != nil || strings.Contains(string(stat), ") Z ") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("a child of the program is there still")
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// TestAskpassHasALimit wants a question to end although nobody ever answers it.
func TestAskpassHasALimit(t *testing.T) {
	a, _ := asks(t, nil, "exec sleep 60")
	a.limit = 100 * time.Millisecond
	start := time.Now()
	if _, err := a.Ask(t.Context(), passphraseQuestion); !errors.Is(err, asking.ErrNoAnswer) || err.Error() != "nobody answered within 100ms" {
		t.Errorf("ended with %v", err)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("took %s", took)
	}
}

func TestCredentials(t *testing.T) {
	kept := map[string]string{
		"passphrase": "any", "passphrase.id_db": "for db\n", "password": "pass word\r\nrest", "password.root@h": "for root",
	}
	ask := func(q asking.Question) string {
		a, _ := asks(t, kept, "echo typed")
		answer, err := a.Ask(t.Context(), q)
		if err != nil {
			t.Errorf("%+v: %v", q, err)
		}
		return string(answer)
	}
	for _, c := range []struct {
		q    asking.Question
		want string
	}{
		{passphraseQuestion, "for db"},
		{asking.Question{Kind: asking.KindPassphrase, Subject: "/h/.ssh/id_other"}, "any"},
		{asking.Question{Kind: asking.KindPassword, Subject: "me@h"}, "pass word"},
		{asking.Question{Kind: asking.KindPassword, Subject: "root@h"}, "for root"},
		{asking.Question{Kind: asking.KindInteractive, Subject: "me@h", Prompt: "(me@h) Password: "}, "pass word"},
		{asking.Question{Kind: asking.KindInteractive, Subject: "me@h", Prompt: "(me@h) Password: ", Echo: true}, "typed"},
		{asking.Question{Kind: asking.KindInteractive, Subject: "me@h", Prompt: "(me@h) One-time code: "}, "typed"},
		{asking.Question{Kind: asking.KindInteractive, Subject: "me@h", Prompt: "Enter PIN for key: "}, "typed"},
	} {
		if got := ask(c.q); got != c.want {
			t.Errorf("%+v: %q, want %q", c.q, got, c.want)
		}
	}
}

// TestWrongAnswersAreNotRepeated wants an answer that was wrong to come again from a person only.
func TestWrongAnswersAreNotRepeated(t *testing.T) {
	// As holdfast askpass: a remembered answer, unless the last one was wrong.
	remembers := `[ -n "$HOLDFAST_AGAIN" ] && echo typed || echo remembered`
	again := passphraseQuestion
	again.Retry = true
	login := func(a *Askpass, q asking.Question, want string) {
		t.Helper()
		if got, err := a.Ask(t.Context(), q); string(got) != want || err != nil {
			t.Errorf("again %v: %q, %v, want %q", q.Retry, got, err, want)
		}
	}
	a, calls := asks(t, map[string]string{"passphrase": "credential"}, remembers)
	login(a, passphraseQuestion, "credential")
	login(a, again, "typed")
	if got := calls(); got != "program1 P? 1\n" {
		t.Errorf("called %q", got)
	}
	// At the next connection the credential is known to be wrong.
	login(a, passphraseQuestion, "remembered")
	login(a, again, "typed")
	calls()
	// And then both are.
	login(a, passphraseQuestion, "typed")
	if got := calls(); got != "program1 P? \nprogram1 P? 1\n" {
		t.Errorf("called %q", got)
	}
	// What a person types is believed, although they erred with it before.
	login(a, again, "typed")
	login(a, again, "typed")
	// Another question is another matter.
	other := passphraseQuestion
	other.Subject = "/h/.ssh/id_other"
	login(a, other, "credential")
}
