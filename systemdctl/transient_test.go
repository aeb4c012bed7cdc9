//go:build testbed

package systemdctl

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/tunnelfile"
)

// The test binary is also the program of the units that need more than a shell.
func TestMain(m *testing.M) {
	switch os.Getenv("SYSTEMDCTL_HELPER") {
	case "serve":
		serve(os.NewFile(3, "socket"))
	case "store":
		storeAndServe()
	}
	os.Exit(m.Run())
}

// serve answers each connection with its own process id, and ends on "exit N".
func serve(f *os.File) {
	l, err := net.FileListener(f)
	if err != nil {
		panic(err)
	}
	for {
		conn, err := l.Accept()
		if err != nil {
			panic(err)
		}
		line, _ := bufio.NewReader(conn).ReadString('\n')
		var status int
		if n, _ := fmt.Sscanf(line, "exit %d", &status); n == 1 {
			os.Exit(status)
		}
		fmt.Fprintln(conn, os.Getpid())
		_ = conn.Close()
	}
}

// storeAndServe serves a listener of its own, which it leaves with systemd.
func storeAndServe() {
	if os.Getenv("LISTEN_FDS") == "1" {
		serve(os.NewFile(3, "stored"))
	}
	l, err := net.Listen("unix", os.Getenv("SYSTEMDCTL_PATH"))
	if err != nil {
		panic(err)
	}
	f, err := l.(*net.UnixListener).File()
	if err != nil {
		panic(err)
	}
	notify, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		panic(err)
	}
	message := []byte("FDSTORE=1\nFDNAME=mine\nREADY=1\n")
	if err := unix.Sendmsg(notify, message, unix.UnixRights(int(f.Fd())), &unix.SockaddrUnix{Name: os.Getenv("NOTIFY_SOCKET")}, 0); err != nil {
		panic(err)
	}
	serve(f)
}

// helper is a service that runs the test binary as one of its helpers.
func helper(t *testing.T, name, what string, s Service) Transient {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s.ExecStart = []string{self}
	s.Environment = append(s.Environment, "SYSTEMDCTL_HELPER="+what)
	if s.Type == "" {
		s.Type = "exec"
	}
	return Transient{name, s.Properties()}
}

// ask sends a line and returns what comes back.
func ask(address, line string) (string, error) {
	conn, err := net.DialTimeout("unix", address, 5*time.Second)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := fmt.Fprintln(conn, line); err != nil {
		return "", err
	}
	answer, err := io.ReadAll(conn)
	return strings.TrimSpace(string(answer)), err
}

func subState(want string) func(Unit, error) bool {
	return func(u Unit, err error) bool { return err == nil && u.SubState == want }
}

// TestPair makes a socket and its service in one call, starts the service by a
// connection, and kills it under a connection that waits.
func TestPair(t *testing.T) {
	ctx, c := connect(t)
	path := filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "pair.sock")
	socket := Transient{"pair@a-b.socket", Socket{Description: "a pair's socket", Slice: "app-pair.slice", ListenStream: []string{path, "127.0.0.1:7777", "[::1]:7777"},
		SocketMode: 0o600, FileDescriptorName: "mine", RemoveOnStop: true, TriggerLimitInterval: 3 * time.Second, TriggerLimitBurst: 30, Backlog: 77}.Properties()}
	service := helper(t, "pair@a-b.service", "serve", Service{Description: "a pair's service", Slice: "app-pair.slice", Restart: "always",
		RestartDelay: 300 * time.Millisecond, RestartPreventExitStatus: []int32{0, 77}, Environment: []string{"MARK=1"}, TimeoutStart: tunnelfile.Infinity})
	start(ctx, t, c, socket, service)
	await(ctx, t, c, "pair@a-b.socket", "listening", subState("listening"))
	props := all(ctx, t, c, "pair@a-b.socket")
	for name, want := range map[string]string{"SocketMode": "@u 384", "FileDescriptorName": `"mine"`, "RemoveOnStop": "true", "Backlog": "@u 77",
		"TriggerLimitIntervalUSec": "@t 3000000", "TriggerLimitBurst": "@u 30", "Slice": `"app-pair.slice"`, "FlushPending": "false",
		"Listen": fmt.Sprintf(`[["Stream", %q], ["Stream", "127.0.0.1:7777"], ["Stream", "[::1]:7777"]]`, path)} {
		if got := props[name].String(); got != want {
			t.Errorf("%s = %s, want %s", name, got, want)
		}
	}

	first, err := ask(path, "who")
	if err != nil {
		t.Fatal(err)
	}
	u := await(ctx, t, c, "pair@a-b.service", "running", subState("running"))
	if fmt.Sprint(u.MainPID) != first || u.Description != "a pair's service" || u.Environment[0] != "MARK=1" || u.StateChange.IsZero() || u.Job {
		t.Errorf("unit is %+v, main process %s", u, first)
	}

	if err := c.Kill(ctx, "pair@a-b.service", syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	await(ctx, t, c, "pair@a-b.service", "waiting to restart", subState("auto-restart"))
	if err := c.Kill(ctx, "pair@a-b.service", syscall.SIGUSR1); !errors.Is(err, ErrNoProcess) {
		t.Errorf("signal to nobody: %v, want ErrNoProcess", err)
	}
	second, err := ask(path, "who") // queued by the socket
	if err != nil || second == first {
		t.Errorf("in the gap: %q, %v", second, err)
	}
	if u = await(ctx, t, c, "pair@a-b.service", "running", subState("running")); u.NRestarts != 1 {
		t.Errorf("%d restarts, want 1", u.NRestarts)
	}

	// Exit status 0 ends it in spite of Restart=always; the next connection starts it.
	if _, err := ask(path, "exit 0"); err != nil {
		t.Fatal(err)
	}
	await(ctx, t, c, "pair@a-b.service", "inactive", func(u Unit, err error) bool { return err == nil && u.ActiveState == "inactive" })
	if third, err := ask(path, "who"); err != nil || third == second {
		t.Errorf("after its end: %q, %v", third, err)
	}

	// A transient socket that is stopped is gone, while its service runs on; systemd
	// refuses to make another as long as it does.
	if err := c.Stop(ctx, "pair@a-b.socket"); err != nil {
		t.Fatal(err)
	}
	await(ctx, t, c, "pair@a-b.socket", "gone", func(u Unit, err error) bool { return errors.Is(err, ErrNoSuchUnit) })
	if err := c.StartTransient(ctx, socket); err != nil {
		t.Fatal(err)
	}
	u = await(ctx, t, c, "pair@a-b.socket", "done with its job", func(u Unit, err error) bool { return err != nil || !u.Job })
	if u.ActiveState == "active" {
		t.Errorf("the socket started while its service ran: %+v", u)
	}
	if u, err := c.Unit(ctx, "pair@a-b.service"); err != nil || u.ActiveState != "active" {
		t.Errorf("the service is %+v, %v", u, err)
	}
}

