package config

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
)

// TestMatchExecThatHangs: who gives up on a configuration leaves nothing behind that it runs.
func TestMatchExecThatHangs(t *testing.T) {
	if _, err := os.Open("/dev/tty"); err == nil {
		t.Skip("there is a terminal: what a Match exec asks is answered there")
	}
	dir := t.TempDir()
	pid, file := filepath.Join(dir, "pid"), filepath.Join(dir, "config")
	if err := os.WriteFile(file, []byte("Match exec \"echo $$ >"+pid+"; exec sleep 1000\"\n  Port 2222\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := Resolve(ctx, Source{Destination: "host", ConfigFile: file})
		ended <- err
	}()
	var child int
	testbed.WaitFor(t, 10*time.Second, func() (err error) {
		text, err := os.ReadFile(pid)
		if err == nil {
			child, err = strconv.Atoi(strings.TrimSpace(string(text)))
		}
		return err
	})
	cancel()
	if err := <-ended; err == nil {
		t.Error("it is resolved")
	}
	testbed.WaitFor(t, 10*time.Second, func() error {
		if err := syscall.Kill(child, 0); !errors.Is(err, syscall.ESRCH) {
			state, _ := os.ReadFile("/proc/" + strconv.Itoa(child) + "/stat")
			if strings.Contains(string(state), ") Z ") {
				return nil // killed, and whoever has to notice has not yet
			}
			return errors.New("it goes on")
		}
		return nil
	})
}
