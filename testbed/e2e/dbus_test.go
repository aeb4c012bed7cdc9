//go:build testbed

package e2e

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

const (
	busName   = "io.github.holdfast.Holdfast1"
	entryPath = "/io/github/holdfast/Holdfast1"
)

func busctl(args ...string) (string, error) {
	return as(append([]string{"busctl", "--user"}, args...)...)
}

// TestBusctl does with busctl what a script writer does. The daemon is not
// running: the first call starts it.
func TestBusctl(t *testing.T) {
	d := newDesk(t)
	s := testbed.StartServer(t, testbed.ServerOptions{})
	d.alias("server", s)
	local := fmt.Sprintf("127.0.0.1:%d", testbed.FreePort(t))
	target := testbed.Echo(t, "tcp", "127.0.0.1:0").String()

	if state := property("holdfastd.service", "ActiveState"); state != "inactive" {
		t.Fatalf("the daemon is %s before it is asked for anything", state)
	}
	must := func(args ...string) string {
		t.Helper()
		out, err := busctl(args...)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if out := must("get-property", busName, entryPath, busName+".Manager", "Version"); !strings.HasPrefix(out, `s "`) {
		t.Errorf("Version: %s", out)
	}
	if state := property("holdfastd.service", "ActiveState"); state != "active" {
		t.Errorf("activated, the daemon's unit is %s", state)
	}

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	monitor := exec.CommandContext(ctx, "busctl", "--user", "--json=short", "monitor", busName)
	var seen lockedBuffer
	monitor.Stdout = &seen
	if err := monitor.Start(); err != nil {
		t.Fatal(err)
	}
	// The monitor is ready once it sees a call.
	testbed.WaitFor(t, 10*time.Second, func() error {
		if must("call", busName, entryPath, "org.freedesktop.DBus.Peer", "Ping"); strings.Contains(seen.String(), "Ping") {
			return nil
		}
		return fmt.Errorf("busctl monitor shows nothing")
	})

	text := "[Tunnel]\nDestination=server\nStart=manual\nLocalForward=" + local + " " + target + "\n"
	out := must("call", busName, entryPath, busName+".Manager", "AddTunnel", "ss", "a-b.c", text)
	path := tunnelfile.ObjectPath("a-b.c")
	if strings.TrimSpace(out) != fmt.Sprintf("o %q", path) {
		t.Errorf("AddTunnel returned %s, want %s", out, path)
	}
	must("call", busName, path, busName+".Tunnel", "Start")
	testbed.WaitFor(t, 10*time.Second, func() error {
		if out := must("get-property", busName, path, busName+".Tunnel", "State"); strings.TrimSpace(out) != `s "up"` {
			return fmt.Errorf("state %s", out)
		}
		return nil
	})
	testbed.CheckEcho(t, dial(t, local), 1<<20, time.Minute)

	tree := must("tree", busName)
	if !strings.Contains(tree, path) {
		t.Errorf("tree lacks %s:\n%s", path, tree)
	}
	introspection := must("introspect", busName, path)
	for _, want := range []string{".Start", ".Stop", ".Restart", ".Reconnect", ".Statistics", ".State", ".Status", ".Forwards", ".NextTry", ".Text"} {
		if !strings.Contains(introspection, want+" ") {
			t.Errorf("introspect lacks %s", want)
		}
	}
	t.Logf("introspect:\n%s", introspection)
	if out := must("call", busName, path, busName+".Tunnel", "Statistics"); !strings.Contains(out, `"`) {
		t.Errorf("Statistics: %s", out)
	}
	must("call", busName, entryPath, busName+".Manager", "Stop", "as", "1", "a-*")
	testbed.WaitFor(t, 10*time.Second, func() error {
		if out := must("get-property", busName, path, busName+".Tunnel", "State"); strings.TrimSpace(out) != `s "inactive"` {
			return fmt.Errorf("state %s", out)
		}
		return nil
	})
	must("call", busName, entryPath, busName+".Manager", "RemoveTunnel", "s", "a-b.c")
	if out, err := busctl("call", busName, entryPath, busName+".Manager", "GetTunnel", "s", "a-b.c"); err == nil || !strings.Contains(out, "a-b.c") {
		t.Errorf("GetTunnel of one that is gone: %v, %s", err, out)
	}
	testbed.WaitFor(t, 10*time.Second, func() error {
		for _, want := range []string{"InterfacesAdded", "PropertiesChanged", "InterfacesRemoved", `"up"`} {
			if !strings.Contains(seen.String(), want) {
				return fmt.Errorf("busctl monitor showed no %s", want)
			}
		}
		return nil
	})
}

// TestIntrospectionStorm introspects from 200 clients while tunnels come and go.
func TestIntrospectionStorm(t *testing.T) {
	d := newDesk(t)
	d.holdfast("list") // starts the daemon
	pid := property("holdfastd.service", "MainPID")
	stop := make(chan struct{})
	var churn, storm sync.WaitGroup
	churn.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			name := fmt.Sprintf("t%d", i%7)
			text := "[Tunnel]\nDestination=nowhere.invalid\nStart=manual\n"
			if _, err := busctl("call", busName, entryPath, busName+".Manager", "AddTunnel", "ss", name, text); err != nil {
				t.Error(err)
				return
			}
			if _, err := busctl("call", busName, entryPath, busName+".Manager", "RemoveTunnel", "s", name); err != nil {
				t.Error(err)
				return
			}
		}
	})
	limit := make(chan struct{}, 20)
	for range 200 {
		storm.Go(func() {
			limit <- struct{}{}
			defer func() { <-limit }()
			// An object may go between being listed and being looked at; nothing else may go wrong.
			if out, err := busctl("tree", busName); err != nil && !strings.Contains(out, "no object at") {
				t.Error(err)
			}
		})
	}
	storm.Wait()
	close(stop)
	churn.Wait()
	if now := property("holdfastd.service", "MainPID"); now != pid {
		t.Errorf("the daemon died: its PID was %s and is %s", pid, now)
	}
}
