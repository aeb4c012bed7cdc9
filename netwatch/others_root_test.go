//go:build testbed

package netwatch

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
)

// withoutManager stops NetworkManager for the rest of the test.
func withoutManager(t *testing.T) {
	t.Helper()
	testbed.Command(t, "systemctl", "stop", "NetworkManager")
	t.Cleanup(func() { testbed.Output("systemctl", "start", "NetworkManager") })
}

func from(source string, state State) func(Network) bool {
	return func(n Network) bool { return n.Source == source && n.State == state }
}

// TestKernelAlone is a machine with neither NetworkManager nor networkd, with a system
// bus and without.
func TestKernelAlone(t *testing.T) {
	for name, config := range map[string]Config{
		"bus":    {},
		"no bus": {SystemBusAddress: "unix:path=" + filepath.Join(t.TempDir(), "none")},
	} {
		t.Run(name, func(t *testing.T) {
			n := testbed.NewNetwork(t)
			card := n.AddCard("lan")
			withoutManager(t)
			r := record(t, config)
			got := r.await(5*time.Second, "online", from(SourceNetlink, Online))
			if len(got.Addresses) != 1 || got.Addresses[0].String() != card.Address {
				t.Errorf("addresses are %v", got.Addresses)
			}

			start := time.Now()
			testbed.Command(t, "ip", "link", "set", "lan", "down")
			r.await(5*time.Second, "offline", is(Offline))
			t.Logf("offline told after %v", time.Since(start))
			testbed.Command(t, "ip", "link", "set", "lan", "up")
			start = time.Now()
			testbed.Command(t, "ip", "route", "add", "default", "via", card.Gateway, "dev", "lan", "onlink")
			r.await(5*time.Second, "online", is(Online))
			t.Logf("online told after %v", time.Since(start))

			card.Unplug()
			r.await(5*time.Second, "offline", is(Offline))
			card.Plug()
			r.await(5*time.Second, "online", is(Online))

			testbed.Command(t, "ip", "route", "del", "default")
			r.await(5*time.Second, "a local network", is(Unknown))
		})
	}
}

func TestNetworkd(t *testing.T) {
	n := testbed.NewNetwork(t)
	card := n.AddCard("lan")
	withoutManager(t)
	testbed.Command(t, "ip", "address", "flush", "dev", "lan")
	startNetworkd(t, fmt.Sprintf("[Match]\nName=lan\n[Network]\nAddress=%s/24\nGateway=%s\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n", card.Address, card.Gateway))

	r := record(t, Config{})
	r.await(15*time.Second, "online", from(SourceNetworkd, Online))
	card.Unplug()
	r.await(10*time.Second, "offline", from(SourceNetworkd, Offline))
	card.Plug()
	r.await(10*time.Second, "online", from(SourceNetworkd, Online))

	// networkd going away leaves its routes, and the kernel to ask.
	before := len(r.all())
	testbed.Command(t, "systemctl", "stop", "systemd-networkd")
	r.await(10*time.Second, "told by the kernel", from(SourceNetlink, Online))
	for _, n := range r.all()[before:] {
		if !n.Perhaps() {
			t.Errorf("in between it was told to be %s", n.State)
		}
	}
	// NetworkManager, when it comes, leaves a card that is set up already as it is.
	testbed.Command(t, "systemctl", "start", "NetworkManager")
	r.await(15*time.Second, "told by NetworkManager", func(n Network) bool { return n.Source == SourceNetworkManager && n.Perhaps() })
}

// startNetworkd runs systemd-networkd, which the box has switched off, with one file.
func startNetworkd(t *testing.T, network string) {
	t.Helper()
	const mask = "/etc/systemd/system/systemd-networkd.service"
	const file = "/run/systemd/network/10-test.network"
	if target, err := os.Readlink(mask); err == nil && target == os.DevNull {
		if err := os.Remove(mask); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.Symlink(target, mask) })
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(network), 0o644); err != nil {
		t.Fatal(err)
	}
	testbed.Command(t, "systemctl", "daemon-reload")
	testbed.Command(t, "systemctl", "start", "systemd-networkd")
	t.Cleanup(func() {
		testbed.Output("systemctl", "stop", "systemd-networkd.socket", "systemd-networkd")
		os.Remove(file)
	})
}

// TestIdle holds the promise that nothing runs while nothing happens.
func TestIdle(t *testing.T) {
	n := testbed.NewNetwork(t)
	n.AddCard("lan")
	r := record(t, Config{})
	r.await(5*time.Second, "online", is(Online))
	settle := time.NewTimer(2 * time.Second)
	<-settle.C
	cpu, switches := cpuTime(), contextSwitches(t)
	settle.Reset(10 * time.Second)
	<-settle.C
	woken := contextSwitches(t) - switches
	t.Logf("in 10 s idle: %d context switches, %v of CPU", woken, cpuTime()-cpu)
	// The race detector has a thread that wakes up ten times a second.
	if woken > 150 {
		t.Errorf("%d context switches in 10 s with nothing to do", woken)
	}
}

// contextSwitches is how often the threads of this process gave up the CPU to wait.
func contextSwitches(t *testing.T) int {
	t.Helper()
	files, err := filepath.Glob("/proc/self/task/*/status")
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		for _, line := range strings.Split(string(text), "\n") {
			var n int
			if _, err := fmt.Sscanf(line, "voluntary_ctxt_switches: %d", &n); err == nil {
				total += n
			}
		}
	}
	return total
}
