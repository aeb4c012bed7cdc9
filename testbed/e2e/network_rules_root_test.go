//go:build testbed

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
)

// rule writes the tunnel's file anew, with more lines in [Tunnel].
func (a *away) rule(lines ...string) {
	a.Helper()
	a.write("away", "[Tunnel]\nDestination=server\nStart=manual\nLocalForward="+a.local+" "+a.echo+"\n"+strings.Join(lines, "\n")+"\n")
}

// keptDown waits until status and explain both name the rule, and sees that nothing of
// the tunnel runs.
func (a *away) keptDown(reason string) {
	a.Helper()
	took := a.awaitWord("offline", 15*time.Second)
	figure(a, "kept down %v after the network changed: %s", took.Round(time.Millisecond), reason)
	a.awaitStatus(10*time.Second, "offline [rule]: "+reason, "away")
	if out := a.holdfast("explain", "away"); !strings.Contains(out, "away is offline [rule]: "+reason) {
		a.Errorf("explain does not say why it is down:\n%s", out)
	}
	testbed.WaitFor(a, 10*time.Second, func() error {
		if units := a.units(); len(units) > 0 {
			return fmt.Errorf("units run: %v", units)
		}
		return nil
	})
	a.quiet(time.Second, "while a rule keeps the tunnel down")
}

// TestOnlyOn: with its connection the tunnel comes, and with it it goes.
func TestOnlyOn(t *testing.T) {
	a := newAway(t)
	a.rule("OnlyOn=Office home-*")
	a.keptDown("OnlyOn=Office home-*: on 'lan' now")
	home := a.network.AddCard("home-5g")
	figure(t, "up %v after its connection", a.awaitWord("up", 15*time.Second).Round(time.Millisecond))
	a.trip(10 * time.Second)
	home.Down()
	a.keptDown("OnlyOn=Office home-*: on 'lan' now")
	home.Up()
	a.awaitWord("up", 15*time.Second)
	a.trip(10 * time.Second)
}

// TestNeverOn: on a connection that is named the tunnel is down, on every other one it is up.
func TestNeverOn(t *testing.T) {
	a := newAway(t)
	a.rule("NeverOn=Hotel*")
	a.awaitWord("up", 15*time.Second)
	a.trip(10 * time.Second)
	hotel := a.network.AddCard("Hotel5")
	a.keptDown("NeverOn=Hotel*: on 'Hotel5' now")
	hotel.Down()
	figure(t, "up %v after that connection", a.awaitWord("up", 15*time.Second).Round(time.Millisecond))
	a.trip(10 * time.Second)
}

// TestMetered: Metered=no, and a person tells NetworkManager that the network costs money.
func TestMetered(t *testing.T) {
	a := newAway(t)
	a.rule("Metered=no")
	a.awaitWord("up", 15*time.Second)
	meter := func(value string) {
		testbed.Command(t, "nmcli", "connection", "modify", "lan", "connection.metered", value)
		testbed.Command(t, "nmcli", "device", "reapply", "lan")
	}
	meter("yes")
	a.keptDown("Metered=no: 'lan' is metered")
	meter("no")
	figure(t, "up %v after the network was free", a.awaitWord("up", 15*time.Second).Round(time.Millisecond))
	a.trip(10 * time.Second)
}
