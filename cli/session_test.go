package cli_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/holdfast/holdfast/cli"
	"github.com/holdfast/holdfast/cli/history"
	"github.com/holdfast/holdfast/cli/terminal"
	"github.com/holdfast/holdfast/dbusapi/apitest"
	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"holdfast": func() {
			history.Awake = func() (time.Duration, error) { return 30 * 24 * time.Hour, nil }
			os.Exit(cli.Main("0.0.0-test", os.Args[1:]))
		},
		// An editor: it puts the file $NEXT_TEXT names in place of what it is given, and
		// moves on to the next one by name: text1, text2, …
		"next-text":       nextText,
		"holdfast-tunnel": standInTunnel,
		"journalctl":      realJournal,
		// A program that panics when a line is typed, while it shows a live line.
		"panics": func() {
			out := terminal.New(os.Stdout, os.Stderr, os.Getenv)
			defer out.EndProgress()
			out.Progress("a live line")
			for line := make([]byte, 1); line[0] != '\n'; { // what follows is the shell's
				_, _ = os.Stdin.Read(line)
			}
			panic("now")
		},
	})
}

func nextText() {
	file := os.Args[len(os.Args)-1]
	next, err := filepath.Glob(os.Getenv("NEXT_TEXT") + "*")
	if err != nil || len(next) == 0 {
		os.Exit(7)
	}
	text, err := os.ReadFile(next[0])
	if err != nil || os.WriteFile(file, text, 0o600) != nil || os.Remove(next[0]) != nil {
		os.Exit(7)
	}
}

// needed are the programs that sessions use.
var needed = map[string][]string{"completion.txtar": {"bash", "zsh", "fish"}, "past.txtar": {"journalctl", "/lib/systemd/systemd-journal-remote"}}

// TestSessions runs each session of testdata against a bus and a Backend of its own.
func TestSessions(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no sessions", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			testbed.Need(t, needed[filepath.Base(file)]...)
			address := apitest.Bus(t)
			t.Setenv("DBUS_SESSION_BUS_ADDRESS", address)
			backend := apitest.NewBackend()
			stop := apitest.Serve(t, backend)
			past := ""
			if filepath.Base(file) == "past.txtar" {
				past = pastWeek(t)
			}
			testscript.Run(t, testscript.Params{
				Files: []string{file},
				Setup: func(e *testscript.Env) error {
					e.Setenv("DBUS_SESSION_BUS_ADDRESS", address)
					e.Setenv("HOME", e.WorkDir)
					e.Setenv("XDG_CONFIG_HOME", "")
					e.Setenv("TERM", "xterm")
					e.Setenv("TZ", "UTC")
					e.Setenv("JOURNAL", past)
					e.Setenv("GORACE", "atexit_sleep_ms=0") // else each command takes a second more
					return nil
				},
				Cmds: map[string]func(*testscript.TestScript, bool, []string){
					// stop-daemon takes the daemon off the bus.
					"stop-daemon": func(*testscript.TestScript, bool, []string) { stop() },
					// problem PATH LINE KEY MESSAGE is a file that cannot be read as written.
					"problem": func(ts *testscript.TestScript, _ bool, args []string) {
						line, err := strconv.Atoi(args[1])
						ts.Check(err)
						global, err := backend.Global(t.Context())
						ts.Check(err)
						global.Problems = append(global.Problems, tunnelfile.Problem{Path: args[0], Line: line, Key: args[2], Message: args[3]})
						backend.SetGlobal(global)
					},
					// exits N COMMAND… runs a command that ends with this status.
					"exits": exits,
				},
			})
		})
	}
}

// exits is exec for a command that is to end with a certain status.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits STATUS COMMAND…")
	}
	got := "0"
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		got = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if got != args[0] {
		ts.Fatalf("it ended with %s, wanted %s", got, args[0])
	}
}
