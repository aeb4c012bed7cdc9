//go:build testbed

package e2e

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// TestMoveWhileRetrying: the waits have grown long when the machine comes to another
// network. There it is tried at once.
func TestMoveWhileRetrying(t *testing.T) {
	a := newAway(t)
	a.server.Stop()
	a.awaitWord("retrying", 20*time.Second)
	testbed.WaitFor(t, 60*time.Second, func() error {
		out, _ := holdfast("status", "away")
		for wait := 2; wait < 60; wait++ { // a machine that answers is tried every 2 s at first
			if strings.Contains(out, fmt.Sprintf("retrying [unreachable]: in %ds,", wait)) {
				return nil
			}
		}
		return fmt.Errorf("no wait yet:\n%s", out)
	})
	a.server.Start()
	start := time.Now()
	a.network.AddCard("wifi") // another address; the first stays
	added := time.Since(start)
	took := a.trip(20 * time.Second)
	figure(t, "usable %v after another network came while retrying (to bring it up took %v)", took.Round(time.Millisecond), added.Round(time.Millisecond))
	if took > 5*time.Second {
		t.Errorf("usable only %v after another network came", took)
	}
}

// TestStartWithoutNetwork: the daemon, and with it everything, starts where there is no
// network. Nothing fails, nothing is tried, and the network is all that was missing.
func TestStartWithoutNetwork(t *testing.T) {
	a := newAway(t)
	a.holdfast("down", "away")
	a.write("away", "[Tunnel]\nDestination=server\nStart=auto\nLocalForward="+a.local+" "+a.echo+"\n")
	if _, err := as("systemctl", "--user", "stop", "holdfastd"); err != nil {
		t.Fatal(err)
	}
	os.RemoveAll(runtimeDir()) // and with it that somebody had put it down
	a.card.Down()
	attempts := a.server.Attempts()
	a.awaitStatus(20*time.Second, "offline [network]: no network", "away")
	if n := a.server.Attempts() - attempts; n != 0 {
		t.Errorf("%d attempts without a network", n)
	}
	// The daemon says what it has decided a moment before systemd has done it.
	testbed.WaitFor(t, 10*time.Second, func() error {
		if state := property(tunnelfile.SocketName("away"), "ActiveState"); state != "active" {
			return fmt.Errorf("its socket is %s without a network", state)
		}
		return nil
	})
	a.card.Up()
	took := a.trip(20 * time.Second)
	figure(t, "first usable %v after the network came", took.Round(time.Millisecond))
}

// TestDownWhileOffline: who puts a tunnel down while there is no network finds it down when there is one.
func TestDownWhileOffline(t *testing.T) {
	a := newAway(t)
	a.card.Down()
	a.awaitWord("offline", 10*time.Second)
	a.holdfast("down", "away")
	a.awaitWord("inactive", 10*time.Second)
	a.card.Up()
	a.quiet(2*time.Second, "after holdfast down")
	if now := state("away"); now != "inactive" {
		t.Errorf("it is %s", now)
	}
	if units := a.units(); len(units) > 0 {
		t.Errorf("units run: %v", units)
	}
	a.holdfast("up", "away")
	a.trip(10 * time.Second)
}

// TestNameResolvesLate: DNS comes some seconds after the network does.
func TestNameResolvesLate(t *testing.T) {
	a := newAway(t)
	names := a.network.NameServer()
	testbed.Command(t, "nmcli", "connection", "modify", "lan", "ipv4.dns", a.network.Host)
	a.card.Up()
	a.write("away", "[Tunnel]\nDestination=server\nStart=manual\nLocalForward="+a.local+" "+a.echo+
		"\n[SSH]\nHostName=late.holdfast.test\nHostKeyAlias=["+a.network.Host+"]:"+fmt.Sprint(a.server.Port)+"\n")
	a.holdfast("restart", "away")
	a.awaitWord("up", 20*time.Second)
	a.trip(10 * time.Second)

	a.card.Down()
	a.awaitWord("offline", 10*time.Second)
	a.server.KillSessions(syscall.SIGKILL)
	names.Fail(true)
	a.card.Up()
	a.quiet(5*time.Second, "whose name does not resolve")
	a.awaitWord("retrying", 10*time.Second)
	names.Fail(false)
	took := a.trip(20 * time.Second)
	figure(t, "usable %v after the name resolved, 5 s after the network came", took.Round(time.Millisecond))
	if took > 3*time.Second {
		t.Errorf("usable only %v after the name resolved; it is looked up every 0.5 s", took)
	}
}

