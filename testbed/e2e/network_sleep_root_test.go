//go:build testbed

package e2e

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
)

// sleepy is a desk whose machine can go to sleep, by a stand-in for logind on a system
// bus of its own. NetworkManager is not on that bus: the kernel tells of the network.
type sleepy struct {
	*away
	logind *testbed.Logind
	lock   *testbed.Lock
}

func newSleepy(t *testing.T) *sleepy {
	t.Helper()
	address, _ := testbed.PrivateBus(t)
	s := &sleepy{logind: testbed.NewLogind(t, address)}
	if _, err := as("systemctl", "--user", "set-environment", "DBUS_SYSTEM_BUS_ADDRESS="+address); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { as("systemctl", "--user", "unset-environment", "DBUS_SYSTEM_BUS_ADDRESS") })
	s.away = newAway(t)
	s.lock = s.logind.Lock(20 * time.Second)
	return s
}

// sleep sends the machine to sleep, once the daemon lets it.
func (s *sleepy) sleep() {
	s.Helper()
	s.logind.PrepareForSleep(true)
	released := s.lock.Released(10 * time.Second)
	figure(s, "the machine may sleep %v after it wanted to", released.Round(time.Millisecond))
	if released > 2500*time.Millisecond {
		s.Errorf("the daemon held sleep up for %v", released)
	}
	s.awaitStatus(10*time.Second, "offline [sleep]: this machine goes to sleep", "away")
}

// wake wakes the machine; the daemon takes an inhibitor for the next sleep.
func (s *sleepy) wake() {
	s.Helper()
	s.logind.PrepareForSleep(false)
	s.lock = s.logind.Lock(20 * time.Second)
}

// TestResumeWell: nothing was lost in the sleep, so nothing is dropped after it.
func TestResumeWell(t *testing.T) {
	s := newSleepy(t)
	k := s.talk()
	for range 2 {
		k.goesOn(t, 10*time.Second)
		s.sleep()
		s.wake()
		figure(t, "up %v after waking", s.awaitWord("up", 10*time.Second).Round(time.Millisecond))
		k.goesOn(t, 10*time.Second)
	}
	if n := s.server.Logins(); n != 1 {
		t.Errorf("%d logins, want the first one only", n)
	}
	testbed.WaitFor(t, 10*time.Second, func() error { // the journal may be a moment behind
		if past := s.history("away"); len(past.Outages) > 0 || past.Up == 0 {
			return fmt.Errorf("sleep is no outage: %+v", past)
		}
		return nil
	})
}

// TestResumeToDeadServer: the server's end died in the sleep and says nothing. The probe
// finds it, long before the next keepalive would: nothing uses the tunnel.
func TestResumeToDeadServer(t *testing.T) {
	s := newSleepy(t)
	s.trip(10 * time.Second)
	s.sleep()
	s.server.KillSessions(syscall.SIGSTOP)
	s.wake()
	start := time.Now()
	testbed.WaitFor(t, 30*time.Second, func() error {
		if s.server.Logins() < 2 {
			return fmt.Errorf("no new connection")
		}
		return nil
	})
	took := time.Since(start)
	figure(t, "connected anew %v after waking to a server that says nothing", took.Round(time.Millisecond))
	// A keepalive is sent after 10 s of silence and missed 2 s later.
	if took > 9*time.Second {
		t.Errorf("it took %v: nothing was sent on waking", took)
	}
	s.trip(20 * time.Second)
}

// TestResumeElsewhere: asleep in one network, awake in another.
func TestResumeElsewhere(t *testing.T) {
	s := newSleepy(t)
	s.trip(10 * time.Second)
	s.sleep()
	s.card.Down()
	s.network.AddCard("cafe")
	s.quiet(time.Second, "while the machine sleeps")
	s.wake()
	took := s.trip(20 * time.Second)
	figure(t, "usable %v after waking in another network", took.Round(time.Millisecond))
	if took > 6*time.Second {
		t.Errorf("usable only after %v; the goal is 1.5 s", took)
	}
}

// TestKilledWhileMachineWaits: the daemon dies after it was told of the sleep and before
// it let the machine go. The machine goes, the tunnel lives, and the next daemon is asked again.
func TestKilledWhileMachineWaits(t *testing.T) {
	s := newSleepy(t)
	k := s.talk()
	k.goesOn(t, 10*time.Second)
	daemon := mainPID(t, "holdfastd.service")
	syscall.Kill(daemon, syscall.SIGSTOP) // so that it cannot be quicker than us
	s.logind.PrepareForSleep(true)
	if !s.lock.Held(300 * time.Millisecond) {
		t.Fatal("the lock is not what holds the machine up")
	}
	syscall.Kill(daemon, syscall.SIGKILL)
	figure(t, "the machine may sleep %v after the daemon was killed", s.lock.Released(10*time.Second).Round(time.Millisecond))
	s.wake()
	k.goesOn(t, 10*time.Second)
	s.sleep()
	s.wake()
	s.awaitWord("up", 10*time.Second)
	k.goesOn(t, 10*time.Second)
	if n := s.server.Logins(); n != 1 {
		t.Errorf("%d logins, want the first one only", n)
	}
}
