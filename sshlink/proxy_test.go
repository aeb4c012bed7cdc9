package sshlink

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// TestProxyCommandEndsWithLink wants a ProxyCommand that will not listen to reason, and what it
// started, to be gone soon after its link.
func TestProxyCommandEndsWithLink(t *testing.T) {
	s := testbed.StartServer(t, testbed.ServerOptions{})
	dir := t.TempDir()
	script, pids := filepath.Join(dir, "stubborn"), filepath.Join(dir, "pids")
	write(t, script, fmt.Sprintf("#!/bin/sh\ntrap '' HUP TERM\nexec 3<&0\nsleep 1000 &\necho $$ $! > %s\n%s \"$@\" <&3 &\necho $! >> %s\nwait\nsleep 1000\n", pids, relay(t, "relay"), pids))
	os.Chmod(script, 0o700)
	for _, how := range []string{"closed", "refused"} {
		t.Run(how, func(t *testing.T) {
			config := filepath.Join(t.TempDir(), "config")
			text := withKey(s, "host") + " ProxyCommand " + script + " %h %p\n"
			if how == "refused" {
				text = strings.ReplaceAll(text, s.IdentityFile, "none")
			}
			write(t, config, text)
			r, err := Resolve(t.Context(), source{Destination: "host", ConfigFile: config}, nil)
			if err != nil {
				t.Fatal(err)
			}
			l, err := r.Dial(t.Context())
			switch how {
			case "closed":
				if err != nil {
					t.Fatal(err)
				}
				l.Close()
			case "refused":
				if err == nil {
					t.Fatal("logged in without a key")
				}
			}
			listed, err := os.ReadFile(pids)
			if err != nil {
				t.Fatal(err)
			}
			for _, word := range strings.Fields(string(listed)) {
				pid, err := strconv.Atoi(word)
				if err != nil {
					t.Fatal(err)
				}
				testbed.WaitFor(t, 20*time.Second, func() error {
					if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
						return fmt.Errorf("process %d still runs: %v", pid, err)
					}
					return nil
				})
			}
		})
	}
}

// TestProxyCommandIsNamed: behind a ProxyCommand a link names the destination and the command, and
// no address of a socket pair; nor does what it says of its end.
func TestProxyCommandIsNamed(t *testing.T) {
	s := testbed.StartServer(t, testbed.ServerOptions{})
	transports(t, func(t *testing.T, transport tunnelfile.Transport) {
		command := relay(t, "relay")
		l := dialBy(t, transport, s, "ProxyCommand="+command+" %h %p --password=hunter2")
		defer l.Close()
		if got, want := l.RemoteAddr().String(), s.Addr+" through relay"; got != want {
			t.Errorf("RemoteAddr: %q, want %q", got, want)
		}
		if got := l.LocalAddr().String(); strings.Contains(got, "@") {
			t.Errorf("LocalAddr: %q", got)
		}
		s.KillSessions(syscall.SIGKILL)
		if err := l.Wait(); strings.Contains(err.Error(), "@") || strings.Contains(err.Error(), "read ") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the end: %v", err)
		} else {
			t.Log(err)
		}
	})
}
