//go:build testbed

package e2e

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// TestHistoryInMemory: without a persistent journal a person has none of their own, and is told
// what would give them one; a member of the group systemd-journal may read the machine's.
func TestHistoryInMemory(t *testing.T) {
	d := newDesk(t)
	must := func(argv ...string) {
		t.Helper()
		if _, err := testbed.Output(argv...); err != nil {
			t.Fatal(err)
		}
	}
	must("mv", "/var/log/journal", "/var/log/journal.away")
	must("systemctl", "restart", "systemd-journald")
	t.Cleanup(func() {
		testbed.Output("gpasswd", "--delete", "tester", "systemd-journal") // who may not be in it yet
		must("mv", "/var/log/journal.away", "/var/log/journal")
		must("systemctl", "restart", "systemd-journald")
	})
	d.write("past", fmt.Sprintf("[Tunnel]\nDestination=ssh://me@127.0.0.1:%d\nDynamicForward=127.0.0.1:%d\n", testbed.FreePort(t), testbed.FreePort(t)))
	d.awaitState("past", tunnelfile.Retrying, 20*time.Second)
	_, err := holdfast("history")
	if exitStatus(err) != 1 || !strings.Contains(err.Error(), "no journal that you may read") || !strings.Contains(err.Error(), "Storage=persistent") {
		t.Errorf("without a journal: %v", err)
	}
	must("gpasswd", "--add", "tester", "systemd-journal")
	testbed.WaitFor(t, 10*time.Second, func() error {
		out, err := holdfast("history", "past")
		if err == nil && (!strings.Contains(out, "where the journal begins") || !strings.Contains(out, "Available:  0.00 %") || !strings.Contains(out, "connection refused")) {
			err = errors.New(out)
		}
		return err
	})
}

// TestHistoryOfNetwork: being without a network is an outage, and the daemon's to tell where it
// is there before the tunnel's program.
func TestHistoryOfNetwork(t *testing.T) {
	a := newAway(t)
	before := time.Now()
	a.card.Down()
	a.awaitWord("offline", 10*time.Second)
	a.card.Up()
	a.awaitWord("up", 20*time.Second)
	after := time.Now()
	testbed.WaitFor(t, 10*time.Second, func() error {
		past := a.history("away")
		if len(past.Outages) != 1 || past.Outages[0].Ended == nil {
			return fmt.Errorf("outages: %+v", past.Outages)
		}
		o := past.Outages[0]
		if o.Began.Before(before) || o.Ended.After(after.Add(time.Second)) || o.State != "offline" && !strings.Contains(o.Why, "network") {
			return fmt.Errorf("between %v and %v: %+v", before, after, o)
		}
		return nil
	})

	a.holdfast("set", "away", "Start=auto")
	a.card.Down()
	a.awaitWord("offline", 10*time.Second)
	if _, err := as("systemctl", "--user", "stop", "holdfastd", tunnelfile.ServiceName("away"), tunnelfile.SocketName("away")); err != nil {
		t.Fatal(err)
	}
	a.since = time.Now()
	a.awaitWord("offline", 20*time.Second)
	testbed.WaitFor(t, 10*time.Second, func() error {
		if log := a.journal("holdfastd"); !strings.Contains(log, "away: offline [") {
			return errors.New(log)
		}
		return nil
	})
}
