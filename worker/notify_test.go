package worker

import (
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/holdfast/holdfast/testbed"
)

// TestNotify reads what the service manager would: words, and listening sockets to keep.
func TestNotify(t *testing.T) {
	path := filepath.Join(testbed.SocketDir(t), "notify")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	n := newNotifier(slog.New(slog.DiscardHandler))
	receive := func() (text string, fds int) {
		t.Helper()
		message, rights := make([]byte, 10000), make([]byte, 1000)
		manager.SetReadDeadline(time.Now().Add(5 * time.Second))
		count, rightsCount, _, _, err := manager.ReadMsgUnix(message, rights)
		if err != nil {
			t.Fatal(err)
		}
		return string(message[:count]), rightsCount
	}

	n.ready("up: 1 forward\nand more")
	for _, want := range []string{"STATUS=up: 1 forward and more", "READY=1"} {
		if text, fds := receive(); text != want || fds != 0 {
			t.Errorf("ready sent %q and %d bytes of rights, want %q", text, fds, want)
		}
	}
	n.status("retrying [lost]: " + strings.Repeat("ä", 100_000)) // no words are too long for systemd
	if text, _ := receive(); len(text) > 2100 || !utf8.ValidString(text) || !strings.HasPrefix(text, "STATUS=retrying [lost]: ä") {
		t.Errorf("%d bytes: %.60q", len(text), text)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	n.store("holdfast", l)
	if text, fds := receive(); text != "FDSTORE=1\nFDNAME=holdfast" || fds == 0 {
		t.Errorf("store sent %q and %d bytes of rights", text, fds)
	}
}

// TestNotifyBusy: a service manager that reads nothing for a while is told later what it missed, and no more than
// the last of it.
func TestNotifyBusy(t *testing.T) {
	path := filepath.Join(testbed.SocketDir(t), "notify")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	n := newNotifier(slog.New(slog.DiscardHandler))
	full, err := net.Dial("unixgram", path)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	for full.SetWriteDeadline(time.Now().Add(100*time.Millisecond)) == nil {
		if _, err := full.Write([]byte("X=1")); err != nil {
			break // nothing more fits
		}
	}
	n.status("connecting")
	n.ready("up: 1 forward")
	if n.resendAt == nil {
		t.Fatal("all was told")
	}
	got := make(chan string)
	go func() {
		defer close(got)
		message := make([]byte, 1000)
		for {
			count, err := manager.Read(message)
			if err != nil {
				return
			}
			if text := string(message[:count]); text != "X=1" {
				got <- text
			}
		}
	}()
	<-n.resendAt
	go n.resendMissed()
	for _, want := range []string{"STATUS=up: 1 forward", "READY=1"} {
		if text := <-got; text != want {
			t.Errorf("it was told %q, want %q", text, want)
		}
	}
}
