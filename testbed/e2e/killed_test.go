//go:build testbed

package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// lastLine ends each tunnel file of TestKilledWhileWriting: a file without it is half written.
const lastLine = "# the last line\n"

// TestKilledWhileWriting: whatever is killed while a tunnel file is written, each file is whole,
// as it was or as it was to be, and none is lost.
func TestKilledWhileWriting(t *testing.T) {
	d := newDesk(t)
	padding := strings.Repeat("# "+strings.Repeat("x", 98)+"\n", 100)
	whole := func(port int) string {
		return fmt.Sprintf("[Tunnel]\nDestination=nowhere.invalid\nLocalForward=%d localhost:1\nStart=manual\n%s%s", port, padding, lastLine)
	}
	editor := filepath.Join(person.Home, ".config/editor/change")
	d.writeFile(editor, "#!/bin/sh\nsed -i \"s/^Destination=.*/Destination=edited$$.invalid/\" \"$1\"\n")
	if err := os.Chmod(editor, 0o755); err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(filepath.Dir(editor))
	for _, c := range []struct {
		what string
		argv []string
		gone bool // the file may be gone afterwards
	}{
		{"add", []string{"add", "one", "--manual", "-N", "-L", "19001:localhost:1", "me@nowhere.invalid"}, true},
		{"set", []string{"set", "one", "Description=another"}, false},
		{"edit", []string{"edit", "one"}, false},
		{"rename", []string{"rename", "one", "two"}, false},
		{"remove", []string{"remove", "one"}, true},
	} {
		kept := 0
		const tries = 14
		for i := range tries {
			as("systemctl", "--user", "reset-failed", "holdfastd")
			os.RemoveAll(d.config)
			if c.what != "add" {
				d.write("one", whole(19001))
			}
			d.holdfast("list") // the daemon runs, and knows the file
			daemon := mainPID(t, "holdfastd.service")
			argv := person.Argv(append([]string{"env", "EDITOR=" + editor, "holdfast"}, c.argv...)...)
			cmd := exec.Command(argv[0], argv[1:]...)
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Duration(rand.IntN(80)) * time.Millisecond) // at any moment
			if i%3 == 2 {
				syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			} else {
				syscall.Kill(daemon, syscall.SIGKILL)
			}
			ended := make(chan struct{})
			go func() { cmd.Wait(); close(ended) }()
			select {
			case <-ended:
			case <-time.After(30 * time.Second):
				t.Fatalf("%s does not end when the daemon is killed", c.what)
			}
			paths, err := filepath.Glob(filepath.Join(d.config, "*.tunnel"))
			if err != nil {
				t.Fatal(err)
			}
			for _, path := range paths {
				text, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if _, problems := tunnelfile.Parse(strings.TrimSuffix(filepath.Base(path), tunnelfile.Suffix), path, string(text)); len(problems) > 0 {
					t.Errorf("%s: %v in\n%s", c.what, problems, text)
				}
				if c.what != "add" && !strings.HasSuffix(string(text), lastLine) {
					t.Errorf("%s: half a file of %d bytes", c.what, len(text))
				}
			}
			kept += min(len(paths), 1)
			if len(paths) == 0 && !c.gone {
				t.Errorf("%s: the tunnel's file is lost", c.what)
			}
		}
		t.Logf("%s: killed %d times, %d times there was a file afterwards", c.what, tries, kept)
	}
	as("systemctl", "--user", "reset-failed", "holdfastd")
	testbed.WaitFor(t, 20*time.Second, func() error {
		_, err := holdfast("list")
		return err
	})
}
