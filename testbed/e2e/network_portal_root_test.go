//go:build testbed

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
)

// awaitStatus waits until holdfast status of the tunnel, or of all, contains the words.
func (a *away) awaitStatus(deadline time.Duration, words string, args ...string) time.Duration {
	a.Helper()
	start := time.Now()
	testbed.WaitFor(a, deadline, func() error {
		out, err := holdfast(append([]string{"status"}, args...)...)
		if err != nil && exitStatus(err) != 4 {
			return err
		}
		if !strings.Contains(out, words) {
			return fmt.Errorf("status does not say %q:\n%s", words, out)
		}
		return nil
	})
	return time.Since(start)
}

// quiet fails the test if anybody comes to the server in the time.
func (a *away) quiet(d time.Duration, when string) {
	a.Helper()
	before := a.server.Attempts()
	<-time.After(d)
	if n := a.server.Attempts() - before; n != 0 {
		a.Errorf("%d attempts at the server %s", n, when)
	}
}

// TestPortalAndLimited: NetworkManager's check finds a captive portal, then nothing,
// then the Internet, while sshd itself could be reached all the time.
func TestPortalAndLimited(t *testing.T) {
	a := newAway(t)
	check := a.network.CheckConnectivity()
	check.Check()
	a.awaitStatus(10*time.Second, "network online (NetworkManager)")
	for _, c := range []struct {
		name    string
		begin   func()
		network string
		word    string
		reason  string
	}{
		{"portal", check.Portal, "network portal (NetworkManager)", "portal", "captive portal on 'lan'"},
		{"limited", check.Limited, "network limited (NetworkManager)", "network", "no Internet on 'lan'"},
	} {
		t.Run(c.name, func(t *testing.T) {
			logins := a.server.Logins()
			c.begin()
			word := strings.TrimSpace(check.Check())
			a.awaitWord("offline", 10*time.Second)
			a.awaitStatus(10*time.Second, c.reason, "away")
			a.awaitStatus(10*time.Second, c.network)
			// Nobody is troubled, not even when the connection that was there ends.
			a.server.KillSessions(9)
			a.quiet(3*time.Second, "behind a "+c.name)
			a.awaitStatus(5*time.Second, "offline ["+c.word+"]: "+c.reason, "away")

			check.Full()
			check.Check()
			took := a.trip(20 * time.Second)
			a.awaitWord("up", 10*time.Second)
			figure(t, "%s (NetworkManager's word: %s): usable %v after it was over", c.name, word, took.Round(time.Millisecond))
			if took > 5*time.Second {
				t.Errorf("usable only %v after the %s", took, c.name)
			}
			if n := a.server.Logins() - logins; n != 1 {
				t.Errorf("%d logins, want one", n)
			}
		})
	}
}

// TestArriveAtPortal: a laptop is opened in a hotel. From nothing to a portal there is
// not one attempt, and somebody who logs in at the portal has the tunnel.
func TestArriveAtPortal(t *testing.T) {
	a := newAway(t)
	check := a.network.CheckConnectivity()
	check.Check()
	a.card.Down()
	a.awaitWord("offline", 10*time.Second)
	a.server.KillSessions(9)
	check.Portal()
	attempts := a.server.Attempts()
	a.card.Up()
	a.awaitStatus(20*time.Second, "offline [portal]: captive portal on 'lan'", "away")
	a.quiet(2*time.Second, "behind a portal")
	if n := a.server.Attempts() - attempts; n != 0 {
		t.Errorf("%d attempts on arriving", n)
	}
	check.Full()
	check.Check()
	figure(t, "usable %v after the portal let us through", a.trip(20*time.Second).Round(time.Millisecond))
}
