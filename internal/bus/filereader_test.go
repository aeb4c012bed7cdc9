package bus

import (
	"net"
	"path/filepath"
	"testing"

	"github.com/holdfast/holdfast/testbed"
)

// A socket that is closed under its reader is an error, and no negative count: bufio panics.
func TestFileReaderAfterClose(t *testing.T) {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(testbed.SocketDir(t), "s"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	socket, err := net.DialUnix("unix", nil, l.Addr().(*net.UnixAddr))
	if err != nil {
		t.Fatal(err)
	}
	socket.Close()
	r := &fileReader{socket: socket}
	if n, err := r.Read(make([]byte, 10)); n != 0 || err == nil {
		t.Errorf("%d bytes, %v", n, err)
	}
}
