//go:build testbed

package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// TestRuntimeDirectoryFull: no room for lock files, report sockets and markers costs
// what they are for, and not the tunnel.
func TestRuntimeDirectoryFull(t *testing.T) {
	testbed.NeedRootBox(t)
	d := newDesk(t)
	if err := os.MkdirAll(runtimeDir(), 0o700); err != nil {
		t.Fatal(err)
	}
	// Its own root folder is the one file that this file system can have.
	testbed.Command(t, "mount", "-t", "tmpfs", "-o", fmt.Sprintf("nr_inodes=1,mode=0700,uid=%d,gid=%d", person.UID, person.GID), "full", runtimeDir())
	t.Cleanup(func() { testbed.Command(t, "umount", "--lazy", runtimeDir()) })
	if err := os.WriteFile(runtimeDir()+"/file", nil, 0o600); err == nil {
		t.Fatal("there is room")
	}

	s := testbed.StartServer(t, testbed.ServerOptions{User: "tester"})
	d.alias("server", s)
	local := fmt.Sprintf("127.0.0.1:%d", testbed.FreePort(t))
	d.write("full", fmt.Sprintf("[Tunnel]\nDestination=server\nLocalForward=%s %s\nStart=manual\n", local, testbed.Echo(t, "tcp", "127.0.0.1:0")))
	d.holdfast("up", "full")
	testbed.CheckEcho(t, dial(t, local), 1<<20, 20*time.Second)
	shown := d.awaitStatus("full", tunnelfile.Up, 10*time.Second)
	t.Logf("status: %+v", shown)

	s.Kill()
	d.awaitStatus("full", tunnelfile.Retrying, 10*time.Second)
	conn := dial(t, local)
	s.Start()
	testbed.CheckEcho(t, conn, 1<<20, 30*time.Second)
	if _, err := holdfast("down", "full"); err == nil || !strings.Contains(err.Error(), "cannot be remembered") {
		t.Errorf("down does not say that it is forgotten with the daemon: %v", err)
	}
	d.awaitStatus("full", tunnelfile.Inactive, 10*time.Second)
}
