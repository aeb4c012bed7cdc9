//go:build testbed

package e2e

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// load is clients of a tunnel, see [testbed.Load].
type load struct{ *testbed.Load }

// streamChunks is how long a stream of a load is that does not stay: some seconds.
const streamChunks = 100

func newLoad(network, address string) load {
	return load{testbed.NewLoad(network, address, streamChunks)}
}

// end stops the clients, and fails the test if one met trouble.
func (l load) end(t *testing.T) testbed.Counts {
	t.Helper()
	counts := l.Stop()
	if !counts.Well() || counts.Served == 0 {
		t.Error(counts)
	}
	return counts
}

// awaitServed waits until so many more clients have been served.
func (l load) awaitServed(t *testing.T, more int) {
	t.Helper()
	want := l.Counts().Served + more
	testbed.WaitFor(t, 30*time.Second, func() error {
		if c := l.Counts(); c.Served < want {
			return fmt.Errorf("want %d: %v", want, c)
		}
		return nil
	})
}

// awaitEnd waits until a process has ended.
func awaitEnd(t *testing.T, pid int) {
	t.Helper()
	testbed.WaitFor(t, 30*time.Second, func() error {
		if syscall.Kill(pid, 0) == nil {
			return fmt.Errorf("process %d runs still", pid)
		}
		return nil
	})
}

// TestRollingRestart: tunnels of every kind under load are handed over to new processes, and no client
// is refused or cut.
func TestRollingRestart(t *testing.T) {
	d := newDesk(t)
	s := testbed.StartServer(t, testbed.ServerOptions{Config: []string{"MaxStartups 100"}})
	d.alias("server", s)
	target := testbed.Echo(t, "tcp", "127.0.0.1:0").String()
	sockets := testbed.SocketDir(t)
	before := make(map[string]int)
	const tunnels = 20
	loads := make([]load, tunnels)
	locals := make([]string, tunnels)
	extra := []string{"", "Connections=3\n", "Start=on-demand\nIdleTimeout=1s\n", "ExecUp=/bin/sh -c 'echo up >>" + sockets + "/hooks'\nExecDown=/bin/sh -c 'echo down >>" + sockets + "/hooks'\n", "Transport=openssh\n"}
	for i := range tunnels {
		name := fmt.Sprintf("t%02d", i)
		local := fmt.Sprintf("127.0.0.1:%d", testbed.FreePort(t))
		if i%7 == 6 {
			local = filepath.Join(sockets, name)
		}
		d.write(name, "[Tunnel]\nDestination=server\nLocalForward="+local+" "+target+"\n"+extra[i%len(extra)])
		locals[i] = local
	}
	d.holdfast("up", "--all", "--timeout=3m")
	for i, local := range locals {
		network := "tcp"
		if filepath.IsAbs(local) {
			network = "unix"
		}
		loads[i] = newLoad(network, local)
		loads[i].awaitServed(t, 2)
		name := fmt.Sprintf("t%02d", i)
		before[name] = mainPID(t, tunnelfile.ServiceName(name))
	}
	start := time.Now()
	out := d.holdfast("restart", "--rolling", "--all", "--timeout=3m")
	took := time.Since(start)
	t.Log(out)
	for i, l := range loads {
		name := fmt.Sprintf("t%02d", i)
		l.awaitServed(t, 2)
		if now := mainPID(t, tunnelfile.ServiceName(name)); now == before[name] {
			t.Errorf("%s runs in the same process", name)
		} else if err := syscall.Kill(before[name], 0); err != nil {
			t.Errorf("%s: the old process has ended, although a stream is open there", name)
		}
	}
	var counts testbed.Counts
	for i, l := range loads {
		counts = counts.Add(l.end(t))
		awaitEnd(t, before[fmt.Sprintf("t%02d", i)]) // its last stream has ended
	}
	t.Logf("%d tunnels were handed over in %v: %v", tunnels, took, counts)
	if hooks, _ := os.ReadFile(sockets + "/hooks"); strings.Contains(string(hooks), "down") {
		t.Errorf("ExecDown ran: %s", hooks)
	}
	if n := strings.Count(d.journal("holdfast-tunnel@*"), "cannot be told"); n > 0 {
		t.Errorf("%d messages did not arrive", n)
	}
}

