package systemdctl

import (
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/testbed"
)

func TestExitStatusText(t *testing.T) {
	for status, want := range map[int32]string{
		2:   "exit status 2",
		203: "exit status 203/EXEC",
		243: "exit status 243/CREDENTIALS, which blames LoadCredential= or LoadCredentialEncrypted=",
	} {
		if got := ExitStatusText(status); got != want {
			t.Errorf("%d: %q, want %q", status, got, want)
		}
	}
}

// TestExitStatusNames holds the names against the systemd of this machine.
func TestExitStatusNames(t *testing.T) {
	testbed.Need(t, "systemd-analyze")
	out, err := exec.Command("systemd-analyze", "exit-status").Output()
	if err != nil {
		t.Fatal(err)
	}
	names := make(map[int32]string)
	for line := range strings.Lines(string(out)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[2] == "systemd" {
			n, _ := strconv.Atoi(fields[1])
			names[int32(n)] = fields[0]
		}
	}
	if len(names) == 0 {
		t.Fatalf("no statuses in %q", out)
	}
	for status, blame := range startStatuses {
		name, _, _ := strings.Cut(blame, ",")
		if got, ok := names[status]; ok && got != name {
			t.Errorf("%d is %s, not %s", status, got, name)
		}
		delete(names, status)
	}
	for status, name := range names {
		// 255 a program may mean itself; others may be newer than this table.
		t.Logf("%d/%s is not in the table", status, name)
	}
}
