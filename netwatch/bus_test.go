package netwatch

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/holdfast/holdfast/internal/bus"
	"github.com/holdfast/holdfast/testbed"
)

// privateBus starts a dbus-daemon of the test's own, on which anybody may be anything.
func privateBus(t *testing.T) (address string, daemon *exec.Cmd) {
	t.Helper()
	testbed.Need(t, "dbus-daemon")
	dir := testbed.SocketDir(t)
	config := filepath.Join(dir, "bus.conf")
	socket := filepath.Join(dir, "bus")
	err := os.WriteFile(config, []byte(`<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path=`+socket+`</listen>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>`), 0o644)
	if err != nil {
		t.Fatal(err)
	}
	return "unix:path=" + socket, startBus(t, config)
}

func startBus(t *testing.T, config string) *exec.Cmd {
	t.Helper()
	daemon := exec.Command("dbus-daemon", "--nofork", "--nopidfile", "--print-address", "--config-file", config)
	out, err := daemon.StdoutPipe()
	if err == nil {
		err = daemon.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		daemon.Process.Kill()
		daemon.Wait()
	})
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	return daemon
}

// standInLogind is logind as far as sleeping goes: a container cannot sleep.
type standInLogind struct {
	conn  *dbus.Conn
	going atomic.Bool
	locks chan *os.File // what is read from them ends when a lock is released
}

func newLogind(t *testing.T, address string) *standInLogind {
	t.Helper()
	conn, err := dbus.Connect(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	l := &standInLogind{conn: conn, locks: make(chan *os.File, 16)}
	if err := conn.ExportMethodTable(map[string]any{"Inhibit": l.inhibit}, logindPath, logindInterface); err != nil {
		t.Fatal(err)
	}
	if err := conn.ExportMethodTable(map[string]any{"Get": l.get}, logindPath, bus.PropertiesInterface); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.RequestName(logindName, dbus.NameFlagReplaceExisting|dbus.NameFlagAllowReplacement); err != nil {
		t.Fatal(err)
	}
	return l
}

func (l *standInLogind) inhibit(what, who, why, mode string) (dbus.UnixFD, *dbus.Error) {
	if what != "sleep" || mode != "delay" || who == "" || why == "" {
		return 0, dbus.MakeFailedError(fmt.Errorf("unexpected %q %q %q %q", what, who, why, mode))
	}
	r, w, err := os.Pipe()
	if err != nil {
		return 0, dbus.MakeFailedError(err)
	}
	l.locks <- r
	// The bus sends a copy; ours has to go, or the lock would never be released.
	fd, err := syscall.Dup(int(w.Fd()))
	w.Close()
	if err != nil {
		return 0, dbus.MakeFailedError(err)
	}
	time.AfterFunc(100*time.Millisecond, func() { syscall.Close(fd) })
	return dbus.UnixFD(fd), nil
}

func (l *standInLogind) get(iface, name string) (dbus.Variant, *dbus.Error) {
	if iface != logindInterface || name != "PreparingForSleep" {
		return dbus.MakeVariant(""), dbus.MakeFailedError(fmt.Errorf("no property %s.%s", iface, name))
	}
	return dbus.MakeVariant(l.going.Load()), nil
}

func (l *standInLogind) prepareForSleep(t *testing.T, going bool) {
	t.Helper()
	l.going.Store(going)
	if err := l.conn.Emit(logindPath, logindInterface+".PrepareForSleep", going); err != nil {
		t.Fatal(err)
	}
}

// lock is the next lock that was taken.
func (l *standInLogind) lock(t *testing.T) *os.File {
	t.Helper()
	select {
	case lock := <-l.locks:
		return lock
	case <-time.After(10 * time.Second):
		t.Fatal("no inhibitor was taken")
		return nil
	}
}

// held says whether a lock is not released for a time.
func held(t *testing.T, lock *os.File, patience time.Duration) bool {
	t.Helper()
	lock.SetReadDeadline(time.Now().Add(patience))
	_, err := lock.Read(make([]byte, 1))
	return os.IsTimeout(err)
}

func nextSleep(t *testing.T, w *Watcher) Sleep {
	t.Helper()
	select {
	case s := <-w.Sleeps():
		return s
	case <-time.After(10 * time.Second):
		t.Fatal("no sleep was told")
		return Sleep{}
	}
}

// watchQuietly watches without anybody to read Networks.
func watchQuietly(t *testing.T, address string) *Watcher {
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	return Watch(ctx, Config{Log: slog.New(slog.DiscardHandler), SystemBusAddress: address})
}

func TestSleepAndWake(t *testing.T) {
	address, _ := privateBus(t)
	logind := newLogind(t, address)
	w := watchQuietly(t, address)
	for range 2 {
		lock := logind.lock(t)
		if !held(t, lock, 200*time.Millisecond) {
			t.Fatal("the inhibitor was released before the machine wanted to sleep")
		}
		logind.prepareForSleep(t, true)
		s := nextSleep(t, w)
		if !s.Going {
			t.Fatal("told of waking first")
		}
		if !held(t, lock, 200*time.Millisecond) {
			t.Fatal("the inhibitor was released before the tunnels were told")
		}
		s.Release()
		s.Release()
		if held(t, lock, releaseTimeout/2) {
			t.Fatal("Release does not release the inhibitor")
		}
		logind.prepareForSleep(t, false)
		if s := nextSleep(t, w); s.Going {
			t.Fatal("waking was not told")
		}
	}
	logind.lock(t) // for the next sleep
}

func TestSleepNobodyReleases(t *testing.T) {
	address, _ := privateBus(t)
	logind := newLogind(t, address)
	w := watchQuietly(t, address)
	lock := logind.lock(t)
	logind.prepareForSleep(t, true)
	nextSleep(t, w)
	start := time.Now()
	if held(t, lock, 2*releaseTimeout) {
		t.Fatalf("still held after %v", time.Since(start))
	}
	// Nobody reads either: waking up is what is told in the end.
	logind.prepareForSleep(t, false)
	nextSleep(t, w)
	lock = logind.lock(t)
	logind.prepareForSleep(t, true)
	if held(t, lock, 2*releaseTimeout) {
		t.Fatal("held up a sleep that nobody was there to be told of")
	}
}

func TestWokenBeforeReleased(t *testing.T) {
	address, _ := privateBus(t)
	logind := newLogind(t, address)
	w := watchQuietly(t, address)
	first := logind.lock(t)
	logind.prepareForSleep(t, true)
	going := nextSleep(t, w)
	logind.prepareForSleep(t, false) // the sleep did not come about
	nextSleep(t, w)
	second := logind.lock(t)
	if held(t, first, releaseTimeout/2) {
		t.Error("the first inhibitor is held")
	}
	going.Release() // of the first, and not of another file with its number
	if !held(t, second, 200*time.Millisecond) {
		t.Error("the second inhibitor was released with the first")
	}
}

func TestLogindRestarted(t *testing.T) {
	address, _ := privateBus(t)
	first := newLogind(t, address)
	w := watchQuietly(t, address)
	lock := first.lock(t)
	second := newLogind(t, address)
	second.lock(t)
	if held(t, lock, 5*time.Second) {
		t.Error("the lock of the logind before is held")
	}
	second.prepareForSleep(t, true)
	nextSleep(t, w).Release()
}

// TestMain lets the test binary be a process that watches, for TestKilledWhileHolding.
func TestMain(m *testing.M) {
	if address := os.Getenv("NETWATCH_TEST_BUS"); address != "" {
		w := Watch(context.Background(), Config{SystemBusAddress: address})
		<-w.Sleeps()
		fmt.Println("told")
		select {}
	}
	os.Exit(m.Run())
}

func TestKilledWhileHolding(t *testing.T) {
	address, _ := privateBus(t)
	logind := newLogind(t, address)
	process := exec.Command(os.Args[0])
	process.Env = append(os.Environ(), "NETWATCH_TEST_BUS="+address)
	out, err := process.StdoutPipe()
	if err == nil {
		err = process.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		process.Process.Kill()
		process.Wait()
	})
	lock := logind.lock(t)
	logind.prepareForSleep(t, true)
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "told\n" {
		t.Fatalf("%q, %v", line, err)
	}
	process.Process.Signal(syscall.SIGKILL)
	start := time.Now()
	if held(t, lock, releaseTimeout/2) {
		t.Fatal("a process that was killed holds up the sleep")
	}
	t.Logf("released %v after the kill", time.Since(start))
}

