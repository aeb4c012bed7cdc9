package testbed

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

// PrivateBus starts a dbus-daemon for the test, which allows everything to everybody. It returns
// the bus's address, as for DBUS_SYSTEM_BUS_ADDRESS, and what ends the bus and starts it again there.
func PrivateBus(t testing.TB) (address string, restart func()) {
	t.Helper()
	Need(t, "dbus-daemon")
	dir := sharedDir(t)
	config := filepath.Join(dir, "bus.conf")
	address = "unix:path=" + filepath.Join(dir, "bus")
	err := os.WriteFile(config, []byte(`<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>`+address+`</listen>
<policy context="default"><allow user="*"/><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>`), 0o644)
	if err != nil {
		t.Fatal(err)
	}
	end := startBus(t, config)
	return address, func() {
		t.Helper()
		end()
		startBus(t, config)
	}
}

// startBus starts a dbus-daemon, and returns when it listens. It ends with the test, or by end.
func startBus(t testing.TB, config string) (end func()) {
	t.Helper()
	daemon := exec.Command("dbus-daemon", "--nofork", "--nopidfile", "--print-address", "--config-file", config)
	out, err := daemon.StdoutPipe()
	if err == nil {
		err = daemon.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	end = func() {
		daemon.Process.Kill()
		daemon.Wait()
	}
	t.Cleanup(end)
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	return end
}

// Names of logind, see org.freedesktop.login1(5).
const (
	logindName    = "org.freedesktop.login1"
	logindPath    = "/org/freedesktop/login1"
	logindManager = "org.freedesktop.login1.Manager"
)

// Logind stands in for the part of logind that is about sleep: a container cannot sleep.
type Logind struct {
	t     testing.TB
	conn  *dbus.Conn
	going atomic.Bool
	locks chan *os.File
}

// NewLogind puts a stand-in for logind on a bus.
func NewLogind(t testing.TB, address string) *Logind {
	t.Helper()
	conn, err := dbus.Connect(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	l := &Logind{t: t, conn: conn, locks: make(chan *os.File, 16)}
	if err := conn.ExportMethodTable(map[string]any{"Inhibit": l.inhibit}, logindPath, logindManager); err != nil {
		t.Fatal(err)
	}
	if err := conn.ExportMethodTable(map[string]any{"Get": l.get}, logindPath, "org.freedesktop.DBus.Properties"); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.RequestName(logindName, dbus.NameFlagReplaceExisting|dbus.NameFlagAllowReplacement); err != nil {
		t.Fatal(err)
	}
	return l
}

func (l *Logind) inhibit(what, who, why, mode string) (dbus.UnixFD, *dbus.Error) {
	if what != "sleep" || mode != "delay" || who == "" || why == "" {
		return 0, dbus.MakeFailedError(fmt.Errorf("unexpected %q %q %q %q", what, who, why, mode))
	}
	r, w, err := os.Pipe()
	if err != nil {
		return 0, dbus.MakeFailedError(err)
	}
	// The bus sends a copy. Close ours, or the lock is never released.
	fd, err := syscall.Dup(int(w.Fd()))
	w.Close()
	if err != nil {
		return 0, dbus.MakeFailedError(err)
	}
	time.AfterFunc(100*time.Millisecond, func() { syscall.Close(fd) })
	l.locks <- r
	return dbus.UnixFD(fd), nil
}

func (l *Logind) get(iface, name string) (dbus.Variant, *dbus.Error) {
	if iface != logindManager || name != "PreparingForSleep" {
		return dbus.MakeVariant(""), dbus.MakeFailedError(fmt.Errorf("no property %s.%s", iface, name))
	}
	return dbus.MakeVariant(l.going.Load()), nil
}

// PrepareForSleep says that the machine is about to sleep, or that it has woken up.
func (l *Logind) PrepareForSleep(going bool) {
	l.t.Helper()
	l.going.Store(going)
	l.Signal(going)
}

// Signal sends what PrepareForSleep sends, without a change of logind's state.
func (l *Logind) Signal(going bool) {
	l.t.Helper()
	if err := l.conn.Emit(logindPath, logindManager+".PrepareForSleep", going); err != nil {
		l.t.Fatal(err)
	}
}

// Lock returns the next inhibitor lock that is taken.
func (l *Logind) Lock(deadline time.Duration) *Lock {
	l.t.Helper()
	select {
	case r := <-l.locks:
		l.t.Cleanup(func() { r.Close() })
		return &Lock{l.t, r}
	case <-time.After(deadline):
		l.t.Fatalf("no inhibitor was taken within %v", deadline)
		return nil
	}
}

// Lock is an inhibitor lock that somebody has taken.
type Lock struct {
	t testing.TB
	r *os.File // what is read from it ends when the lock is released
}

// Held waits for so long, and reports whether the lock is still not released.
func (l *Lock) Held(patience time.Duration) bool {
	l.r.SetReadDeadline(time.Now().Add(patience))
	_, err := l.r.Read(make([]byte, 1))
	return errors.Is(err, os.ErrDeadlineExceeded)
}

// Released waits until the lock is released, and returns how long that took.
func (l *Lock) Released(deadline time.Duration) time.Duration {
	l.t.Helper()
	start := time.Now()
	if l.Held(deadline) {
		l.t.Fatalf("the inhibitor is still held after %v", deadline)
	}
	return time.Since(start)
}