// TestOtherConnectionComes: a VPN or a bridge comes up and goes. The way to the server is
// the same, and so must be the connection.
func TestOtherConnectionComes(t *testing.T) {
	a := newAway(t)
	k := a.talk()
	k.goesOn(t, 10*time.Second)
	testbed.Command(t, "ip", "link", "add", "office", "type", "veth", "peer", "name", "officep", "netns", a.network.Netns)
	testbed.Command(t, "ip", "-n", a.network.Netns, "link", "set", "officep", "up")
	testbed.Command(t, "nmcli", "connection", "add", "type", "ethernet", "ifname", "office", "con-name", "office", "autoconnect", "no",
		"ipv4.method", "manual", "ipv4.addresses", "203.0.113.7/24", "ipv4.never-default", "yes", "ipv6.method", "disabled")
	t.Cleanup(func() {
		testbed.Output("nmcli", "connection", "delete", "office")
		testbed.Output("ip", "link", "del", "office")
	})
	for range 3 {
		testbed.Command(t, "nmcli", "--wait", "20", "connection", "up", "office")
		k.goesOn(t, 10*time.Second)
		testbed.Command(t, "nmcli", "--wait", "20", "connection", "down", "office")
		k.goesOn(t, 10*time.Second)
	}
	a.awaitWord("up", 10*time.Second)
	if n := a.server.Logins(); n != 1 {
		t.Errorf("%d logins, want the first one only", n)
	}
}

// TestNetworkFlaps: down and up in quick succession, as with a bad plug. It ends well, and
// the server is not troubled more often than the network came.
func TestNetworkFlaps(t *testing.T) {
	a := newAway(t)
	const flaps = 5
	for range flaps {
		a.card.Down()
		a.card.Up()
	}
	took := a.trip(20 * time.Second)
	a.awaitWord("up", 20*time.Second)
	figure(t, "usable %v after %d flaps, %d attempts", took.Round(time.Millisecond), flaps, a.server.Attempts())
	if n := a.server.Attempts(); n > 1+flaps {
		t.Errorf("%d attempts for %d flaps", n, flaps)
	}
}

// TestNetworkGoesWithoutDaemon: nobody watches the network while it goes and comes. The
// tunnel helps itself, and a daemon that comes later sees it as it is.
func TestNetworkGoesWithoutDaemon(t *testing.T) {
	a := newAway(t)
	k := a.talk()
	k.goesOn(t, 10*time.Second)
	if _, err := as("systemctl", "--user", "stop", "holdfastd"); err != nil {
		t.Fatal(err)
	}
	a.card.Down()
	<-time.After(8 * time.Second)
	a.card.Up()
	took := a.trip(40 * time.Second)
	figure(t, "usable %v after the network came, with no daemon to tell of it", took.Round(time.Millisecond))
	a.awaitWord("up", 20*time.Second)

	// And one that starts while the network is away holds what is up.
	if _, err := as("systemctl", "--user", "stop", "holdfastd"); err != nil {
		t.Fatal(err)
	}
	a.card.Down()
	a.awaitStatus(20*time.Second, "offline [network]: no network", "away")
	a.card.Up()
	a.trip(20 * time.Second)
	a.awaitWord("up", 20*time.Second)
}
