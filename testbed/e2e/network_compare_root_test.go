//go:build testbed

package e2e

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
)

// count is a number from the environment, or a default for make test, which has little time.
func count(t *testing.T, variable string, otherwise int) int {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s=%s: want a number", variable, text)
	}
	return n
}

// autossh keeps a tunnel to the same server up, by the recipe that people use, and
// returns its local address.
func (a *away) autossh(t *testing.T) string {
	t.Helper()
	testbed.Need(t, "autossh")
	local := fmt.Sprintf("127.0.0.1:%d", testbed.FreePort(t))
	argv := []string{"env", "AUTOSSH_GATETIME=0", "AUTOSSH_LOGFILE=" + filepath.Join(person.RuntimeDir, "autossh.log"),
		"autossh", "-M", "0", "-N", "-T", "-o", "ServerAliveInterval=10", "-o", "ServerAliveCountMax=3",
		"-o", "ExitOnForwardFailure=yes"}
	argv = append(append(argv, a.server.Args()...), "-L", local+":"+a.echo, a.server.Destination())
	cmd := testbed.AsTester(t, argv...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		cmd.Wait()
	})
	if _, err := usable(local, 20*time.Second); err != nil {
		t.Fatalf("autossh: %v", err)
	}
	return local
}

// usable is how long it takes until a byte goes to and fro, by as many connections as that needs.
func usable(local string, deadline time.Duration) (time.Duration, error) {
	start := time.Now()
	for {
		err := testbed.EchoAt(local, 1, deadline)
		took := time.Since(start)
		if err == nil || took > deadline {
			return took, err
		}
		<-time.After(20 * time.Millisecond)
	}
}

// TestConnectionDownAndUpBesideAutossh: nmcli con down, some seconds, nmcli con up, with
// autossh beside. Both have a connection in use all the time, as somebody at work has.
// HOLDFAST_ROUNDS is how often, HOLDFAST_OUTAGE how many seconds it is down.
func TestConnectionDownAndUpBesideAutossh(t *testing.T) {
	rounds := count(t, "HOLDFAST_ROUNDS", 3)
	outage := time.Duration(count(t, "HOLDFAST_OUTAGE", 6)) * time.Second
	a := newAway(t)
	other := a.autossh(t)
	var offline, commands, ours, theirs []time.Duration
	for range rounds {
		keepTalking(t, a.local)
		keepTalking(t, other)
		attempts := a.server.Attempts()
		a.card.Down()
		offline = append(offline, a.awaitWord("offline", 10*time.Second))
		<-time.After(outage)
		if n := a.server.Attempts() - attempts; n != 0 {
			t.Errorf("%d attempts reached the server while there was no network", n)
		}
		begun := time.Now()
		a.card.Up()
		commands = append(commands, time.Since(begun).Round(time.Millisecond))
		var both sync.WaitGroup
		measure := func(name, local string, to *[]time.Duration) {
			both.Go(func() {
				took, err := usable(local, 3*time.Minute)
				if err != nil {
					t.Errorf("%s: %v", name, err)
				}
				*to = append(*to, took.Round(time.Millisecond))
			})
		}
		measure("holdfast", a.local, &ours)
		measure("autossh", other, &theirs)
		both.Wait()
		a.awaitWord("up", 20*time.Second)
	}
	figure(t, "con down for %v, %d rounds: offline after %v (median %v)", outage, rounds, offline, median(offline))
	figure(t, "nmcli con up itself took %v (median %v)", commands, median(commands))
	figure(t, "usable after con up: holdfast %v (median %v), autossh %v (median %v)", ours, median(ours), theirs, median(theirs))
	if m := median(offline); m > 4*time.Second {
		t.Errorf("offline %v after the network went; the goal is 1 s", m)
	}
	if m := median(ours); m > 4*time.Second {
		t.Errorf("usable %v after the network came; the goal is 1 s", m)
	}
}

// keepTalking says something over a connection ten times a second until the test or the
// connection ends.
func keepTalking(t *testing.T, local string) {
	t.Helper()
	conn, err := net.Dial("tcp", local)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for range tick.C {
			if _, err := conn.Write([]byte("word")); err != nil {
				return
			}
		}
	}()
	go func() {
		for buf := make([]byte, 512); ; {
			if _, err := conn.Read(buf); err != nil {
				return
			}
		}
	}()
}
