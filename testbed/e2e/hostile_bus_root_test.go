//go:build testbed

package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// hostileVariable has this test's program attack the system bus, as another user.
const hostileVariable = "HOLDFAST_HOSTILE_BUS"

// busAttack is what another user of the machine does to the system's daemon over the bus. It
// returns how often it tried, and what it got that it should not have.
type busAttack struct {
	name string
	do   func(p *busPeer) (tries int, letIn []string)
}

// maxDaemon is how much memory root's daemon may have, whatever others do.
const maxDaemon = 96 << 20

// TestHostileBus has an ordinary user attack the system's daemon over the system bus: forged
// signals to all and to unique names, floods, huge arguments, descriptors, other people's files.
func TestHostileBus(t *testing.T) {
	testbed.NeedRootBox(t)
	m := newMachine(t)
	echo := testbed.Echo(t, "tcp", "127.0.0.1:0").String()
	server := testbed.StartServer(t, testbed.ServerOptions{User: "tester"})
	m.alias("/root", "server", server)
	local := fmt.Sprintf("127.0.0.1:%d", testbed.FreePort(t))
	m.holdfast(t, "add", "web", "-L", local+":"+echo, "server")
	m.holdfast(t, "up", "web")
	secret := filepath.Join("/etc/holdfast/system", "secret"+tunnelfile.Suffix)
	text := "[Tunnel]\nDescription=" + secretWord + "\nDestination=" + secretWord + "\nDynamicForward=127.0.0.1:1\nStart=manual\n[Service]\nSetCredential=password:" + secretWord + "\n"
	if err := os.WriteFile(secret, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	broken := filepath.Join("/etc/holdfast/system", "broken"+tunnelfile.Suffix)
	if err := os.WriteFile(broken, []byte("[Tunnel]\nDestination=x\n[Service]\nEnvironment="+secretWord+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	testbed.WaitFor(t, 10*time.Second, func() error {
		if out := m.holdfast(t, "list") + m.holdfast(t, "show", "secret"); strings.Count(out, secretWord) < 4 || !strings.Contains(out, "broken") {
			return fmt.Errorf("root is not told what its files say:\n%s", out)
		}
		return nil
	})
	conn := dial(t, local)
	pid, worker := m.show("holdfastd.service", "MainPID"), m.show(tunnelfile.ServiceName("web"), "MainPID")
	table := []string{"| attack | tries | crashed | lost | let in | memory at most |"}
	for _, attack := range busAttacks {
		begin := time.Now()
		if err := os.WriteFile("/proc/"+pid+"/clear_refs", []byte("5"), 0); err != nil {
			t.Fatal(err)
		}
		out, err := testbed.Output(person.Argv("env", hostileVariable+"="+attack.name, "HOLDFAST_DAEMON="+pid, os.Args[0])...)
		if err != nil {
			t.Fatalf("%s: %v", attack.name, err)
		}
		tries, letIn, _ := strings.Cut(strings.TrimSpace(out), "\n")
		crashed, lost := 0, 0
		if m.show("holdfastd.service", "MainPID") != pid {
			crashed = 1
		}
		ping(t, conn)
		if m.show(tunnelfile.ServiceName("web"), "MainPID") != worker {
			lost = 1
		}
		if out, err := m.run("status", "web"); err != nil || !strings.Contains(out, "up") {
			t.Errorf("%s: afterwards: %s, %v", attack.name, out, err)
		}
		memory := highWater(t, pid)
		table = append(table, fmt.Sprintf("| %s | %s | %d | %d | %d | %d MiB |", attack.name, tries, crashed, lost, len(strings.Fields(letIn)), memory>>20))
		t.Logf("%s: %v", attack.name, time.Since(begin).Round(time.Millisecond))
		if crashed+lost > 0 || letIn != "" || memory > maxDaemon {
			t.Errorf("%s: crashed %d, lost %d, let in %s, %d MiB", attack.name, crashed, lost, letIn, memory>>20)
		}
		if crashed > 0 {
			break
		}
	}
	t.Log("\n" + strings.Join(table, "\n"))
	// A tunnel of this user's own file is this user's to read; the others stay root's.
	m.holdfast(t, "down", "web")
}

const secretWord = "correct-horse-battery"

// ping holds that a connection through a tunnel is the one that it was.
func ping(t *testing.T, conn net.Conn) {
	t.Helper()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	defer conn.SetDeadline(time.Time{})
	answer := make([]byte, 4)
	_, err := conn.Write([]byte("ping"))
	if err == nil {
		_, err = io.ReadFull(conn, answer)
	}
	if err != nil || string(answer) != "ping" {
		t.Errorf("the connection is lost: %q, %v", answer, err)
	}
}

// highWater is the most memory that a process had since it was last reset.
func highWater(t *testing.T, pid string) (bytes int) {
	t.Helper()
	status, err := os.Open("/proc/" + pid + "/status")
	if err != nil {
		return 0
	}
	defer status.Close()
	for lines := bufio.NewScanner(status); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), "VmHWM:"); ok {
			kib, _ := strconv.Atoi(strings.Fields(value)[0])
			return kib << 10
		}
	}
	return 0
}

