package netwatch

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/holdfast/holdfast/testbed"
)

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
	address, _ := testbed.PrivateBus(t)
	logind := testbed.NewLogind(t, address)
	w := watchQuietly(t, address)
	for range 2 {
		lock := logind.Lock(10 * time.Second)
		if !lock.Held(200 * time.Millisecond) {
			t.Fatal("the inhibitor was released before the machine wanted to sleep")
		}
		logind.PrepareForSleep(true)
		s := nextSleep(t, w)
		if !s.Going {
			t.Fatal("told of waking first")
		}
		if !lock.Held(200 * time.Millisecond) {
			t.Fatal("the inhibitor was released before the tunnels were told")
		}
		s.Release()
		s.Release()
		if lock.Held(releaseTimeout / 2) {
			t.Fatal("Release does not release the inhibitor")
		}
		logind.PrepareForSleep(false)
		if s := nextSleep(t, w); s.Going {
			t.Fatal("waking was not told")
		}
	}
	logind.Lock(10 * time.Second) // for the next sleep
}

func TestSleepNobodyReleases(t *testing.T) {
	address, _ := testbed.PrivateBus(t)
	logind := testbed.NewLogind(t, address)
	w := watchQuietly(t, address)
	lock := logind.Lock(10 * time.Second)
	logind.PrepareForSleep(true)
	nextSleep(t, w)
	start := time.Now()
	if lock.Held(2 * releaseTimeout) {
		t.Fatalf("still held after %v", time.Since(start))
	}
	// Nobody reads either: waking up is what is told in the end.
	logind.PrepareForSleep(false)
	nextSleep(t, w)
	lock = logind.Lock(10 * time.Second)
	logind.PrepareForSleep(true)
	if lock.Held(2 * releaseTimeout) {
		t.Fatal("held up a sleep that nobody was there to be told of")
	}
}

func TestWokenBeforeReleased(t *testing.T) {
	address, _ := testbed.PrivateBus(t)
	logind := testbed.NewLogind(t, address)
	w := watchQuietly(t, address)
	first := logind.Lock(10 * time.Second)
	logind.PrepareForSleep(true)
	going := nextSleep(t, w)
	logind.PrepareForSleep(false) // the sleep did not come about
	nextSleep(t, w)
	second := logind.Lock(10 * time.Second)
	if first.Held(releaseTimeout / 2) {
		t.Error("the first inhibitor is held")
	}
	going.Release() // of the first, and not of another file with its number
	if !second.Held(200 * time.Millisecond) {
		t.Error("the second inhibitor was released with the first")
	}
}

func TestLogindRestarted(t *testing.T) {
	address, _ := testbed.PrivateBus(t)
	first := testbed.NewLogind(t, address)
	w := watchQuietly(t, address)
	lock := first.Lock(10 * time.Second)
	second := testbed.NewLogind(t, address)
	second.Lock(10 * time.Second)
	if lock.Held(5 * time.Second) {
		t.Error("the lock of the logind before is held")
	}
	second.PrepareForSleep(true)
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
	address, _ := testbed.PrivateBus(t)
	logind := testbed.NewLogind(t, address)
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
	lock := logind.Lock(10 * time.Second)
	logind.PrepareForSleep(true)
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "told\n" {
		t.Fatalf("%q, %v", line, err)
	}
	process.Process.Signal(syscall.SIGKILL)
	start := time.Now()
	if lock.Held(releaseTimeout / 2) {
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
	address, restart := testbed.PrivateBus(t)
	logind := testbed.NewLogind(t, address)
	w := watchQuietly(t, address)
	logind.Lock(10 * time.Second)
	restart()
	logind = testbed.NewLogind(t, address)
	logind.Lock(10 * time.Second)
	logind.PrepareForSleep(true)
	nextSleep(t, w).Release()
}

// TestHostileBusSleep holds that only logind says that the machine sleeps, and that its signal
// alone says nothing.
func TestHostileBusSleep(t *testing.T) {
	address, _ := testbed.PrivateBus(t)
	logind := testbed.NewLogind(t, address)
	w := watchQuietly(t, address)
	lock := logind.Lock(10 * time.Second)
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
	if !lock.Held(50 * time.Millisecond) {
		t.Error("the inhibitor was released")
	}
	logind.PrepareForSleep(true)
	s := nextSleep(t, w)
	if !s.Going {
		t.Error("logind is not believed")
	}
	s.Release()
	// It sends the signal, yet is not about to sleep: what it is, counts.
	logind.Signal(false)
	if s := nextSleep(t, w); !s.Going {
		t.Error("the signal's word counts for more than logind's state")
	}
	t.Logf("| forged sleep | %d tries | 0 crashed | 0 lost | 0 let in |", tries)
}