// TestStore kills a service that left a listener with systemd: its clients wait, and
// the next life gets the listener back.
func TestStore(t *testing.T) {
	ctx, c := connect(t)
	path := filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "store.sock")
	start(ctx, t, c, helper(t, "store.service", "store", Service{Type: "notify", NotifyAccess: "main", FileDescriptorStoreMax: 8,
		Restart: "always", RestartDelay: 300 * time.Millisecond, Environment: []string{"SYSTEMDCTL_PATH=" + path}}))
	await(ctx, t, c, "store.service", "running", subState("running"))
	first, err := ask(path, "who")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Kill(ctx, "store.service", syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	await(ctx, t, c, "store.service", "waiting to restart", subState("auto-restart"))
	second, err := ask(path, "who")
	if err != nil || second == first {
		t.Errorf("in the gap: %q, %v", second, err)
	}
}

// TestSpin measures what a connection does to a service that cannot serve it.
func TestSpin(t *testing.T) {
	ctx, c := connect(t)
	runs := func(name string) int {
		b, _ := os.ReadFile("/tmp/" + name)
		return len(b)
	}
	spin := func(name, end string, more ...Property) func() {
		_ = os.Remove("/tmp/" + name)
		more = append(more, property("Restart", "always"), property("RestartUSec", usec(time.Second)),
			property("RestartPreventExitStatus", exitStatuses{[]int32{78}, []int32{}}))
		start(ctx, t, c, Transient{name + ".socket", Socket{ListenStream: []string{"@" + name}, TriggerLimitInterval: 2 * time.Second, TriggerLimitBurst: 20}.Properties()},
			shell(name+".service", "printf . >>/tmp/"+name+"; "+end, more...))
		await(ctx, t, c, name+".socket", "listening", subState("listening"))
		conn, err := net.Dial("unix", "@"+name)
		if err != nil {
			t.Fatal(err)
		}
		return func() { _ = conn.Close() }
	}

	hangUp := spin("spin-limited", "exit 78", property("StartLimitIntervalUSec", uint64(10e6)), property("StartLimitBurst", uint32(5)))
	u := await(ctx, t, c, "spin-limited.socket", "failed", subState("failed"))
	if n := runs("spin-limited"); u.Result != "service-start-limit-hit" || n != 5 {
		t.Errorf("with a start limit: %s after %d runs", u.Result, n)
	}
	hangUp()

	begin := time.Now()
	hangUp = spin("spin", "exit 78", property("StartLimitIntervalUSec", uint64(0)))
	u = await(ctx, t, c, "spin.socket", "failed", subState("failed"))
	if n := runs("spin"); u.Result != "trigger-limit-hit" || n != 20 {
		t.Errorf("without: %s after %d runs", u.Result, n)
	}
	t.Logf("trigger limit hit after %v", time.Since(begin))
	if _, err := net.Dial("unix", "@spin"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a failed socket: %v, want connection refused", err)
	}
	hangUp()

	begin = time.Now()
	hangUp = spin("spin-restart", "exit 1", property("StartLimitIntervalUSec", uint64(0)))
	await(ctx, t, c, "spin-restart.service", "restarted twice", func(u Unit, err error) bool { return err == nil && u.NRestarts == 2 })
	if took := time.Since(begin); took < 2*time.Second {
		t.Errorf("a connection that waits cut RestartSec short: two restarts in %v", took)
	}
	hangUp()
}

