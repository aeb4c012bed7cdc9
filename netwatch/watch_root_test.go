//go:build testbed

package netwatch

import (
	"net"
	"net/http"
	"os"
	"runtime"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"golang.org/x/sys/unix"

	"github.com/holdfast/holdfast/internal/bus"
	"github.com/holdfast/holdfast/testbed"
)

// listenIn listens in another network namespace.
func listenIn(t *testing.T, netns, address string) net.Listener {
	t.Helper()
	type result struct {
		net.Listener
		error
	}
	results := make(chan result)
	go func() {
		runtime.LockOSThread() // and never unlock: the thread stays over there and ends with the goroutine
		fd, err := unix.Open("/run/netns/"+netns, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err == nil {
			err = unix.Setns(fd, unix.CLONE_NEWNET)
			unix.Close(fd)
		}
		if err != nil {
			results <- result{nil, err}
			return
		}
		l, err := net.Listen("tcp", address)
		results <- result{l, err}
	}()
	r := <-results
	if r.error != nil {
		t.Fatal(r.error)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// checkServer is what NetworkManager asks whether the Internet is there.
type checkServer struct{ answer atomic.Value }

const (
	fullAnswer   = "NetworkManager is online"
	portalAnswer = "Please log in"
)

// enableChecks makes NetworkManager check for the Internet at a server in the network.
func enableChecks(t *testing.T, n *testbed.Network) *checkServer {
	t.Helper()
	s := &checkServer{}
	s.answer.Store(fullAnswer)
	go http.Serve(listenIn(t, n.Netns, n.Host+":80"), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if answer := s.answer.Load().(string); answer == fullAnswer {
			w.Header().Set("X-NetworkManager-Status", "online")
			w.Write([]byte(answer))
		} else {
			http.Redirect(w, &http.Request{Method: "GET"}, "http://"+n.Host+"/login", http.StatusFound)
		}
	}))
	const path = "/etc/NetworkManager/conf.d/check.conf"
	if err := os.WriteFile(path, []byte("[connectivity]\nuri=http://"+n.Host+"/check\nenabled=true\ninterval=60\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	testbed.Command(t, "nmcli", "general", "reload")
	t.Cleanup(func() {
		os.Remove(path)
		testbed.Output("nmcli", "general", "reload")
	})
	return s
}

func TestNetworkManagerDownUp(t *testing.T) {
	n := testbed.NewNetwork(t)
	card := n.AddCard("lan")
	r := record(t, Config{})
	got := r.await(5*time.Second, "online", is(Online))
	if got.Source != SourceNetworkManager || got.Primary.ID != "lan" || got.Primary.Type != "802-3-ethernet" ||
		len(got.Addresses) != 1 || got.Addresses[0].String() != card.Address {
		t.Errorf("first snapshot is %+v", got)
	}
	for range 3 {
		start := time.Now()
		card.Down()
		r.await(5*time.Second, "offline", is(Offline))
		t.Logf("offline told %v after the command began, ", time.Since(start))
		start = time.Now()
		card.Up()
		r.await(5*time.Second, "online", is(Online))
		t.Logf("online told %v after the command began", time.Since(start))
	}
	if told := r.all(); len(told) > 12 {
		t.Errorf("%d snapshots told: %+v", len(told), told)
	}
}

func TestNetworkManagerPortal(t *testing.T) {
	n := testbed.NewNetwork(t)
	check := enableChecks(t, n)
	card := n.AddCard("hotel")
	r := record(t, Config{})
	r.await(10*time.Second, "online", is(Online))

	for answer, want := range map[string]State{portalAnswer: Portal, fullAnswer: Online} {
		card.Down()
		r.await(5*time.Second, "offline", is(Offline))
		before := len(r.all())
		check.answer.Store(answer)
		card.Up()
		r.await(10*time.Second, string(want), is(want))
		if want == Portal && slices.ContainsFunc(r.all()[before:], Network.Perhaps) {
			t.Errorf("with a captive portal the network was perhaps online for a moment: %+v", r.all()[before:])
		}
	}
	check.answer.Store(portalAnswer)
	testbed.Command(t, "nmcli", "networking", "connectivity", "check")
	got := r.await(10*time.Second, "portal", is(Portal))
	if got.Reason() != "captive portal on 'hotel'" {
		t.Errorf("reason is %q", got.Reason())
	}
	check.answer.Store(fullAnswer)
	testbed.Command(t, "nmcli", "networking", "connectivity", "check")
	r.await(10*time.Second, "online", is(Online))
	n.Silence()
	t.Cleanup(func() { testbed.Output("ip", "netns", "exec", n.Netns, "nft", "delete", "table", "inet", "silence") })
	testbed.Command(t, "nmcli", "networking", "connectivity", "check")
	r.await(30*time.Second, "limited", is(Limited))
}

func TestNetworkManagerMetered(t *testing.T) {
	n := testbed.NewNetwork(t)
	n.AddCard("phone")
	r := record(t, Config{})
	if got := r.await(5*time.Second, "online", is(Online)); got.Metered {
		t.Error("metered from the start")
	}
	testbed.Command(t, "nmcli", "connection", "modify", "phone", "connection.metered", "yes")
	testbed.Command(t, "nmcli", "device", "reapply", "phone")
	got := r.await(5*time.Second, "metered", func(n Network) bool { return n.Metered })
	if reason := got.Allows(nil, nil, false); reason != "Metered=no: 'phone' is metered" {
		t.Errorf("reason is %q", reason)
	}
}

func managerPID(t *testing.T) string {
	pid := testbed.Command(t, "systemctl", "show", "-P", "MainPID", "NetworkManager")
	return pid[:len(pid)-1]
}

func TestNetworkManagerGoneAndBack(t *testing.T) {
	n := testbed.NewNetwork(t)
	card := n.AddCard("lan")
	r := record(t, Config{})
	r.await(5*time.Second, "online", is(Online))
	byManager := func(n Network) bool { return n.Source == SourceNetworkManager && n.State == Online }
	notByManager := func(n Network) bool { return n.Source != SourceNetworkManager }

	t.Cleanup(func() { testbed.Output("systemctl", "start", "NetworkManager") })
	for name, steps := range map[string][2][]string{
		"stop":    {{"systemctl", "stop", "NetworkManager"}, {"systemctl", "start", "NetworkManager"}},
		"restart": {{"systemctl", "restart", "NetworkManager"}, nil},
		"kill":    {{"kill", "-KILL", ""}, {"systemctl", "start", "NetworkManager"}},
	} {
		before := len(r.all())
		if name == "kill" {
			steps[0][2] = managerPID(t)
		}
		testbed.Command(t, steps[0]...)
		if name == "stop" {
			got := r.await(5*time.Second, "told by another", notByManager)
			if got.Primary.ID != "lan" {
				t.Errorf("%s: the connection was forgotten: %+v", name, got)
			}
		}
		if steps[1] != nil {
			testbed.Command(t, steps[1]...)
		}
		testbed.Command(t, "nm-online", "-s", "-q")
		r.await(10*time.Second, "told by NetworkManager again", byManager)
		for i, n := range r.all()[before:] {
			if !n.Perhaps() || n.Moved(r.all()[before-1]) {
				t.Errorf("%s: snapshot %d says that the network went away or moved: %+v", name, i, n)
			}
		}
	}
	card.Down()
	r.await(5*time.Second, "offline", is(Offline))
	card.Up()
	r.await(5*time.Second, "online", byManager)
}

func TestNetworkManagerHangs(t *testing.T) {
	n := testbed.NewNetwork(t)
	n.AddCard("lan")
	r := record(t, Config{})
	r.await(5*time.Second, "online", is(Online))
	pid := managerPID(t)
	testbed.Command(t, "kill", "-STOP", pid)
	t.Cleanup(func() { testbed.Output("kill", "-CONT", pid) })
	testbed.Command(t, "ip", "link", "set", "lan", "down")
	r.await(10*time.Second, "offline by the kernel", func(n Network) bool { return n.State == Offline && n.Source == SourceNetlink })
	testbed.Command(t, "ip", "link", "set", "lan", "up")
	testbed.Command(t, "kill", "-CONT", pid)
	r.await(10*time.Second, "told by NetworkManager again", func(n Network) bool { return n.Source == SourceNetworkManager })
}

func TestMoveBetweenCards(t *testing.T) {
	n := testbed.NewNetwork(t)
	cable, wifi := n.AddCard("cable"), n.AddCard("wifi")
	r := record(t, Config{})
	got := r.await(5*time.Second, "online over both", func(n Network) bool { return n.State == Online && len(n.Addresses) == 2 })
	if got.Primary.ID != "cable" {
		t.Errorf("primary is %+v", got.Primary)
	}
	before := len(r.all())
	start := time.Now()
	cable.Down()
	got = r.await(5*time.Second, "online over wifi", func(n Network) bool { return n.Primary.ID == "wifi" && len(n.Addresses) == 1 })
	t.Logf("moved %v after the command began", time.Since(start))
	if got.Addresses[0].String() != wifi.Address {
		t.Errorf("addresses are %v", got.Addresses)
	}
	for _, n := range r.all()[before:] {
		if !n.Perhaps() {
			t.Errorf("it was told to be %s in between", n.State)
		}
	}
}

func TestThousandSignals(t *testing.T) {
	n := testbed.NewNetwork(t)
	n.AddCard("lan")
	r := record(t, Config{})
	r.await(5*time.Second, "online", is(Online))
	conn, err := dbus.ConnectSystemBus()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	signals := make(chan *dbus.Signal, 4000)
	conn.Signal(signals)
	if err := conn.AddMatchSignal(dbus.WithMatchSender(managerName), dbus.WithMatchInterface(bus.PropertiesInterface)); err != nil {
		t.Fatal(err)
	}

	// Each change of a property is a signal, or more.
	before, cpu, start := len(r.all()), cpuTime(), time.Now()
	calls := make(chan *dbus.Call, 1000)
	manager := conn.Object(managerName, managerPath)
	for i := range 1000 {
		manager.Go(bus.PropertiesInterface+".Set", 0, calls, managerInterface, "WwanEnabled", dbus.MakeVariant(i%2 == 0))
	}
	for range 1000 {
		if call := <-calls; call.Err != nil {
			t.Fatal(call.Err)
		}
	}
	t.Logf("%d signals in %v: %d snapshots, %v of CPU with the race detector, the sender's half included",
		len(signals), time.Since(start), len(r.all())-before, cpuTime()-cpu)
	if told := r.all()[before:]; len(told) > 0 {
		t.Errorf("told though nothing was different: %+v", told)
	}

	// In the middle of such a storm a change is told all the same, once.
	go func() {
		for i := range 1000 {
			manager.Call(bus.PropertiesInterface+".Set", dbus.FlagNoReplyExpected, managerInterface, "WwanEnabled", dbus.MakeVariant(i%2 == 0))
		}
	}()
	testbed.Command(t, "nmcli", "connection", "down", "lan")
	r.await(5*time.Second, "offline", is(Offline))
	// NetworkManager may be slow enough by now to be seen between the two.
	if told := r.all()[before:]; len(told) > 2 || len(told) == 2 && !told[0].Perhaps() {
		t.Errorf("%d snapshots: %+v", len(told), told)
	}
}

func cpuTime() time.Duration {
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
