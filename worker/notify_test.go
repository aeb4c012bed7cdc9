package worker

import (
	"log/slog"
	"net"
	"path/filepath"
	"testing"
	"time"

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
		message, rights := make([]byte, 1000), make([]byte, 1000)
		manager.SetReadDeadline(time.Now().Add(5 * time.Second))
		count, rightsCount, _, _, err := manager.ReadMsgUnix(message, rights)
		if err != nil {
			t.Fatal(err)
		}
		return string(message[:count]), rightsCount
	}

	n.ready("up: 1 forward\nand more")
	if text, fds := receive(); text != "READY=1\nSTATUS=up: 1 forward and more" || fds != 0 {
		t.Errorf("ready sent %q and %d bytes of rights", text, fds)
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
