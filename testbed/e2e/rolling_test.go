//go:build testbed

package e2e

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// load is clients of a listener: some come anew again and again, one stays. It counts what each
// meets.
type load struct {
	network, address string
	stop             chan struct{}
	running          sync.WaitGroup

	served, refused, cut atomic.Int64
	first                atomic.Pointer[error]
}

// chunk is what a client sends at a time, and wants back unchanged.
const chunk = 8 << 10

// pause keeps clients from being all that a machine does.
const pause = 20 * time.Millisecond

func newLoad(network, address string) *load {
	l := &load{network: network, address: address, stop: make(chan struct{})}
	l.running.Go(func() {
		for !l.stopped() {
			if l.connect(1) {
				l.served.Add(1)
			}
			time.Sleep(pause)
		}
	})
	l.running.Go(func() { l.connect(-1) })
	return l
}

func (l *load) stopped() bool {
	select {
	case <-l.stop:
		return true
	default:
		return false
	}
}

// connect is one client that sends so many chunks; -1: until the load is stopped.
func (l *load) connect(chunks int) bool {
	conn, err := net.DialTimeout(l.network, l.address, 30*time.Second)
	if err != nil {
		l.failed(&l.refused, err)
		return false
	}
	defer conn.Close()
	for i := 0; i != chunks && (i < max(chunks, 1) || !l.stopped()); i++ {
		// EchoThrough ends its direction; a stream that stays is asked piece by piece.
		if err := l.ask(conn, byte(i)); err != nil {
			l.failed(&l.cut, err)
			return false
		}
		if chunks < 0 {
			time.Sleep(pause)
		}
	}
	return true
}

func (l *load) ask(conn net.Conn, first byte) error {
	conn.SetDeadline(time.Now().Add(40 * time.Second))
	want, got := make([]byte, chunk), make([]byte, chunk)
	for i := range want {
		want[i] = first + byte(i*7)
	}
	if _, err := conn.Write(want); err != nil {
		return err
	}
	for n := 0; n < chunk; {
		m, err := conn.Read(got[n:])
		if n += m; err != nil {
			return err
		}
	}
	if string(got) != string(want) {
		return errors.New("bytes are wrong")
	}
	return nil
}

func (l *load) failed(counter *atomic.Int64, err error) {
	counter.Add(1)
	l.first.CompareAndSwap(nil, &err)
}

// end stops the clients, and fails the test for each that met trouble.
func (l *load) end(t *testing.T) {
	t.Helper()
	close(l.stop)
	l.running.Wait()
	if refused, cut := l.refused.Load(), l.cut.Load(); refused+cut > 0 {
		t.Errorf("%s: %d served, %d refused, %d cut or wrong, the first: %v", l.address, l.served.Load(), refused, cut, *l.first.Load())
	}
	if l.served.Load() == 0 {
		t.Errorf("%s: nobody was served", l.address)
	}
}

// awaitServed waits until so many more clients have been served.
func (l *load) awaitServed(t *testing.T, more int64) {
	t.Helper()
	want := l.served.Load() + more
	testbed.WaitFor(t, 30*time.Second, func() error {
		if n := l.served.Load(); n < want {
			return fmt.Errorf("%d of %d served", n, want)
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
	var loads []*load
	extra := []string{"", "Connections=3\n", "Start=on-demand\nIdleTimeout=1s\n", "ExecUp=/bin/sh -c 'echo up >>" + sockets + "/hooks'\nExecDown=/bin/sh -c 'echo down >>" + sockets + "/hooks'\n", "Transport=openssh\n"}
	const tunnels = 20
	for i := range tunnels {
		name := fmt.Sprintf("t%02d", i)
		network, local := "tcp", fmt.Sprintf("127.0.0.1:%d", testbed.FreePort(t))
		if i%7 == 6 {
			network, local = "unix", filepath.Join(sockets, name)
		}
		d.write(name, "[Tunnel]\nDestination=server\nLocalForward="+local+" "+target+"\n"+extra[i%len(extra)])
		loads = append(loads, newLoad(network, local))
		before[name] = 0
	}
	d.holdfast("up", "--all", "--timeout=3m")
	for i, l := range loads {
		l.first.Store(nil) // before the tunnel was there
		l.refused.Store(0)
		l.cut.Store(0)
		name := fmt.Sprintf("t%02d", i)
		l.end(t)
		loads[i] = newLoad(l.network, l.address)
		loads[i].awaitServed(t, 2)
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
	var served int64
	for i, l := range loads {
		l.end(t)
		served += l.served.Load()
		awaitEnd(t, before[fmt.Sprintf("t%02d", i)]) // its last stream has ended
	}
	t.Logf("%d tunnels were handed over in %v; %d short clients and %d streams, 0 refused, 0 cut, 0 bytes wrong", tunnels, took, served, tunnels)
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
