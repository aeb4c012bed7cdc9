//go:build testbed

package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// pastTunnel is what holdfast --json history says of a tunnel.
type pastTunnel struct {
	Availability *float64 `json:"availability"`
	Up           float64  `json:"up"`
	Down         float64  `json:"down"`
	Outages      []struct {
		Began  time.Time  `json:"began"`
		Ended  *time.Time `json:"ended"`
		Lasted float64    `json:"lasted"`
		State  string     `json:"state"`
		Why    string     `json:"why"`
	} `json:"outages"`
}

func (d *desk) history(name string) (past pastTunnel) {
	d.Helper()
	out := d.holdfast("--json", "history", name, "--since", fmt.Sprintf("@%d", d.since.Unix()))
	var all struct {
		Tunnels []pastTunnel `json:"tunnels"`
	}
	if err := json.Unmarshal([]byte(out), &all); err != nil || len(all.Tunnels) != 1 {
		d.Fatalf("%v: %s", err, out)
	}
	return all.Tunnels[0]
}

// TestHistory: a server that goes and comes back and a program that is killed are outages; a
// daemon's restart, and what a person stops, are none.
func TestHistory(t *testing.T) {
	d := newDesk(t)
	s, _ := d.echoTunnel(t, "past", "Start=manual\nRetryMax=1s\n")
	// between is when something happened, by this test's clock.
	type between struct{ before, after time.Time }
	during := func(f func()) (b between) {
		b.before = time.Now()
		f()
		b.after = time.Now()
		return b
	}
	up := func() { d.awaitState("past", tunnelfile.Up, 20*time.Second) }

	first := during(func() { d.holdfast("up", "past") })
	d.awaitStatus("past", tunnelfile.Up, 20*time.Second, "rtt") // a server that owes an answer resets the connection
	wentAway := during(func() {
		s.Stop()
		d.awaitState("past", tunnelfile.Retrying, 20*time.Second)
	})
	cameBack := during(func() { s.Start(); up() })
	d.holdfast("status") // it is up whoever looks
	if _, err := as("systemctl", "--user", "restart", "holdfastd"); err != nil {
		t.Fatal(err)
	}
	up()
	killed := during(func() {
		if err := syscall.Kill(mainPID(t, tunnelfile.ServiceName("past")), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		d.awaitState("past", tunnelfile.Retrying, 10*time.Second)
	})
	restarted := during(up)
	stopped := during(func() { d.holdfast("down", "past") })
	again := during(func() { d.holdfast("up", "past") })
	d.holdfast("restart", "past")

	var past pastTunnel
	var now between
	testbed.WaitFor(t, 10*time.Second, func() error { // the journal may be a moment behind
		now = during(func() { past = d.history("past") })
		if len(past.Outages) != 2 {
			return fmt.Errorf("%d outages: %+v", len(past.Outages), past)
		}
		return nil
	})
	in := func(what string, at time.Time, b between) {
		t.Helper()
		// Where the journal stamps what it was told a moment before.
		if at.Before(b.before) || at.After(b.after.Add(500*time.Millisecond)) {
			t.Errorf("%s at %v, not between %v and %v", what, at, b.before, b.after)
		}
	}
	down := 0.0
	for i, want := range []struct {
		began, ended between
		why          string
	}{{wentAway, cameBack, "closed the connection"}, {killed, restarted, "killed by signal 9"}} {
		got := past.Outages[i]
		if got.Ended == nil {
			t.Fatalf("outage %d has not ended: %+v", i, got)
		}
		in(fmt.Sprint("beginning of outage ", i), got.Began, want.began)
		in(fmt.Sprint("end of outage ", i), *got.Ended, want.ended)
		if lasted := got.Ended.Sub(got.Began).Seconds(); got.Lasted < lasted-0.1 || got.Lasted > lasted+0.1 {
			t.Errorf("outage %d lasted %v s, not %v", i, got.Lasted, lasted)
		}
		if got.State != "retrying" || !strings.Contains(got.Why, want.why) {
			t.Errorf("outage %d is %s: %s, want %s", i, got.State, got.Why, want.why)
		}
		down += got.Lasted
	}
	if past.Down < down-0.01 || past.Down > down+0.01 {
		t.Errorf("down for %v s, the outages lasted %v", past.Down, down)
	}
	// Up is all the time but the outages, and the time before the start, of it, and while it was down.
	most := now.after.Sub(first.before).Seconds() - down
	least := now.before.Sub(first.after).Seconds() - down - again.after.Sub(stopped.before).Seconds() - now.before.Sub(again.after).Seconds()
	if past.Up < least || past.Up > most {
		t.Errorf("up for %v s, not %v to %v", past.Up, least, most)
	}
	if a := past.Up / (past.Up + past.Down); past.Availability == nil || *past.Availability < a-1e-6 || *past.Availability > a+1e-6 {
		t.Errorf("available %v, not %v", past.Availability, a)
	}
	text := d.holdfast("history", "past", "--since", fmt.Sprintf("@%d", d.since.Unix()))
	for _, words := range []string{"in 2 outages; the longest ", "closed the connection\n", past.Outages[1].Began.Local().Format("Jan 02 15:04:05")} {
		if !strings.Contains(text, words) {
			t.Errorf("%q is not in\n%s", words, text)
		}
	}
	if _, err := holdfast("history", "nothing"); exitStatus(err) != 3 {
		t.Errorf("of no such tunnel: %v", err)
	}
	if _, err := holdfast("history", "--since", "nonsense"); exitStatus(err) != 2 {
		t.Errorf("since nonsense: %v", err)
	}
}
