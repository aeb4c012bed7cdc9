package native

import (
	"bytes"
	"crypto/rand"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/sshlink/config"
	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// TestBatching sends packets of every length around x/crypto's buffer over each cipher that
// batching is for, one at a time: a chunk that was kept back for nothing would never come back.
func TestBatching(t *testing.T) {
	s := testbed.StartServer(t, testbed.ServerOptions{})
	target, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	go func() {
		for {
			c, err := target.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); io.Copy(c, c) }()
		}
	}()
	for _, cipher := range []string{"aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com", "aes128-ctr"} {
		t.Run(cipher, func(t *testing.T) {
			source := config.Source{Destination: s.Host, ConfigFile: "none"}
			for _, line := range append(s.SSHSettings(), "Ciphers="+cipher) {
				key, value, _ := strings.Cut(line, "=")
				source.Settings = append(source.Settings, tunnelfile.Setting{Key: key, Value: value})
			}
			o, err := config.Resolve(t.Context(), source)
			if err != nil {
				t.Fatal(err)
			}
			l, err := Dial(t.Context(), o, nil, false)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			if batches := l.Conn.Batching(); batches != (cipher != "aes128-ctr") {
				t.Fatalf("batching: %v", batches)
			}
			c, err := l.DialContext(t.Context(), "tcp", target.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			sent, got := make([]byte, 33<<10), make([]byte, 33<<10)
			rand.Read(sent)
			timer := time.AfterFunc(30*time.Second, func() { l.Close() })
			defer timer.Stop()
			lengths := []int{1, 8150, 8160, 8170, 8192, 32 << 10, 33 << 10}
			for n := 4020; n <= 4110; n++ {
				lengths = append(lengths, n)
			}
			for _, n := range lengths {
				if _, err := c.Write(sent[:n]); err != nil {
					t.Fatal(err)
				}
				if _, err := io.ReadFull(c, got[:n]); err != nil || !bytes.Equal(got[:n], sent[:n]) {
					t.Fatalf("%d bytes: %v", n, err)
				}
			}
		})
	}
}
