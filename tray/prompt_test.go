package tray

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/internal/keyring"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/tunnelfile"
)

// scripted is a Dialog that answers as it was told.
type scripted struct {
	answer    string
	yes       bool
	err       error
	questions []Question
	confirmed chan Question
}

func (s *scripted) Ask(_ context.Context, q Question) (string, error) {
	s.questions = append(s.questions, q)
	return s.answer, s.err
}

func (s *scripted) Confirm(_ context.Context, q Question) (bool, error) {
	s.confirmed <- q
	return s.yes, s.err
}

func prompter(d *scripted, k keyring.Keyring) *Prompter {
	d.confirmed = make(chan Question, 4)
	p := &Prompter{questions: newQuestions(func() {}), Dialog: func() (Dialog, error) { return d, nil }, Keyring: k, Log: slog.New(slog.DiscardHandler),
		About:     func(context.Context, string) string { return "me@server" },
		Connected: func(context.Context, string, time.Time) error { return nil },
		Show:      func(Notice) {}}
	p.Show = func(n Notice) { // an offer: it is chosen as the dialogs are answered
		if len(n.Actions) == 2 && n.Actions[0].Label == "Remember" {
			d.confirmed <- Question{Text: n.Title}
			p.offers.choose("db", d.yes)
		}
	}
	p.questions.engage("db")
	return p
}

const passphrasePrompt = "Enter passphrase for key '/h/id': "

func TestPrompterAsks(t *testing.T) {
	d := &scripted{answer: "secret", yes: true}
	k := &ring{set: make(chan string, 1)}
	got, err := prompter(d, k).Ask(t.Context(), "db", "passphrase", passphrasePrompt, false)
	if err != nil || got != "secret" {
		t.Fatalf("got %q, %v", got, err)
	}
	q := d.questions[0]
	if q.Title != "Holdfast: db" || q.Echo || !strings.HasPrefix(q.Text, "Enter passphrase for key '/h/id'\n") || !strings.HasSuffix(q.Text, "for the tunnel db to me@server") {
		t.Errorf("asked %+v", q)
	}
	select {
	case set := <-k.set:
		if set != "passphrase: Enter passphrase for key '/h/id'=secret" {
			t.Errorf("remembered %q", set)
		}
	case <-time.After(5 * time.Second):
		t.Error("not remembered, although the person said yes")
	}
}

func TestPrompterTouch(t *testing.T) {
	p := prompter(&scripted{err: errors.New("a dialog nobody can answer")}, nil)
	var told Notice
	p.Show = func(n Notice) { told = n }
	if yes, err := p.Confirm(t.Context(), "db", "touch", "Confirm user presence for key ED25519-SK"); !yes || err != nil || !strings.Contains(told.Body, "ED25519-SK") {
		t.Errorf("%v, %v, told %+v", yes, err, told)
	}
}