// TestRollingRestartFails: a new program that does not come up leaves everything as it was, and the
// reason is told; the end of either process does not end the tunnel.
func TestRollingRestartFails(t *testing.T) {
	d := newDesk(t)
	_, local := d.echoTunnel(t, "echo", "Start=manual\n[Service]\nRestartSec=100ms\n")
	d.holdfast("up", "echo")
	l := newLoad("tcp", local)
	l.awaitServed(t, 2)
	worker := mainPID(t, tunnelfile.ServiceName("echo"))
	known := filepath.Join(person.Home, ".ssh/config")
	config, err := os.ReadFile(known)
	if err != nil {
		t.Fatal(err)
	}
	d.writeFile(known, strings.ReplaceAll(string(config), "IdentityFile", "#IdentityFile")+"  IdentityFile /nonexistent\n")
	out, err := holdfast("restart", "--rolling", "echo")
	t.Log(out, err)
	if status := exitStatus(err); status != 1 {
		t.Errorf("exit status %d", status)
	}
	if now := mainPID(t, tunnelfile.ServiceName("echo")); now != worker {
		t.Errorf("the process is another: %d, then %d", worker, now)
	}
	if out := d.holdfast("status", "echo"); !strings.Contains(out, "not handed over") {
		t.Errorf("the reason is not told: %s", out)
	}
	d.writeFile(known, string(config))
	d.holdfast("restart", "--rolling", "echo")
	l.awaitServed(t, 2)
	l.end(t)
	// Killed at once after the handover: systemd sees it, although it did not start that process.
	if err := syscall.Kill(mainPID(t, tunnelfile.ServiceName("echo")), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	l = newLoad("tcp", local)
	l.awaitServed(t, 2)
	l.end(t)
	d.awaitState("echo", tunnelfile.Up, 20*time.Second)
}

// replaceProgram puts a script in the place of holdfast-tunnel; the program itself is $KEPT there.
func (d *desk) replaceProgram(script string) {
	d.Helper()
	program := filepath.Join(person.Home, ".local/bin/holdfast-tunnel")
	kept := program + ".kept"
	if _, err := os.Stat(kept); err != nil {
		if err := os.Link(program, kept); err != nil {
			d.Fatal(err)
		}
		d.Cleanup(func() { os.Rename(kept, program) })
	}
	text := "#!/bin/bash\nKEPT=" + kept + "\n" + script + "\n"
	if err := os.WriteFile(program+".new", []byte(text), 0o755); err != nil {
		d.Fatal(err)
	}
	if err := os.Rename(program+".new", program); err != nil {
		d.Fatal(err)
	}
}

// processes are those of a tunnel's unit but its main one.
func processes(t *testing.T, name string) (others []int) {
	t.Helper()
	unit := tunnelfile.ServiceName(name)
	text, err := os.ReadFile("/sys/fs/cgroup" + property(unit, "ControlGroup") + "/cgroup.procs")
	if err != nil {
		t.Fatal(err)
	}
	main := mainPID(t, unit)
	for _, field := range strings.Fields(string(text)) {
		if pid, err := strconv.Atoi(field); err == nil && pid != main {
			others = append(others, pid)
		}
	}
	return others
}

// TestRollingRestartDisturbed: a new program that does not come up, and the end of either process,
// a stop, a restart or a changed file in the middle of a handover refuse nobody, and what need not
// be cut is not.
func TestRollingRestartDisturbed(t *testing.T) {
	d := newDesk(t)
	d.alias("server", testbed.StartServer(t, testbed.ServerOptions{}))
	target := testbed.Echo(t, "tcp", "127.0.0.1:0").String()
	start := func(name string) (load, int) {
		local := fmt.Sprintf("127.0.0.1:%d", testbed.FreePort(t))
		d.write(name, "[Tunnel]\nDestination=server\nStart=manual\nLocalForward="+local+" "+target+"\n[Service]\nRestartSec=100ms\n")
		d.holdfast("up", name)
		l := newLoad("tcp", local)
		l.awaitServed(t, 2)
		return l, mainPID(t, tunnelfile.ServiceName(name))
	}
	// begin asks for a handover, in which the new program does nothing for two seconds.
	begin := func(name string) (successor int) {
		d.replaceProgram(`sleep 2; exec -a "$0" $KEPT "$@"`)
		d.holdfast("restart", "--rolling", "--no-wait", name)
		testbed.WaitFor(t, 10*time.Second, func() error {
			for _, pid := range processes(t, name) {
				if text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); strings.HasPrefix(string(text), "/bin/bash") {
					successor = pid
					return nil
				}
			}
			return errors.New("no new process")
		})
		return successor
	}
	alone := func(name string) {
		t.Helper()
		testbed.WaitFor(t, 20*time.Second, func() error {
			if others := processes(t, name); len(others) > 0 {
				return fmt.Errorf("%s: these run too: %v", name, others)
			}
			return nil
		})
	}

	l, worker := start("exits")
	d.replaceProgram("exit 1")
	out, err := holdfast("restart", "--rolling", "exits")
	if status := exitStatus(err); status != 1 || !strings.Contains(out+fmt.Sprint(err), "ended before it had an SSH connection") {
		t.Errorf("a new program that ends at once: status %d: %s", status, out)
	}
	if now := mainPID(t, tunnelfile.ServiceName("exits")); now != worker {
		t.Errorf("process %d has become %d", worker, now)
	}
	l.awaitServed(t, 2)
	t.Logf("a new program that ends at once: %v", l.end(t))
	d.replaceProgram(`exec -a "$0" $KEPT "$@"`)

	l, worker = start("killed")
	if err := syscall.Kill(begin("killed"), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	testbed.WaitFor(t, 10*time.Second, func() error {
		if out := d.holdfast("status", "killed"); !strings.Contains(out, "not handed over") {
			return errors.New(out)
		}
		return nil
	})
	if now := mainPID(t, tunnelfile.ServiceName("killed")); now != worker {
		t.Errorf("process %d has become %d", worker, now)
	}
	l.awaitServed(t, 2)
	t.Logf("the new process was killed: %v", l.end(t))

	l, worker = start("changed")
	begin("changed")
	d.holdfast("set", "changed", "RetryMax=50s")
	testbed.WaitFor(t, 30*time.Second, func() error {
		if now := mainPID(t, tunnelfile.ServiceName("changed")); now == worker {
			return errors.New(d.holdfast("status", "changed"))
		}
		return nil
	})
	l.awaitServed(t, 2)
	t.Logf("the file was changed: %v", l.end(t))
	alone("changed")

	for name, disturb := range map[string]func(worker int){
		"dies":      func(worker int) { syscall.Kill(worker, syscall.SIGKILL) },
		"restarted": func(int) { d.holdfast("restart", "restarted") },
		"stopped":   func(int) { d.holdfast("down", "stopped") },
	} {
		l, worker := start(name)
		begin(name)
		if name == "stopped" {
			l.Stop() // nobody listens then
		}
		disturb(worker)
		if name == "stopped" {
			d.holdfast("up", name)
		} else {
			l.awaitServed(t, 2)
			counts := l.Stop()
			if counts.Refused+counts.Wrong > 0 {
				t.Errorf("%s: %v", name, counts)
			}
			t.Logf("%s: %v", name, counts)
		}
		d.awaitState(name, tunnelfile.Up, 30*time.Second)
		alone(name)
		if now := mainPID(t, tunnelfile.ServiceName(name)); now == worker {
			t.Errorf("%s: it is process %d still", name, now)
		}
	}
}

// TestOrdering: a unit of a person's own starts when the tunnel is up, and not if it needs somebody.
func TestOrdering(t *testing.T) {
	d := newDesk(t)
	_, local := d.echoTunnel(t, "db", "Start=manual\n")
	d.write("lost", "[Tunnel]\nDestination=server\nStart=manual\nLocalForward=127.0.0.1:"+fmt.Sprint(testbed.FreePort(t))+" 127.0.0.1:1\n[SSH]\nPubkeyAuthentication=no\nPasswordAuthentication=no\nKbdInteractiveAuthentication=no\n")
	_, port, _ := net.SplitHostPort(local)
	units := filepath.Join(person.Home, ".config/systemd/user")
	for _, name := range []string{"db", "lost"} {
		unit := "holdfast-up@" + name + ".service"
		d.writeFile(filepath.Join(units, "after-"+name+".service"), "[Unit]\nRequires="+unit+"\nAfter="+unit+"\n[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/bash -c 'exec 3<>/dev/tcp/127.0.0.1/"+port+"; echo x >&3; read -t 10 -u 3 answer; test $answer = x'\n")
		t.Cleanup(func() { as("systemctl", "--user", "stop", "after-"+name, unit) })
	}
	if _, err := as("systemctl", "--user", "daemon-reload"); err != nil {
		t.Fatal(err)
	}
	if _, err := as("systemctl", "--user", "start", "after-db"); err != nil {
		t.Error(err)
	}
	if state := property("holdfast-up@db.service", "ActiveState"); state != "active" {
		t.Errorf("holdfast-up@db.service is %s", state)
	}
	if _, err := as("systemctl", "--user", "start", "after-lost"); err == nil {
		t.Error("a unit started after a tunnel that the server refuses")
	}
	if state := property("holdfast-up@lost.service", "ActiveState"); state != "failed" {
		t.Errorf("holdfast-up@lost.service is %s", state)
	}
}
