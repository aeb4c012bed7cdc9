//go:build testbed

package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// TestWayOfItsOwn: what NetworkManager says is about the way to the Internet. A neighbour, by
// address and by a name of the hosts file, and a server behind a command are tried whatever it
// says, and a connection that is lost is made anew; what goes over the default route waits.
func TestWayOfItsOwn(t *testing.T) {
	a := newAway(t)
	near := testbed.StartServer(t, testbed.ServerOptions{Netns: a.network.Netns, Addr: a.card.Gateway, User: "tester"})
	hosts, err := os.ReadFile("/etc/hosts")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.WriteFile("/etc/hosts", hosts, 0o644) })
	if err := os.WriteFile("/etc/hosts", fmt.Appendf(hosts, "\n%s neighbour.test\n", a.card.Gateway), 0o644); err != nil {
		t.Fatal(err)
	}
	here := testbed.StartServer(t, testbed.ServerOptions{User: "tester"})
	a.alias("near", near)
	a.alias("here", here)
	for name, extra := range map[string]string{
		"near":    "Destination=near\n",
		"named":   "Destination=near\n[SSH]\nHostName=neighbour.test\nStrictHostKeyChecking=no\n",
		"command": "Destination=here\n[SSH]\nHostName=far.invalid\nStrictHostKeyChecking=no\nProxyCommand=bash -c 'exec 3<>/dev/tcp/" + here.Host + "/%p; cat <&3 & cat >&3'\n",
	} {
		a.write(name, "[Tunnel]\nRemoteForward=0 127.0.0.1:1\n"+extra)
	}
	check := a.network.CheckConnectivity()
	for _, c := range []struct {
		word   string
		begin  func()
		reason string
	}{{"limited", check.Limited, "network"}, {"portal", check.Portal, "portal"}} {
		t.Run(c.word, func(t *testing.T) {
			c.begin()
			check.Check()
			a.awaitStatus(20*time.Second, "network "+c.word+" (NetworkManager)")
			for _, name := range []string{"near", "named", "command"} {
				a.awaitState(name, tunnelfile.Up, 20*time.Second)
			}
			near.KillSessions(9)
			here.KillSessions(9)
			a.server.KillSessions(9)
			for _, name := range []string{"near", "named", "command"} {
				a.awaitState(name, tunnelfile.Up, 20*time.Second)
			}
			a.awaitStatus(10*time.Second, "offline ["+c.reason+"]: ", "away")
			a.quiet(2*time.Second, "which is reached over the way that is gone")
		})
	}
	a.card.Down()
	a.awaitStatus(20*time.Second, "network offline (NetworkManager)")
	a.awaitState("near", tunnelfile.Offline, 20*time.Second)
	here.KillSessions(9)
	a.awaitState("command", tunnelfile.Up, 20*time.Second)
	if out, _ := holdfast("status", "near"); !strings.Contains(strings.Join(strings.Fields(out), " "), "it goes on by itself once there is a way to the server") {
		t.Errorf("status does not say what near waits for:\n%s", out)
	}
}
