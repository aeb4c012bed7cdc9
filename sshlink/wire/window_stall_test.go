//go:build !fixedwindow

package wire

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/holdfast/holdfast/testbed"
)

// TestWindowsOfEverySizeDoNotStall fills windows of several sizes through a real sshd on a line of
// 40 ms, and then wants every byte, in its order, and another channel served meanwhile.
//
// It is why largeWindow is 15 MiB. None stalled for good with OpenSSH 9.2. But what follows a full
// window, read at once, came with 128 to 245 MiB/s at 8 MiB, 155 to 298 at 15, and 34, 68 and 662 at
// 32 (three runs, two CPUs with nothing else to do).
func TestWindowsOfEverySizeDoNotStall(t *testing.T) {
	if why := FixedWindow(); why != "" {
		t.Fatal(why)
	}
	server := testbed.StartServer(t, testbed.ServerOptions{})
	proxy := testbed.NewProxy(t, server.Addr)
	proxy.SetDelay(20 * time.Millisecond)
	for _, size := range []int64{8 << 20, largeWindow, 32 << 20} {
		t.Run(fmt.Sprintf("%d MiB", size>>20), func(t *testing.T) {
			b := login(t, server, proxy.Addr)
			total := 2 * size
			var written atomic.Int64
			target := testbed.Serve(t, "tcp", "127.0.0.1:0", func(c net.Conn) {
				chunk := make([]byte, 64<<10)
				for at := int64(0); at < total; at += int64(len(chunk)) {
					for i := 0; i < len(chunk); i += 8 {
						binary.BigEndian.PutUint64(chunk[i:], uint64(at)+uint64(i))
					}
					n, err := c.Write(chunk)
					written.Add(int64(n))
					if err != nil {
						return
					}
				}
			})
			echo := channelTo(t, b, testbed.Echo(t, "tcp", "127.0.0.1:0"))
			c := channelTo(t, b, target)
			if more := size - c.window.size; c.window.resize(more) {
				c.window.consumed += more
				c.window.wanted = size
			} else {
				t.Fatal("no room for the window")
			}
			var at int64
			read := func(n int64) {
				t.Helper()
				chunk := make([]byte, 256<<10)
				for end := at + n; at < end; {
					k, err := io.ReadFull(c, chunk[:min(int64(len(chunk)), end-at)])
					if err != nil {
						t.Fatalf("after %d bytes: %v", at, err)
					}
					for i := 0; i < k; i += 8 {
						if got := binary.BigEndian.Uint64(chunk[i:]); got != uint64(at)+uint64(i) {
							t.Fatalf("%d came at %d", got, at+int64(i))
						}
					}
					at += int64(k)
				}
			}
			// What was read tells the server of the window, some of it with the next credit only.
			for range 8 {
				read(2 * creditAfter)
				for end := time.Now().Add(time.Second); written.Load()-at < size-2*creditAfter && time.Now().Before(end); {
					time.Sleep(time.Millisecond)
				}
			}
			if n := written.Load() - at; n < size-2*creditAfter {
				t.Fatalf("%d bytes of %d are on their way", n, size)
			}
			answered := make(chan error, 1)
			go func() {
				_, err := io.WriteString(echo, "x")
				if err == nil {
					_, err = io.ReadFull(echo, make([]byte, 1))
				}
				answered <- err
			}()
			select {
			case err := <-answered:
				if err != nil {
					t.Error(err)
				}
			case <-time.After(10 * time.Second):
				t.Error("another channel is not served")
			}
			stall := time.AfterFunc(30*time.Second, func() { b.Close() })
			defer stall.Stop()
			begin, rest := time.Now(), total-at
			read(rest)
			t.Logf("%d MiB were held; the rest, read at once, came with %.0f MiB/s", size>>20, float64(rest)/(1<<20)/time.Since(begin).Seconds())
		})
	}
}

// login is a link to a real sshd, reached at addr.
func login(t *testing.T, server *testbed.Server, addr string) *Base {
	t.Helper()
	pem, err := os.ReadFile(server.IdentityFile)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.ParsePrivateKey(pem)
	if err != nil {
		t.Fatal(err)
	}
	tcp, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	conn := NewConn(tcp)
	t.Cleanup(func() { conn.End() })
	sc, chans, reqs, err := ssh.NewClientConn(conn, addr, &ssh.ClientConfig{
		User: server.User, Auth: []ssh.AuthMethod{ssh.PublicKeys(signer)}, HostKeyCallback: ssh.InsecureIgnoreHostKey(),
	})
	if err != nil {
		t.Fatal(err)
	}
	go ssh.DiscardRequests(reqs)
	go func() {
		for ch := range chans {
			ch.Reject(ssh.Prohibited, "")
		}
	}()
	b := NewBase(conn, sc, addr)
	b.Watch()
	return b
}

// channelTo opens a channel to a TCP address on the server's side.
func channelTo(t *testing.T, b *Base, to net.Addr) *Channel {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	addr := to.(*net.TCPAddr)
	ch, reqs, err := b.OpenChannel(ctx, "direct-tcpip", ssh.Marshal(struct {
		Host       string
		Port       uint32
		Origin     string
		OriginPort uint32
	}{addr.IP.String(), uint32(addr.Port), "127.0.0.1", 1}))
	if err != nil {
		t.Fatal(err)
	}
	c := b.NewChannel(ch, reqs, nil, nil)
	t.Cleanup(func() { c.Close() })
	return c
}
