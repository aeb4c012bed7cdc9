package testbed

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/crypto/ssh/agent"
)

// SSHAgent is a real ssh-agent(1) that listens on Socket.
type SSHAgent struct {
	Socket  string
	t       testing.TB
	process *exec.Cmd
}

// Agent starts an ssh-agent with these keys, and ends it with the test.
func Agent(t testing.TB, keys ...Key) *SSHAgent {
	t.Helper()
	Need(t, "ssh-agent")
	a := &SSHAgent{t: t, Socket: filepath.Join(SocketDir(t), "agent")}
	a.Start()
	a.Add(keys...)
	t.Cleanup(a.Stop)
	return a
}

// Start starts the agent again, empty, on the same socket.
func (a *SSHAgent) Start() {
	a.t.Helper()
	a.process = exec.Command("ssh-agent", "-D", "-a", a.Socket)
	if err := a.process.Start(); err != nil {
		a.t.Fatal(err)
	}
	WaitFor(a.t, 10*time.Second, func() error {
		conn, err := net.Dial("unix", a.Socket)
		if err == nil {
			conn.Close()
		}
		return err
	})
}

// Stop ends the agent; its keys are gone.
func (a *SSHAgent) Stop() {
	a.process.Process.Kill()
	a.process.Wait()
	os.Remove(a.Socket)
}

// Add adds keys to the agent.
func (a *SSHAgent) Add(keys ...Key) {
	a.t.Helper()
	a.do(func(client agent.ExtendedAgent) error {
		for _, key := range keys {
			if err := client.Add(agent.AddedKey{PrivateKey: key.Private, Comment: key.File}); err != nil {
				return err
			}
		}
		return nil
	})
}

// RemoveAll removes all keys from the agent.
func (a *SSHAgent) RemoveAll() {
	a.t.Helper()
	a.do(agent.ExtendedAgent.RemoveAll)
}

func (a *SSHAgent) do(f func(agent.ExtendedAgent) error) {
	a.t.Helper()
	conn, err := net.Dial("unix", a.Socket)
	if err != nil {
		a.t.Fatal(err)
	}
	defer conn.Close()
	if err := f(agent.NewClient(conn)); err != nil {
		a.t.Fatal(err)
	}
}