func TestLeftovers(t *testing.T) {
	ctx, c := connect(t)
	failing := shell("leftover.service", "exit 1")
	start(ctx, t, c, failing)
	await(ctx, t, c, "leftover.service", "failed", subState("failed"))
	if err := c.StartTransient(ctx, shell("leftover.service", "sleep 1000")); err != nil {
		t.Fatalf("over a failed one: %v", err)
	}
	await(ctx, t, c, "leftover.service", "running", subState("running"))
	if err := c.StartTransient(ctx, failing); !errors.Is(err, ErrUnitExists) {
		t.Errorf("over a running one: %v, want ErrUnitExists", err)
	}

	// A service that failed under a socket that listens, the whole pair made anew.
	socket := Transient{"left.socket", Socket{ListenStream: []string{"@left"}}.Properties()}
	service := shell("left.service", "exit 1", property("StartLimitBurst", uint32(2)))
	start(ctx, t, c, socket, service)
	await(ctx, t, c, "left.socket", "listening", subState("listening"))
	conn, err := net.Dial("unix", "@left")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	await(ctx, t, c, "left.socket", "failed", subState("failed"))
	if err := c.StartTransient(ctx, socket, shell("left.service", "sleep 1000")); err != nil {
		t.Errorf("over a failed pair: %v", err)
	}
	await(ctx, t, c, "left.socket", "listening", subState("listening"))
}

func TestErrors(t *testing.T) {
	ctx, c := connect(t)
	if _, err := c.Unit(ctx, "no-such.service"); !errors.Is(err, ErrNoSuchUnit) {
		t.Errorf("Unit: %v", err)
	}
	for what, err := range map[string]error{
		"Start":       c.Start(ctx, "no-such.service"),
		"Stop":        c.Stop(ctx, "no-such.service"),
		"Restart":     c.Restart(ctx, "no-such.service"),
		"ResetFailed": c.ResetFailed(ctx, "no-such.service"),
		"Kill":        c.Kill(ctx, "no-such.service", syscall.SIGHUP),
	} {
		if !errors.Is(err, ErrNoSuchUnit) || strings.Count(err.Error(), "no-such.service") != 1 {
			t.Errorf("%s: %v, want ErrNoSuchUnit with the name once", what, err)
		}
	}
	if units, err := c.List(ctx, "no-such*"); err != nil || len(units) != 0 {
		t.Errorf("List: %v, %v", units, err)
	}
	if err := c.StartTransient(ctx, Transient{"bad.service", []Property{property("Frobnicate", true)}}); err == nil || !strings.Contains(err.Error(), "Frobnicate") {
		t.Errorf("an unknown property: %v", err)
	}
	if monotonic, err := c.UserspaceTimestampMonotonic(ctx); err != nil || monotonic == 0 {
		t.Errorf("started at %d: %v", monotonic, err)
	}

	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere")
	if _, err := Connect(ctx, User); !errors.Is(err, ErrNoManager) {
		t.Errorf("no bus: %v", err)
	}
}

// TestRequiredUnitIsNotThere holds that a unit that is required and not there is named.
func TestRequiredUnitIsNotThere(t *testing.T) {
	ctx, c := connect(t)
	for _, key := range []string{"Requires", "BindsTo", "Requisite"} {
		props, errs := Properties(User, "Unit", []Setting{{key, "nowhere.service"}, {"After", "nowhere.service"}})
		if errs[0] != nil || errs[1] != nil {
			t.Fatal(errs)
		}
		service := Service{ExecStart: []string{"/bin/sleep", "1000"}}
		unit := Transient{"lonely.service", append(service.Properties(), props...)}
		socket := Transient{"lonely.socket", Socket{ListenStream: []string{"@lonely"}}.Properties()}
		err := c.StartTransient(ctx, unit, socket)
		if err == nil && key == "Requisite" {
			continue // the job fails, which is told by the unit
		}
		if err == nil || !strings.Contains(err.Error(), "it requires nowhere.service, and there is no such unit") || fault.ReasonOf(err) != fault.Dependency || !errors.Is(err, ErrNoSuchUnit) {
			t.Errorf("%s: %v, reason %q", key, err, fault.ReasonOf(err))
		}
		clean(t, c, socket, unit)
	}
	unit := Transient{"odd.service", append(Service{ExecStart: []string{"/bin/true"}}.Properties(), property("Slice", "not a slice"))}
	if err := c.StartTransient(ctx, unit); fault.ReasonOf(err) != fault.Settings {
		t.Errorf("a setting that systemd does not take: %v, reason %q", err, fault.ReasonOf(err))
	}
}
