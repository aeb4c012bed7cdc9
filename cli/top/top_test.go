package top

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/cli/layout"
	"github.com/holdfast/holdfast/cli/session"
	"github.com/holdfast/holdfast/cli/terminal"
	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// TestMain is also a top whose history panics, on the terminal of TestPanic.
func TestMain(m *testing.M) {
	if os.Getenv("TOP_PANICS") == "" {
		os.Exit(m.Run())
	}
	_ = Run(Options{
		Session: &session.Session{Ctx: context.Background(), Out: terminal.New(os.Stdout, os.Stderr, os.Getenv)},
		Watched: session.Watched{
			First:     dbusapi.Snapshot{Running: true, Tunnels: []listing.Tunnel{{Name: "web", State: tunnelfile.Inactive}}},
			Snapshots: make(chan dbusapi.Snapshot),
		},
		Delay:   time.Hour,
		History: func(context.Context, string, string) ([]layout.Block, error) { panic("a fault of ours") },
	})
}

// TestPanic: also a panic beside the loop leaves the terminal as it was, and can be read.
func TestPanic(t *testing.T) {
	terminal := testbed.NewTerminal(t, 80, 24)
	before := terminal.Settings(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "TOP_PANICS=1", "TERM=xterm")
	terminal.Start(t, cmd)
	testbed.WaitFor(t, 20*time.Second, func() error {
		if shown := strings.Join(terminal.Screen(80, 24), "\n"); !strings.Contains(shown, "> web") {
			return errors.New(shown)
		}
		return nil
	})
	terminal.Type(t, "h")
	if err := cmd.Wait(); err == nil {
		t.Error("it ended well")
	}
	if terminal.Settings(t) != before {
		t.Error("the terminal is not as it was")
	}
	testbed.WaitFor(t, 20*time.Second, func() error {
		_, after, closed := strings.Cut(terminal.Shown(), "\x1b[?1049l")
		if !closed || !strings.Contains(after, "a fault of ours") {
			return fmt.Errorf("%q", terminal.Shown())
		}
		return nil
	})
}

func TestDecode(t *testing.T) {
	for sent, want := range map[string][]press{
		"q":                        {{key: "q"}},
		"\r\n":                     {{key: keyEnter}, {key: keyEnter}},
		"ü隧":                       {{key: "ü"}, {key: "隧"}},
		"\x1b":                     {{key: keyEscape}},
		"\x1b\x1b":                 {{key: keyEscape}, {key: keyEscape}},
		"\x1b[A\x1bOB\x1b[5~x":     {{key: keyUp}, {key: keyDown}, {key: keyPageUp}, {key: "x"}},
		"\x1b[1;5A\x01\xffq":       {{key: "q"}}, // nothing that is known, but for the last
		"\x1b[<0;5;4M\x1b[<0;5;4m": {{mouseLeft, 4, 3}},
		"\x1b[<64;1;1M":            {{mouseUp, 0, 0}},
		"\x1b[<0;;4Mq":             {{key: "q"}},
		"\x1b[":                    nil,
	} {
		var got []press
		for rest := []byte(sent); len(rest) > 0; {
			p, used := decode(rest, true)
			if used == 0 {
				t.Fatalf("%q: nothing is used", sent)
			}
			if p != (press{}) {
				got = append(got, p)
			}
			rest = rest[used:]
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%q: %v, want %v", sent, got, want)
		}
	}
	for _, half := range []string{"\x1b", "\x1b[", "\x1b[<0;5", "\xe9"} { // more is to come
		if p, used := decode([]byte(half), false); used != 0 {
			t.Errorf("%q: %v", half, p)
		}
	}
}
