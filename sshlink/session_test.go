package sshlink

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/sshlink/wire"
	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

func TestRun(t *testing.T) {
	s := testbed.StartServer(t, testbed.ServerOptions{})
	l := dialServer(t, s)
	var out, errOut bytes.Buffer
	if err := l.Run(t.Context(), "echo out; echo err >&2", &out, &errOut); err != nil || out.String() != "out\n" || errOut.String() != "err\n" {
		t.Errorf("%q, %q, %v", out.String(), errOut.String(), err)
	}
	err := l.Run(t.Context(), "exit 7", io.Discard, io.Discard)
	if exit, ok := errors.AsType[*wire.ExitError](err); !ok || exit.Status != 7 {
		t.Errorf("exit 7: %v", err)
	}
	err = l.Run(t.Context(), "kill -TERM $$", io.Discard, io.Discard)
	if exit, ok := errors.AsType[*wire.ExitError](err); !ok || exit.Signal != "TERM" {
		t.Errorf("SIGTERM: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := l.Run(ctx, "sleep 100", io.Discard, io.Discard); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("abandoned: %v", err)
	}
	if _, err := l.Ping(t.Context()); err != nil {
		t.Errorf("after an abandoned command: %v", err)
	}
}

func TestRemoveStale(t *testing.T) {
	s := testbed.StartServer(t, testbed.ServerOptions{})
	l := dialServer(t, s)
	dir := testbed.SocketDir(t)

	stale := filepath.Join(dir, "a stale $(touch evil) *")
	ln, err := net.Listen("unix", stale)
	if err != nil {
		t.Fatal(err)
	}
	ln.(*net.UnixListener).SetUnlinkOnClose(false)
	if err := l.RemoveStale(t.Context(), stale); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("somebody answers, yet: %v", err)
	}
	ln.Close()
	if err := l.RemoveStale(t.Context(), stale); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(stale); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("still there: %v", err)
	}
	file := filepath.Join(dir, "file")
	write(t, file, "precious")
	if err := l.RemoveStale(t.Context(), file); err == nil {
		t.Error("removed a file that is no socket")
	}
	if _, err := os.Stat(file); err != nil {
		t.Error(err)
	}
	for _, path := range []string{"/a'b", `/a\b`, "relative", "/a\nb", "/a!b"} {
		if err := l.RemoveStale(t.Context(), path); err == nil || !strings.Contains(err.Error(), "safely") {
			t.Errorf("%q: %v", path, err)
		}
	}

	forced := testbed.StartServer(t, testbed.ServerOptions{Config: []string{"ForceCommand true"}})
	if err := dialServer(t, forced).RemoveStale(t.Context(), "/tmp/nothing"); err == nil || !strings.Contains(err.Error(), "command of its own") {
		t.Errorf("forced command: %v", err)
	}
}

// TestEnvironment: SendEnv and SetEnv count for a command, over both transports.
func TestEnvironment(t *testing.T) {
	s := testbed.StartServer(t, testbed.ServerOptions{Config: []string{"AcceptEnv HF_*"}})
	t.Setenv("HF_OURS", "a b\"c")
	t.Setenv("UNASKED", "x")
	transports(t, func(t *testing.T, transport tunnelfile.Transport) {
		l := dialBy(t, transport, s, "SendEnv=HF_O*", "SetEnv=HF_SET=y")
		defer l.Close()
		var out bytes.Buffer
		if err := l.Run(t.Context(), `echo "$HF_OURS|$HF_SET|$UNASKED"`, &out, io.Discard); err != nil || out.String() != "a b\"c|y|\n" {
			t.Errorf("%q, %v", out.String(), err)
		}
	})
}
