//go:build testbed

package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

const passphrase = "open, sesame seed"

// lockedTunnel is a tunnel whose key has a passphrase that nobody is there to give.
func (d *desk) lockedTunnel(t *testing.T, name string, transport tunnelfile.Transport, serverConfig ...string) *testbed.Server {
	t.Helper()
	s := testbed.StartServer(t, testbed.ServerOptions{Config: serverConfig})
	locked := testbed.NewKey(t, filepath.Join(s.Dir, "locked"), "ed25519", passphrase)
	s.Authorize(locked.AuthorizedKey())
	d.write(name, fmt.Sprintf("[Tunnel]\nDestination=%s\nLocalForward=127.0.0.1:%d 127.0.0.1:9\nStart=manual\nTransport=%s\n\n"+
		"[SSH]\nIdentityFile=%s\nIdentitiesOnly=yes\nIdentityAgent=none\nUserKnownHostsFile=%s\n",
		s.Destination(), testbed.FreePort(t), transport, locked.File, s.KnownHosts))
	return s
}

// anAgent is an Agent made of one function, which counts what it is asked.
type anAgent struct {
	client  *dbusapi.Client
	asked   chan string // prompts
	dropped chan string // prompts that were taken back
	answer  func(ctx context.Context) (string, error)
}

func (a anAgent) Ask(ctx context.Context, tunnel, kind, prompt string, echo bool) (string, error) {
	a.asked <- fmt.Sprintf("%s %s %v %s", tunnel, kind, echo, prompt)
	answer, err := a.answer(ctx)
	if ctx.Err() != nil {
		a.dropped <- prompt
	}
	return answer, err
}

func (a anAgent) Confirm(ctx context.Context, tunnel, kind, prompt string) (bool, error) {
	a.asked <- fmt.Sprintf("%s %s %s", tunnel, kind, prompt)
	return false, nil
}