// TestPicture: what a person compares is drawn as ssh draws it.
func TestPicture(t *testing.T) {
	got := asMarkup("host 'a<b>' \\n\n+--[RSA 3072]--+\n|  o.+ &        |\n+----[SHA256]---+\nSure?")
	want := "host &#39;a&lt;b&gt;&#39; \\\\n\n<tt>+--[RSA 3072]--+</tt>\n<tt>|  o.+ &amp;        |</tt>\n<tt>+----[SHA256]---+</tt>\nSure?"
	if got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	// Qt would centre it, put one space for many, and show <tt> in letters of any width.
	got = asHTML("+--[RSA 3072]--+\n|  o.+ &        |")
	want = `<p align="left" style="white-space: pre-wrap"><span style="font-family: monospace">+--[RSA 3072]--+</span>` + "\n" +
		`<span style="font-family: monospace">|  o.+ &amp;        |</span></p>`
	if got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestAssuan(t *testing.T) {
	for command, want := range map[string]string{
		"SETDESC 100 %\nof it":                  "SETDESC 100 %25%0Aof it",
		"SETDESC " + strings.Repeat("x", 992):   "SETDESC " + strings.Repeat("x", 992),
		"SETDESC " + strings.Repeat("x", 993):   "SETDESC " + strings.Repeat("x", 989) + "…",
		"SETDESC " + strings.Repeat("\n", 5000): "SETDESC " + strings.Repeat("%0A", 329) + "…",
		"SETDESC " + strings.Repeat("語", 5000):  "SETDESC " + strings.Repeat("語", 329) + "…",
	} {
		if got := assuan(command); got != want {
			t.Errorf("%.20s: %d bytes, want %d\n%s", command, len(got), len(want), got)
		}
	}
}

// TestPrompterWaits: a dialog that nobody expects does not take the keyboard.
func TestPrompterWaits(t *testing.T) {
	d := &scripted{answer: "secret"}
	p := prompter(d, nil)
	waits := make(chan struct{}, 1)
	p.questions = newQuestions(func() {
		select {
		case waits <- struct{}{}:
		default:
		}
	})
	type result struct {
		answer string
		err    error
	}
	results := make(chan result, 1)
	ask := func(ctx context.Context) {
		go func() {
			answer, err := p.Ask(ctx, "db", "passphrase", passphrasePrompt, false)
			results <- result{answer, err}
		}()
	}
	ask(t.Context())
	<-waits
	if len(d.questions) != 0 || p.questions.attention("db") != expected {
		t.Fatalf("a dialog that nobody called for: %v", d.questions)
	}
	db := p.questions.take(tunnel("db", tunnelfile.Retrying, "in 8s"))
	if db.Reason != fault.Passphrase || db.Status != "Enter passphrase for key '/h/id'" || !needsYou(db) {
		t.Errorf("the menu shows %s [%s]: %s", db.State, db.Reason, db.Status)
	}
	p.questions.engage("db")
	if r := <-results; r.answer != "secret" || r.err != nil {
		t.Fatalf("called for: %+v", r)
	}

	// The same again, in the same login: the answer was wrong.
	p.questions.take(because(tunnel("db", tunnelfile.Blocked, "was given a wrong passphrase"), fault.Passphrase))
	ask(t.Context())
	<-results
	if text := d.questions[1].Text; !strings.HasPrefix(text, "The last answer was wrong.\n") {
		t.Errorf("asked again with %q", text)
	}
	// And in another login it was not.
	p.questions.take(tunnel("db", tunnelfile.Up, ""))
	p.questions.engage("db")
	ask(t.Context())
	<-results
	if text := d.questions[2].Text; strings.Contains(text, "wrong") {
		t.Errorf("asked in another login with %q", text)
	}

	p.questions.take(tunnel("db", tunnelfile.Up, ""))
	ended, cancel := context.WithCancel(t.Context())
	ask(ended)
	for p.questions.attention("db") != expected {
		<-waits
	}
	cancel()
	if r := <-results; !errors.Is(r.err, context.Canceled) || p.questions.attention("db") == expected {
		t.Errorf("no longer wanted: %v", r.err)
	}
}

func TestPrompterErrors(t *testing.T) {
	if _, err := prompter(&scripted{err: errDeclined}, nil).Ask(t.Context(), "db", "password", "x", false); !errors.Is(err, listing.ErrRefused) {
		t.Errorf("cancel: %v, want ErrRefused", err)
	}
	if _, err := prompter(&scripted{err: errors.New("no display")}, nil).Ask(t.Context(), "db", "password", "x", false); errors.Is(err, listing.ErrRefused) || err == nil {
		t.Errorf("a dialog that does not work: %v, want another agent to be asked", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := prompter(&scripted{err: errDeclined}, nil).Ask(ended, "db", "password", "x", false); !errors.Is(err, context.Canceled) {
		t.Errorf("no longer wanted: %v", err)
	}
}

// TestPinentryThatDies: what pinentry said last counts, and an end without a word is no answer of a person's.
func TestPinentryThatDies(t *testing.T) {
	const oks = "for i in 1 2 3 4; do echo OK; done; " // the greeting, title, text and prompt
	for name, c := range map[string]struct{ script, want string }{
		"at once":                     {"exit 1", ""},
		"after the answer":            {oks + "echo 'D secret'; echo OK; exit 2", "secret"},
		"with a child that stays":     {oks + "echo 'D secret'; echo OK; sleep 5 & exit 0", "secret"},
		"in the middle of the answer": {oks + "echo 'D secret'; exit 1", ""},
	} {
		path := filepath.Join(t.TempDir(), "pinentry-qt")
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"+c.script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		p := pinentry{program{path: path}}
		got, err := p.Ask(t.Context(), Question{Title: "t", Text: "x"})
		if got != c.want || (err == nil) != (c.want != "") || errors.Is(err, errDeclined) {
			t.Errorf("%s: %q, %v, want %q", name, got, err, c.want)
		}
		if c.want == "" {
			if yes, err := p.Confirm(t.Context(), Question{Title: "t", Text: "x"}); yes || err == nil {
				t.Errorf("%s: a question was answered: %v, %v", name, yes, err)
			}
		}
	}
}

// TestDialogs runs each kind of dialog, played by a script that notes its arguments.
func TestDialogs(t *testing.T) {
	dir := t.TempDir()
	look := func(found string) func(string) (string, error) {
		return func(name string) (string, error) {
			if name == found {
				return filepath.Join(dir, name), nil
			}
			return "", os.ErrNotExist
		}
	}
	script := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\necho \"$SSH_ASKPASS_PROMPT $@\" >"+dir+"/args\n"+text+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	assuanScript := `echo OK hello; while read -r c; do echo "$c" >>` + dir + `/args; case $c in GETPIN) echo "D se%25cret"; echo OK;; CONFIRM) echo "ERR 83886179 cancelled";; *) echo OK;; esac; done`
	q := Question{Title: "Holdfast: d_b", Text: "Enter passphrase\nfor id_rsa", Yes: "Trust", No: "Leave"}
	for name, want := range map[string]struct{ ask, answer string }{
		"my-askpass":  {" Enter passphrase\nfor id_rsa\n", "se cret"},
		"zenity":      {" --entry --title Holdfast: d_b --text Enter passphrase\nfor id__rsa --width 420 --hide-text\n", "se cret"},
		"kdialog":     {" --title Holdfast: d_b --password <p align=\"left\" style=\"white-space: pre-wrap\">Enter passphrase\nfor id_rsa</p>\n", "se cret"},
		"pinentry-qt": {"SETDESC Enter passphrase%0Afor id_rsa\n", "se%cret"},
	} {
		t.Run(name, func(t *testing.T) {
			script(name, map[bool]string{true: assuanScript, false: "echo 'se cret'"}[strings.HasPrefix(name, "pin")])
			var e Environment
			if name == "my-askpass" {
				e = Environment{"SSH_ASKPASS=another", "SSH_ASKPASS=my-askpass"}
			}
			d, err := FindDialog(e, look(name))
			if err != nil {
				t.Fatal(err)
			}
			got, err := d.Ask(t.Context(), q)
			args, _ := os.ReadFile(dir + "/args")
			if err != nil || got != want.answer || !strings.Contains(string(args), want.ask) {
				t.Errorf("got %q, %v, told %q, want %q", got, err, args, want.ask)
			}
			if name != "pinentry-qt" {
				script(name, "exit 1")
				if _, err := d.Ask(t.Context(), q); !errors.Is(err, errDeclined) {
					t.Errorf("exit status 1: %v", err)
				}
			}
			if yes, err := d.Confirm(t.Context(), q); yes || err != nil {
				t.Errorf("a no: %v, %v", yes, err)
			}
		})
	}
	all := func(name string) (string, error) { return "/usr/bin/" + name, nil }
	if d, err := FindDialog(Environment{"XDG_CURRENT_DESKTOP=KDE"}, all); fmt.Sprintf("%T", d) != "tray.kdialog" {
		t.Errorf("on KDE: %T, %v", d, err)
	}
	if d, err := FindDialog(Environment{"XDG_CURRENT_DESKTOP=XFCE"}, all); fmt.Sprintf("%T", d) != "tray.zenity" {
		t.Errorf("elsewhere: %T, %v", d, err)
	}
	if _, err := FindDialog(Environment{"SSH_ASKPASS=/usr/bin/holdfast-askpass"}, look("")); err == nil {
		t.Error("a dialog was found where there is none")
	}
}
