//go:build testbed

package testbed

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

func TestNetwork(t *testing.T) {
	n := NewNetwork(t)
	card := n.AddCard("lan")
	s := StartServer(t, ServerOptions{Netns: n.Netns, Addr: n.Host, User: "tester"})
	reachable := func() error {
		conn, err := net.DialTimeout("tcp", s.Addr, 300*time.Millisecond)
		if err == nil {
			conn.Close()
		}
		return err
	}
	unreachable := func() error {
		if reachable() == nil {
			return fmt.Errorf("%s still answers", s.Addr)
		}
		return nil
	}
	WaitFor(t, 20*time.Second, reachable)
	out, err := AsTester(t, append(append([]string{"ssh"}, s.Args()...), s.Destination(), "id -un")...).CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "tester" {
		t.Errorf("ssh as tester: %v, %s", err, out)
	}

	for _, c := range []struct {
		name     string
		off, on  func()
		whileOff string // NetworkManager's state of the device
	}{
		{"silence", n.Silence, n.Speak, "connected"},
		{"cable", card.Unplug, card.Plug, ""},
		{"connection", card.Down, card.Up, "disconnected"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.off()
			WaitFor(t, 20*time.Second, unreachable)
			state := Command(t, "nmcli", "-g", "GENERAL.STATE", "device", "show", "lan")
			if !strings.Contains(state, "("+c.whileOff+")") && c.whileOff != "" {
				t.Errorf("device is %s, want %s", state, c.whileOff)
			}
			c.on()
			WaitFor(t, 10*time.Second, reachable)
		})
	}

	second := n.AddCard("wifi")
	card.Down()
	WaitFor(t, 20*time.Second, reachable)
	second.Down()
	WaitFor(t, 20*time.Second, unreachable)
}
