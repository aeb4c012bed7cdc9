//go:build testbed

package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

var exposureLine = regexp.MustCompile(`Overall exposure level for \S+: ([0-9.]+)`)

// exposure asks systemd-analyze how much a unit may do, and fails the test if that is more
// than most.
func exposure(t *testing.T, most float64, unit string, scope ...string) {
	t.Helper()
	out, err := testbed.Output(append(append([]string{"systemd-analyze"}, scope...), "--no-pager", "security", unit)...)
	match := exposureLine.FindStringSubmatch(out)
	if err != nil || match == nil {
		t.Errorf("%s: %v\n%s", unit, err, out)
		return
	}
	figure(t, "%s: exposure %s, at most %.1f", unit, match[1], most)
	if level, _ := strconv.ParseFloat(match[1], 64); level > most {
		t.Errorf("%s: exposure %s, want at most %.1f\n%s", unit, match[1], most, out)
	}
}

// TestExposure: a user's tunnel and the tray may do little, and the tunnel works.
func TestExposure(t *testing.T) {
	d := newDesk(t)
	_, local := d.echoTunnel(t, "exposed", "Start=manual\n")
	d.holdfast("up", "exposed")
	testbed.CheckEcho(t, dial(t, local), 1<<10, 10*time.Second)
	exposure(t, 6.6, tunnelfile.ServiceName("exposed"), "--user")

	text, err := os.ReadFile("../../packaging/systemd/holdfast-tray.service")
	if err != nil {
		t.Fatal(err)
	}
	unit := filepath.Join(person.Home, ".config/systemd/user/holdfast-tray.service")
	d.writeFile(unit, strings.ReplaceAll(string(text), "@bindir@", "/usr/bin"))
	t.Cleanup(func() { os.Remove(unit); testbed.Output("systemctl", "--user", "daemon-reload") })
	testbed.Command(t, "systemctl", "--user", "daemon-reload")
	exposure(t, 8, "holdfast-tray.service", "--user")
}
