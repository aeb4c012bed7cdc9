package main

import (
	"net"
	"os/exec"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// TestFilesRunOut: a worker that may have hardly any files open serves what it can, and is well
// again once its clients have gone; also where the link was lost meanwhile.
func TestFilesRunOut(t *testing.T) {
	for _, transport := range []tunnelfile.Transport{tunnelfile.TransportNative, tunnelfile.TransportOpenSSH} {
		t.Run(string(transport), func(t *testing.T) {
			s := testbed.StartServer(t, testbed.ServerOptions{})
			addr, line := local(t, testbed.Echo(t, "tcp", "127.0.0.1:0").String())
			p := newProgram(t, fileFor(s, line, "Transport="+string(transport), "RetryMax=1s", "GateTime=0"))
			cmd := p.command(nil, p.Path)
			shell, err := exec.LookPath("sh")
			if err != nil {
				t.Fatal(err)
			}
			cmd.Args = append([]string{"sh", "-c", `ulimit -n 48; exec "$0" "$@"`}, cmd.Args...)
			cmd.Path = shell
			p.StartCommand(cmd)
			p.UntilState(tunnelfile.Up)
			var clients []net.Conn
			for range 100 {
				conn, err := net.DialTimeout("tcp", addr, 5*time.Second)
				if err != nil {
					continue
				}
				conn.Write([]byte("x"))
				clients = append(clients, conn)
			}
			s.KillSessions(9)
			for _, conn := range clients {
				conn.Close()
			}
			testbed.WaitFor(t, 60*time.Second, func() error { return testbed.EchoAt(addr, 1000, 10*time.Second) })
			p.UntilState(tunnelfile.Up)
		})
	}
}