// busPeer is another user on the system bus.
type busPeer struct {
	conn   *dbus.Conn
	daemon []string // unique names of the daemon's connections
	entry  dbus.BusObject
}

func init() {
	name := os.Getenv(hostileVariable)
	if name == "" {
		return
	}
	p, err := newBusPeer(os.Getenv("HOLDFAST_DAEMON"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for _, attack := range busAttacks {
		if attack.name == name {
			tries, letIn := attack.do(p)
			fmt.Printf("%d\n%s", tries, strings.Join(letIn, " "))
		}
	}
	os.Exit(0)
}

func newBusPeer(pid string) (*busPeer, error) {
	conn, err := dbus.ConnectSystemBus()
	if err != nil {
		return nil, err
	}
	p := &busPeer{conn: conn, entry: conn.Object(busName, entryPath)}
	var names []string
	if err := conn.BusObject().Call("org.freedesktop.DBus.ListNames", 0).Store(&names); err != nil {
		return nil, err
	}
	for _, name := range names {
		var owner uint32
		err := conn.BusObject().Call("org.freedesktop.DBus.GetConnectionUnixProcessID", 0, name).Store(&owner)
		if err == nil && strings.HasPrefix(name, ":") && fmt.Sprint(owner) == pid {
			p.daemon = append(p.daemon, name)
		}
	}
	if len(p.daemon) < 3 {
		return nil, fmt.Errorf("the daemon %s has only the connections %q", pid, p.daemon)
	}
	return p, nil
}

// forge sends a signal to each of the daemon's connections, and to all that listen.
func (p *busPeer) forge(name string, path dbus.ObjectPath, body ...any) (tries int) {
	for _, to := range append(p.daemon, "") {
		p.conn.Send(testbed.Forged(to, name, path, body...), nil)
		tries++
	}
	return tries
}

// settle waits until all that was sent has reached the bus, and the daemon has seen it.
func (p *busPeer) settle() {
	p.conn.BusObject().Call("org.freedesktop.DBus.GetId", 0)
	p.entry.Call("org.freedesktop.DBus.Peer.Ping", 0)
}

const (
	std     = "org.freedesktop.DBus"
	systemd = "org.freedesktop.systemd1"
	logind  = "org.freedesktop.login1"
	manager = "org.freedesktop.NetworkManager"
)

var busAttacks = []busAttack{
	{"forged owner changes", func(p *busPeer) (tries int, letIn []string) {
		for _, name := range []string{systemd, logind, manager, busName, "org.freedesktop.network1", ":1.1"} {
			for _, body := range testbed.ForgedOwnerChanges(name, ":1.0") {
				tries += p.forge(std+".NameOwnerChanged", "/org/freedesktop/DBus", body...)
			}
		}
		for _, body := range [][]any{nil, {busName}, {int32(1)}} {
			tries += p.forge(std+".NameLost", "/org/freedesktop/DBus", body...)
		}
		p.settle()
		return tries, nil
	}},
	{"forged sleep", func(p *busPeer) (tries int, letIn []string) {
		for range 50 {
			for _, body := range [][]any{nil, {true}, {"yes"}, {true, true}} {
				tries += p.forge(logind+".Manager.PrepareForSleep", "/org/freedesktop/login1", body...)
			}
		}
		p.settle()
		return tries, nil
	}},
	{"forged units and networks", func(p *busPeer) (tries int, letIn []string) {
		unit := dbus.ObjectPath("/org/freedesktop/systemd1/unit/holdfast_2dtunnel_40web_2eservice")
		for _, body := range [][]any{nil, {int32(1)}, {tunnelfile.ServiceName("web"), unit}, {uint32(1), unit, tunnelfile.ServiceName("web"), "failed"}} {
			for _, member := range []string{"UnitNew", "UnitRemoved", "JobRemoved", "Reloading"} {
				tries += p.forge(systemd+".Manager."+member, "/org/freedesktop/systemd1", body...)
			}
			tries += p.forge(std+".Properties.PropertiesChanged", unit, body...)
			tries += p.forge(std+".Properties.PropertiesChanged", "/org/freedesktop/NetworkManager", body...)
		}
		state := map[string]dbus.Variant{"State": dbus.MakeVariant(uint32(20)), "ActiveState": dbus.MakeVariant("failed")}
		tries += p.forge(std+".Properties.PropertiesChanged", unit, systemd+".Unit", state, []string{})
		tries += p.forge(std+".Properties.PropertiesChanged", "/org/freedesktop/NetworkManager", manager, state, []string{})
		p.settle()
		return tries, nil
	}},
	{"huge signals", func(p *busPeer) (tries int, letIn []string) {
		values := make([]dbus.Variant, 1<<14)
		for i := range values {
			values[i] = dbus.MakeVariant(byte(1))
		}
		for range 2 {
			tries += p.forge(logind+".Manager.PrepareForSleep", "/org/freedesktop/login1", values)
			tries += p.forge(std+".Properties.PropertiesChanged", "/org/freedesktop/NetworkManager", manager, strings.Repeat("x", 8<<20), []string{})
		}
		p.settle()
		return tries, nil
	}},
	{"signals with descriptors", func(p *busPeer) (tries int, letIn []string) {
		file, err := os.Open("/dev/null")
		if err != nil {
			return 0, []string{err.Error()}
		}
		for range 500 {
			tries += p.forge(logind+".Manager.PrepareForSleep", "/org/freedesktop/login1", dbus.UnixFD(file.Fd()), dbus.UnixFD(file.Fd()))
		}
		p.settle()
		return tries, nil
	}},
	{"60,000 refused calls", func(p *busPeer) (tries int, letIn []string) {
		replies := make(chan *dbus.Call, 60000)
		for i := range 60000 {
			flags := dbus.FlagNoReplyExpected
			if i%20 == 0 {
				flags = 0
			}
			p.entry.Go(busName+".Manager.Start", flags, replies, []string{"web"})
			tries++
		}
		// The library answers itself where no answer is wanted.
		for range 60000 {
			if call := <-replies; call.Err == nil && call.Method != "" {
				letIn = append(letIn, call.Method)
			}
		}
		return tries, letIn
	}},
	{"huge arguments", func(p *busPeer) (tries int, letIn []string) {
		names, values := make([]string, 1<<17), make([]dbus.Variant, 1<<14)
		for i := range values {
			values[i] = dbus.MakeVariant(byte(1))
		}
		for range 2 {
			for method, args := range map[string][]any{
				busName + ".Manager.AddTunnel":   {"big", strings.Repeat("x", 24<<20)},
				busName + ".Manager.CheckTunnel": {"big", strings.Repeat("x", 1<<20)},
				busName + ".Manager.Start":       {names},
				busName + ".Manager.Stop":        {values},
				std + ".Properties.Set":          {busName + ".Manager", "Version", dbus.MakeVariant(values)},
			} {
				if err := p.entry.Call(method, 0, args...).Err; err == nil {
					letIn = append(letIn, method)
				}
				tries++
			}
		}
		return tries, letIn
	}},
	{"calls from 60 connections", func(p *busPeer) (tries int, letIn []string) {
		replies := make(chan *dbus.Call, 60*40)
		for range 60 {
			conn, err := dbus.ConnectSystemBus()
			if err != nil {
				continue // the bus has a limit of its own
			}
			defer conn.Close()
			object := conn.Object(busName, entryPath)
			for range 20 {
				object.Go(busName+".Agent.Ask", 0, replies, dbus.ObjectPath(entryPath), "password", strings.Repeat("x", 4<<10), false)
				object.Go(busName+".Manager.RegisterAgent", 0, replies, dbus.ObjectPath("/agent"))
				tries += 2
			}
		}
		for range tries {
			select {
			case call := <-replies:
				if call.Err == nil {
					letIn = append(letIn, call.Method)
				}
			case <-time.After(20 * time.Second):
				return tries, append(letIn, "no-answer")
			}
		}
		return tries, letIn
	}},
	{"a file that root alone may read", func(p *busPeer) (tries int, letIn []string) {
		told := func(what string, values ...any) {
			tries++
			if strings.Contains(fmt.Sprint(values...), secretWord) {
				letIn = append(letIn, what)
			}
		}
		signals := make(chan *dbus.Signal, 1000)
		p.conn.Signal(signals)
		_ = p.conn.AddMatchSignal(dbus.WithMatchSender(busName))
		tunnel := p.conn.Object(busName, dbus.ObjectPath(tunnelfile.ObjectPath("secret")))
		for _, object := range []dbus.BusObject{tunnel, p.entry, p.conn.Object(busName, dbus.ObjectPath(tunnelfile.ObjectPath("broken")))} {
			for _, iface := range []string{"", busName + ".Tunnel", busName + ".Manager"} {
				var all map[string]dbus.Variant
				_ = object.Call(std+".Properties.GetAll", 0, iface).Store(&all)
				told("GetAll", all)
			}
		}
		for _, name := range []string{"Text", "Description", "Destination", "Status", "Forwards", "DynamicForward"} {
			var v dbus.Variant
			err := tunnel.Call(std+".Properties.Get", 0, busName+".Tunnel", name).Store(&v)
			told("Get."+name, v, err)
		}
		call := p.entry.Call(std+".ObjectManager.GetManagedObjects", 0)
		told("GetManagedObjects", call.Body)
		call = tunnel.Call(busName+".Tunnel.Statistics", 0)
		told("Statistics", call.Body, call.Err)
		for len(signals) > 0 {
			told("signal", (<-signals).Body)
		}
		return tries, letIn
	}},
	{"the name", func(p *busPeer) (tries int, letIn []string) {
		for _, flags := range []dbus.RequestNameFlags{0, dbus.NameFlagReplaceExisting, dbus.NameFlagAllowReplacement | dbus.NameFlagReplaceExisting} {
			tries++
			if reply, err := p.conn.RequestName(busName, flags); err == nil {
				letIn = append(letIn, fmt.Sprint("RequestName:", reply))
			}
		}
		return tries, letIn
	}},
}

// TestHostileBusRestart has the person's bus die under the daemon: it ends, is started again by
// who asks for it, and no tunnel is touched.
func TestHostileBusRestart(t *testing.T) {
	testbed.NeedRootBox(t)
	d := newDesk(t)
	echo := testbed.Echo(t, "tcp", "127.0.0.1:0").String()
	server := testbed.StartServer(t, testbed.ServerOptions{User: "tester"})
	d.alias("server", server)
	local := fmt.Sprintf("127.0.0.1:%d", testbed.FreePort(t))
	d.holdfast("add", "web", "-L", local+":"+echo, "server")
	d.holdfast("up", "web")
	conn := dial(t, local)
	worker, daemon := property(tunnelfile.ServiceName("web"), "MainPID"), property("holdfastd.service", "MainPID")
	bus, err := strconv.Atoi(property("dbus.service", "MainPID"))
	if err != nil || bus == 0 {
		t.Fatal("no bus", err)
	}
	if err := syscall.Kill(bus, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	testbed.WaitFor(t, 30*time.Second, func() error {
		if _, err := holdfast("status", "web"); err != nil {
			return err
		}
		if now := property("holdfastd.service", "MainPID"); now == daemon || now == "0" {
			return fmt.Errorf("the daemon is %s, and was %s", now, daemon)
		}
		return nil
	})
	d.awaitState("web", tunnelfile.Up, 20*time.Second)
	ping(t, conn)
	if now := property(tunnelfile.ServiceName("web"), "MainPID"); now != worker {
		t.Errorf("the worker is %s, and was %s", now, worker)
	}
	t.Log("| a bus that restarts | 1 tries | 0 crashed | 0 lost | 0 let in |")
}