func TestNoBus(t *testing.T) {
	r := record(t, Config{SystemBusAddress: "unix:path=" + filepath.Join(t.TempDir(), "none")})
	n := r.await(5*time.Second, "told", func(Network) bool { return true })
	if n.Source != SourceNetlink {
		t.Errorf("source is %s", n.Source)
	}
}

func TestBusRestarted(t *testing.T) {
	address, daemon := privateBus(t)
	logind := newLogind(t, address)
	w := watchQuietly(t, address)
	logind.lock(t)
	daemon.Process.Kill()
	daemon.Wait()
	socket := strings.TrimPrefix(address, "unix:path=")
	startBus(t, filepath.Join(filepath.Dir(socket), "bus.conf"))
	logind = newLogind(t, address)
	logind.lock(t)
	logind.prepareForSleep(t, true)
	nextSleep(t, w).Release()
}

// TestHostileBusSleep holds that only logind says that the machine sleeps, and that its signal
// alone says nothing.
func TestHostileBusSleep(t *testing.T) {
	address, _ := privateBus(t)
	logind := newLogind(t, address)
	w := watchQuietly(t, address)
	lock := logind.lock(t)
	stranger, err := dbus.Connect(address)
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	var names []string
	if err := stranger.BusObject().Call("org.freedesktop.DBus.ListNames", 0).Store(&names); err != nil {
		t.Fatal(err)
	}
	tries := 0
	for _, to := range append(names, "") {
		if to == "org.freedesktop.DBus" {
			continue
		}
		for _, body := range [][]any{nil, {true}, {"yes"}, {true, true}, {false}} {
			testbed.Forge(t, stranger, to, logindInterface+".PrepareForSleep", logindPath, body...)
			tries++
		}
		for _, body := range testbed.ForgedOwnerChanges(logindName, stranger.Names()[0]) {
			testbed.Forge(t, stranger, to, "org.freedesktop.DBus.NameOwnerChanged", "/org/freedesktop/DBus", body...)
			tries++
		}
	}
	select {
	case s := <-w.Sleeps():
		t.Fatalf("a stranger is believed: %+v", s)
	case <-time.After(200 * time.Millisecond):
	}
	if !held(t, lock, 50*time.Millisecond) {
		t.Error("the inhibitor was released")
	}
	logind.prepareForSleep(t, true)
	s := nextSleep(t, w)
	if !s.Going {
		t.Error("logind is not believed")
	}
	s.Release()
	// It sends the signal, yet is not about to sleep: what it is, counts.
	if err := logind.conn.Emit(logindPath, logindInterface+".PrepareForSleep", false); err != nil {
		t.Fatal(err)
	}
	if s := nextSleep(t, w); !s.Going {
		t.Error("the signal's word counts for more than logind's state")
	}
	t.Logf("| forged sleep | %d tries | 0 crashed | 0 lost | 0 let in |", tries)
}
