package demo

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
)

// programs builds the worker; the daemon's part of the demo is tested in testbed/e2e.
func programs(t *testing.T) string {
	t.Helper()
	testbed.Need(t, "go")
	dir := t.TempDir()
	cmd := exec.Command("go", "build", "-o", dir, "../../cmd/holdfast-tunnel")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return dir
}

// quietFolder is where the demo puts its files, so that the test sees what it leaves.
func quietFolder(t *testing.T) string {
	t.Helper()
	dir := testbed.SocketDir(t)
	t.Setenv("XDG_RUNTIME_DIR", dir)
	return dir
}

func TestForeground(t *testing.T) {
	dir := quietFolder(t)
	var out bytes.Buffer
	err := Run(t.Context(), Options{
		Out: &out, Foreground: true, Programs: programs(t), Size: 8 << 20, Outage: 300 * time.Millisecond,
	})
	t.Logf("%s", out.String())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"SSH server", "tunnel file", "up", "the same came back", "link cut", "still open", "served", "bytes again", "cleaned up"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("does not say %q", want)
		}
	}
	if strings.Contains(out.String(), "\x1b") {
		t.Error("coloured although nobody asked for it")
	}
	nothingLeft(t, dir)
}

// TestInterrupted ends the demo at different moments, as Ctrl-C does.
func TestInterrupted(t *testing.T) {
	programs := programs(t)
	for _, moment := range []string{"process", "up", "link cut"} {
		t.Run(moment, func(t *testing.T) {
			dir := quietFolder(t)
			ctx, interrupt := context.WithCancel(t.Context())
			defer interrupt()
			out := &interrupter{at: moment, interrupt: interrupt}
			err := Run(ctx, Options{Out: out, Foreground: true, Programs: programs, Size: 8 << 20})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("ended with %v, want %v", err, context.Canceled)
			}
			nothingLeft(t, dir)
			if strings.Contains(out.String(), "bytes again") {
				t.Errorf("went on after it was interrupted:\n%s", out)
			}
		})
	}
}

// interrupter calls interrupt once the story comes to a certain subject.
type interrupter struct {
	bytes.Buffer
	at        string
	interrupt func()
}

func (i *interrupter) Write(p []byte) (int, error) {
	if strings.Contains(string(p), " "+i.at+" ") {
		i.interrupt()
	}
	return i.Buffer.Write(p)
}

func nothingLeft(t *testing.T, dir string) {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	for _, line := range strings.Split(psOutput(t), "\n") {
		if strings.Contains(line, dir) {
			t.Errorf("still runs: %s", line)
		}
	}
}

func psOutput(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("ps", "-eo", "pid,args").Output()
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(out)
}
