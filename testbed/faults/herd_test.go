package faults

import (
	"fmt"
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

// herd is how many tunnels go to one server.
const herd = 50

// startHerd starts many tunnels to a server, which share a runtime directory, and
// waits until all are up.
func startHerd(t *testing.T, s *testbed.Server) (sockets []string) {
	t.Helper()
	program, runtime, dir := tunnelProgram(t), testbed.SocketDir(t), t.TempDir()
	for i := range herd {
		name := fmt.Sprintf("t%d", i)
		path := filepath.Join(dir, name+".tunnel")
		text := "[Tunnel]\nDestination=" + s.Host + "\nGateTime=1s\n[SSH]\n" + strings.Join(s.SSHSettings(), "\n") + "\n"
		if err := tunnelfile.Write(path, text); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(program, path)
		cmd.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+runtime)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
		sockets = append(sockets, tunnelfile.ReportSocket(filepath.Join(runtime, tunnelfile.RuntimeDirName), name))
	}
	untilAllUp(t, sockets, 0, time.Minute)
	return sockets
}

// untilAllUp waits until each tunnel has a connection later than its first few.
func untilAllUp(t *testing.T, sockets []string, reconnects uint64, deadline time.Duration) {
	t.Helper()
	up := make(map[string]bool)
	testbed.WaitFor(t, deadline, func() error {
		last := ""
		for _, socket := range sockets {
			if up[socket] {
				continue
			}
			r, err := askReport(socket)
			if err == nil && r.State == tunnelfile.Up && r.Reconnects >= reconnects {
				up[socket] = true
			} else {
				last = fmt.Sprintf("%s: %s (%v)", r.State, r.Status, err)
			}
		}
		if len(up) < len(sockets) {
			return fmt.Errorf("%d of %d are up; another says %s", len(up), len(sockets), last)
		}
		return nil
	})
}

// attempts is how many connections have reached the server, those included that it
// dropped for MaxStartups.
func attempts(s *testbed.Server) int {
	return s.Attempts() + strings.Count(s.Log(), "drop connection")
}

// TestHerd restarts a server that fifty tunnels go to.
func TestHerd(t *testing.T) {
	for _, c := range []struct {
		startups string
		down     time.Duration
		attempts int
	}{
		{"10:30:100", 10 * time.Second, 75},
		{"3:100:3", 0, 100},
	} {
		t.Run(fmt.Sprintf("MaxStartups %s, down for %v", c.startups, c.down), func(t *testing.T) {
			s := testbed.StartServer(t, testbed.ServerOptions{Config: []string{"MaxStartups " + c.startups}})
			sockets := startHerd(t, s)
			first := attempts(s)
			s.Stop()
			if c.down > 0 {
				timer := time.NewTimer(c.down)
				<-timer.C
			}
			s.Start()
			start, before := time.Now(), attempts(s)
			untilAllUp(t, sockets, 1, 2*time.Minute)
			took, made := time.Since(start), attempts(s)-before
			fmt.Printf("MaxStartups %s, %d tunnels: first start with %d attempts; after %v without a server all up in %.1f s with %d attempts\n",
				c.startups, herd, first, c.down, took.Seconds(), made)
			if made >= c.attempts {
				t.Errorf("%d attempts reached the server, want fewer than %d", made, c.attempts)
			}
		})
	}
}

// TestWrongKey counts the attempts that reach a server which does not know the key;
// autossh's count in the same time stands beside it. HOLDFAST_WRONG_KEY is how long (15s).
func TestWrongKey(t *testing.T) {
	stranger := testbed.NewKey(t, filepath.Join(t.TempDir(), "stranger"), "ed25519", "")
	begin := func(by func(testing.TB, way) *contender) (*contender, *testbed.Server) {
		s := testbed.StartServer(t, testbed.ServerOptions{})
		settings := s.SSHSettings()
		for i, line := range settings {
			if strings.HasPrefix(line, "IdentityFile=") {
				settings[i] = "IdentityFile=" + stranger.File
			}
		}
		c := by(t, way{destination: s.Host, settings: settings, target: "127.0.0.1:1", back: "127.0.0.1:1"})
		c.run(t)
		return c, s
	}
	ours, server := begin(func(t testing.TB, w way) *contender { return holdfast(t, w) })
	var others *testbed.Server
	if _, err := exec.LookPath("autossh"); err == nil {
		_, others = begin(autossh)
	}
	wrongKeyFor := 15 * time.Second
	if v := os.Getenv("HOLDFAST_WRONG_KEY"); v != "" {
		var err error
		if wrongKeyFor, err = time.ParseDuration(v); err != nil {
			t.Fatal(err)
		}
	}
	end := time.NewTimer(wrongKeyFor)
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for over := false; !over; {
		select {
		case <-ticker.C:
			ours.signal(syscall.SIGUSR1) // the network changes all the time, which mends no key
		case <-end.C:
			over = true
		}
	}
	n := attempts(server)
	fmt.Printf("wrong key for %v: %d attempts by holdfast", wrongKeyFor, n)
	if others != nil {
		fmt.Printf(", %d by autossh", attempts(others))
	}
	fmt.Println()
	if n < 1 || n > 3 {
		t.Errorf("%d attempts reached the server, want 1 to 3", n)
	}
}
