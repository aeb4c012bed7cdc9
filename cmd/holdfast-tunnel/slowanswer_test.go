package main

import (
	"crypto/ed25519"
	"fmt"
	"net"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// silentServer lets everybody in and answers each request but to listen.
func silentServer(t *testing.T) (port string, logins *atomic.Int64) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	config := &ssh.ServerConfig{NoClientAuth: true}
	config.AddHostKey(signer)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	logins = new(atomic.Int64)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				_, channels, requests, err := ssh.NewServerConn(c, config)
				if err != nil {
					return
				}
				logins.Add(1)
				go func() {
					for ch := range channels {
						ch.Reject(ssh.Prohibited, "no")
					}
				}()
				for r := range requests {
					if r.WantReply && r.Type != "tcpip-forward" {
						r.Reply(false, nil)
					}
				}
			}()
		}
	}()
	_, port, _ = net.SplitHostPort(l.Addr().String())
	return port, logins
}

// TestListenIsNeverAnswered: such a server gets logins at the ordinary delays, and the tunnel is
// not up, and says why.
func TestListenIsNeverAnswered(t *testing.T) {
	port, logins := silentServer(t)
	dir := testbed.SocketDir(t)
	p := newProgram(t, "[Tunnel]\nDestination=me@127.0.0.1\nRemoteForward=9090:localhost:9090\n[SSH]\nPort="+port+
		"\nStrictHostKeyChecking=no\nUserKnownHostsFile="+filepath.Join(dir, "known")+"\nIdentityFile=none\nIdentityAgent=none\n")
	n := newNotifySocket(t)
	p.Start("NOTIFY_SOCKET=" + n.path)
	r := p.UntilState(tunnelfile.Degraded)
	if r.Reason != fault.SlowAnswer || r.Forwards[0].Reason != fault.SlowAnswer {
		t.Errorf("%+v", r)
	}
	// Beside a link that answers nothing another is made, at the ordinary delays: see the keeper.
	testbed.WaitFor(t, time.Minute, func() error {
		if n := logins.Load(); n < 2 {
			return fmt.Errorf("%d logins", n)
		}
		return nil
	})
	p.Until("still waiting", func(r tunnelfile.Report) bool { return r.Reason == fault.SlowAnswer })
	if up := append(n.said("READY=1"), n.said("STATUS=up")...); len(up) > 0 {
		t.Errorf("said %q", up)
	}
}
