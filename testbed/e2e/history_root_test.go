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