// register makes an agent on a bus connection of its own.
func register(t *testing.T, answer func(context.Context) (string, error)) anAgent {
	t.Helper()
	client, err := dbusapi.Dial(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	a := anAgent{client: client, asked: make(chan string, 64), dropped: make(chan string, 64), answer: answer}
	if err := client.RegisterAgent(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	return a
}

func one(t *testing.T, what string, from <-chan string) string {
	t.Helper()
	select {
	case text := <-from:
		return text
	case <-time.After(20 * time.Second):
		t.Fatal("not within 20 s: " + what)
		return ""
	}
}

// inUnit are the processes in a tunnel's control group.
func inUnit(t *testing.T, name string) []string {
	t.Helper()
	group := property(tunnelfile.ServiceName(name), "ControlGroup")
	pids, err := os.ReadFile("/sys/fs/cgroup" + group + "/cgroup.procs")
	if err != nil {
		t.Fatal(err)
	}
	var commands []string
	for _, pid := range strings.Fields(string(pids)) {
		argv, _ := os.ReadFile("/proc/" + pid + "/cmdline")
		commands = append(commands, strings.ReplaceAll(strings.TrimRight(string(argv), "\x00"), "\x00", " "))
	}
	return commands
}

// TestAgents has agents that fail a tunnel in each way that an agent can.
func TestAgents(t *testing.T) {
	testbed.NeedBox(t)
	for _, transport := range []tunnelfile.Transport{tunnelfile.TransportNative, tunnelfile.TransportOpenSSH} {
		t.Run(string(transport), func(t *testing.T) {
			d := newDesk(t)
			d.holdfast("version")
			begin := func(t *testing.T, name string, config ...string) *testbed.Server {
				t.Helper()
				s := d.lockedTunnel(t, name, transport, config...)
				d.holdfast("up", "--no-wait", name)
				// The next agent is not to be asked for this one.
				t.Cleanup(func() { d.holdfast("down", name) })
				return s
			}
			// blocked wants the tunnel to wait for a person, to say for what, and to leave nothing behind.
			blocked := func(t *testing.T, name, says string, s *testbed.Server) {
				t.Helper()
				shown := d.awaitStatus(name, tunnelfile.Blocked, 20*time.Second)
				if !strings.Contains(shown.Status, says) {
					t.Errorf("%s says %q, want %q", name, shown.Status, says)
				}
				testbed.WaitFor(t, 10*time.Second, func() error {
					if left := inUnit(t, name); len(left) != 1 || !strings.Contains(left[0], "holdfast-tunnel") {
						return fmt.Errorf("left: %q", left)
					}
					return nil
				})
				if n := s.Attempts(); n != 1 {
					t.Errorf("%s: the server was asked %d times", name, n)
				}
			}

			t.Run("slow", func(t *testing.T) {
				think := make(chan struct{})
				agent := register(t, func(context.Context) (string, error) {
					<-think
					return passphrase, nil
				})
				begin(t, "slow")
				one(t, "a question", agent.asked)
				d.awaitStatus("slow", tunnelfile.Connecting, 10*time.Second, "(waiting for an answer)")
				close(think)
				if shown := d.awaitStatus("slow", tunnelfile.Up, 20*time.Second); strings.Contains(shown.Status, "waiting") {
					t.Errorf("up: %s", shown.Status)
				}
				agent.client.Close()
			})

			t.Run("nobody", func(t *testing.T) {
				start := time.Now()
				s := begin(t, "nobody")
				blocked(t, "nobody", "needs a passphrase for "+s.Dir+"/locked", s)
				if took := time.Since(start); took > 10*time.Second {
					t.Errorf("took %s to say so", took)
				}
				// It goes on when there is somebody.
				agent := register(t, func(context.Context) (string, error) { return passphrase, nil })
				if got := one(t, "a question", agent.asked); !strings.HasPrefix(got, "nobody passphrase false Enter passphrase for key '"+s.Dir+"/locked'") {
					t.Errorf("asked %q", got)
				}
				d.awaitStatus("nobody", tunnelfile.Up, 20*time.Second)
			})

			t.Run("wrong", func(t *testing.T) {
				agent := register(t, func(context.Context) (string, error) { return "guess", nil })
				s := begin(t, "wrong")
				blocked(t, "wrong", "was given a wrong passphrase for "+s.Dir+"/locked", s)
				if n := len(agent.asked); n != 3 { // NumberOfPasswordPrompts
					t.Errorf("asked %d times", n)
				}
			})

			t.Run("no", func(t *testing.T) {
				agent := register(t, func(context.Context) (string, error) {
					return "", fmt.Errorf("%w: not now", listing.ErrRefused)
				})
				other := register(t, func(context.Context) (string, error) {
					return "", fmt.Errorf("%w: not now", listing.ErrRefused)
				})
				s := begin(t, "no")
				blocked(t, "no", "needs a passphrase for "+s.Dir+"/locked; the question was declined", s)
				if len(agent.asked) != 0 || len(other.asked) != 1 {
					t.Errorf("one person's no: the agents were asked %d and %d times", len(agent.asked), len(other.asked))
				}
			})

			t.Run("disappears", func(t *testing.T) {
				second := register(t, func(context.Context) (string, error) { return passphrase, nil })
				var first anAgent
				first = register(t, func(ctx context.Context) (string, error) {
					first.client.Close()
					<-ctx.Done()
					return "", ctx.Err()
				})
				begin(t, "disappears")
				one(t, "a question to the first", first.asked)
				one(t, "the same to the second", second.asked)
				d.awaitStatus("disappears", tunnelfile.Up, 20*time.Second)
			})

			t.Run("disappears, the only one", func(t *testing.T) {
				var only anAgent
				only = register(t, func(ctx context.Context) (string, error) {
					only.client.Close()
					<-ctx.Done()
					return "", ctx.Err()
				})
				s := begin(t, "alone")
				one(t, "a question", only.asked)
				blocked(t, "alone", "needs a passphrase for "+s.Dir+"/locked", s)
			})

			t.Run("never answers", func(t *testing.T) {
				silent := register(t, func(ctx context.Context) (string, error) {
					<-ctx.Done()
					return "", ctx.Err()
				})
				s := begin(t, "silent", "LoginGraceTime 3")
				one(t, "a question", silent.asked)
				if transport == tunnelfile.TransportNative {
					blocked(t, "silent", "needs a passphrase for "+s.Dir+"/locked; nobody answered before the server hung up", s)
				} else {
					// ssh does not hear the server while it asks: the question's own limit ends it, of
					// which worker's tests know. Here it ends with the tunnel.
					d.holdfast("down", "silent")
				}
				one(t, "the end of the question", silent.dropped)
				if len(silent.asked) != 0 {
					t.Errorf("asked %d times more", len(silent.asked))
				}
			})
			if text := d.journal("holdfastd", "holdfast-tunnel@*"); strings.Contains(text, passphrase) || strings.Contains(text, "guess") {
				t.Error("an answer is in the journal:\n" + text)
			}
		})
	}
}

// TestDaemonDiesWhileAsking wants the tunnel to be asked for anew by the daemon that comes next.
func TestDaemonDiesWhileAsking(t *testing.T) {
	testbed.NeedBox(t)
	d := newDesk(t)
	d.holdfast("version")
	s := d.lockedTunnel(t, "asks", tunnelfile.TransportNative)
	silent := register(t, func(ctx context.Context) (string, error) {
		<-ctx.Done()
		return "", ctx.Err()
	})
	d.holdfast("up", "--no-wait", "asks")
	one(t, "a question", silent.asked)
	if _, err := as("systemctl", "--user", "kill", "--signal=KILL", "holdfastd"); err != nil {
		t.Fatal(err)
	}
	shown := d.awaitStatus("asks", tunnelfile.Blocked, 30*time.Second)
	if !strings.Contains(shown.Status, "needs a passphrase for "+s.Dir+"/locked") {
		t.Errorf("says %q", shown.Status)
	}
	answering := register(t, func(context.Context) (string, error) { return passphrase, nil })
	one(t, "a question after the daemon's death", answering.asked)
	d.awaitStatus("asks", tunnelfile.Up, 20*time.Second)
	if err := silent.client.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		t.Log(err)
	}
}
