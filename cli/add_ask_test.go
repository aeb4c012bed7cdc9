package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/dbusapi/apitest"
	"github.com/holdfast/holdfast/tunnelfile"
)

// answer waits for each question and types what follows it.
func answer(t *testing.T, w *window, questionsAndKeys ...string) {
	t.Helper()
	for i := 0; i < len(questionsAndKeys); i += 2 {
		w.await(t, questionsAndKeys[i])
		w.Type(t, questionsAndKeys[i+1])
	}
}

func withHosts(t *testing.T) *apitest.Backend {
	backend := withBackend(t)
	write(t, os.Getenv("HOME"), ".ssh/config", "Host bastion.example\n\tUser me\nHost other\n")
	return backend
}

// TestAddAsks: from answers to a tunnel that is up.
func TestAddAsks(t *testing.T) {
	for _, c := range []struct {
		name    string
		answers []string
		shows   string
		text    string
		start   tunnelfile.StartMode
	}{
		{"service", []string{
			`Where to\?.*:\s*$`, "me@bas\t\r", `Number \[1\]:\s*$`, "\r", `look|see what listens there\? \[no\]:\s*$`, "\r",
			`Which port does it have there.*:\s*$`, "nonsense\r", `Give a port, as[^$]*path of a socket:\s*$`, "db.internal:5432\r", `have here\? \[5432\]:\s*$`, "15432\r",
			`be up\?[^$]*Number \[1\]:\s*$`, "2\r", `What is its name\? \[bastion\]:\s*$`, "pg\r", `Make it and start it\? \[yes\]:\s*$`, "\r",
		}, "The same with ssh: ssh -N -L 15432:db.internal:5432 me@bastion.example", "LocalForward=15432:db.internal:5432", tunnelfile.StartManual},
		{"unix socket", []string{
			`Where to\?.*:\s*$`, "me@bas\t\r", `Number \[1\]:\s*$`, "\r", `see what listens there\? \[no\]:\s*$`, "\r",
			`path of a socket:\s*$`, "/run/docker.sock\r", `have here\? \[/run/user/1/bastion-docker.sock\]:\s*$`, "relative\r", `whole path of a[^$]*docker.sock\]:\s*$`, "\r",
			`be up\?[^$]*Number \[1\]:\s*$`, "2\r", `What is its name\? \[bastion\]:\s*$`, "pg\r", `Make it and start it\? \[yes\]:\s*$`, "\r",
		}, "The same with ssh: ssh -N -L /run/user/1/bastion-docker.sock:/run/docker.sock me@bastion.example", "LocalForward=/run/user/1/bastion-docker.sock:/run/docker.sock", tunnelfile.StartManual},
		{"proxy", []string{
			`Where to\?.*:\s*$`, "oth\t\r", `Number \[1\]:\s*$`, "3\r", `proxy have here\? \[1080\]:\s*$`, "\r",
			`be up\?[^$]*Number \[1\]:\s*$`, "\r", `What is its name\? \[other\]:\s*$`, "pg\r", `Make it and start it\? \[yes\]:\s*$`, "y\r",
		}, "The same with ssh: ssh -N -D 1080 other", "DynamicForward=1080", tunnelfile.StartAuto},
		{"backwards", []string{
			`Where to\?.*:\s*$`, "me@198.51.100.7\r", `Number \[1\]:\s*$`, "2\r", `Which port does it have here.*:\s*$`, "8000\r", `on the server\? \[8000\]:\s*$`, "9000\r",
			`be up\?[^$]*Number \[1\]:\s*$`, "1\r", `What is its name\? \[198.51.100.7\]:\s*$`, "pg\r", `Make it and start it\? \[yes\]:\s*$`, "\r",
		}, "The same with ssh: ssh -N -R 9000:localhost:8000 me@198.51.100.7", "RemoteForward=9000:localhost:8000", tunnelfile.StartAuto},
	} {
		t.Run(c.name, func(t *testing.T) {
			backend := withHosts(t)
			if err := backend.RemoveTunnel(t.Context(), "pg"); err != nil {
				t.Fatal(err)
			}
			t.Setenv("XDG_RUNTIME_DIR", "/run/user/1")
			w := onWindow(t, 100, 50, "add")
			before := w.before
			answer(t, w, c.answers...)
			if err := w.end(t); err != nil {
				t.Error(err)
			}
			shown := w.await(t, `pg is up`)
			if !strings.Contains(shown, c.shows) {
				t.Errorf("no %q on\n%s", c.shows, shown)
			}
			row, err := backend.Tunnel(t.Context(), "pg")
			if err != nil || row.State != tunnelfile.Up || row.StartMode != c.start || !strings.Contains(row.Text, c.text) {
				t.Errorf("%v: %+v", err, row)
			}
			if w.Settings(t) != before {
				t.Error("the terminal is not as it was")
			}
		})
	}
}

// TestAddAsksNoMore: Ctrl-C at any question leaves nothing behind.
func TestAddAsksNoMore(t *testing.T) {
	backend := withHosts(t)
	tunnels, err := backend.Tunnels(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	answers := []string{
		`Where to\?.*:\s*$`, "me@new\r", `Number \[1\]:\s*$`, "\r", `see what listens there\? \[no\]:\s*$`, "\r", `Which port does it have there.*:\s*$`, "5432\r",
		`have here\? \[5432\]:\s*$`, "\r", `be up\?[^$]*Number \[1\]:\s*$`, "\r", `What is its name\? \[new\]:\s*$`, "\r", `Make it and start it\? \[yes\]:\s*$`,
	}
	for i := 0; i < len(answers); i += 2 {
		w := onWindow(t, 100, 50, "add")
		before := w.before
		answer(t, w, answers[:i]...)
		answer(t, w, answers[i], "\x03")
		if err := w.end(t); err == nil {
			t.Errorf("after %q it ended well", answers[i])
		}
		w.await(t, "holdfast: nothing was added")
		if now, err := backend.Tunnels(t.Context()); err != nil || len(now) != len(tunnels) {
			t.Errorf("after %q: %v, %d tunnels", answers[i], err, len(now))
		}
		if w.Settings(t) != before {
			t.Errorf("after %q the terminal is not as it was", answers[i])
		}
	}
	if left, _ := filepath.Glob(filepath.Join(os.Getenv("HOME"), ".config/holdfast/*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestEditAsksNoMore: Ctrl-C at the question of edit ends it, and what was typed is kept.
func TestEditAsksNoMore(t *testing.T) {
	withBackend(t)
	t.Setenv("EDITOR", "sh -c 'echo Strat=x >>$1' sh")
	w := onWindow(t, 100, 24, "edit", "mail")
	answer(t, w, `Edit again\? \[Y/n\]\s*$`, "\x03")
	if err := w.end(t); err == nil {
		t.Error("it ended well")
	}
	w.await(t, "your text is kept in")
	if w.Settings(t) != w.before {
		t.Error("the terminal is not as it was")
	}
}
