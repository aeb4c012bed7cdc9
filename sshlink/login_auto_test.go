package sshlink

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// TestLoginsByCompression tries what only ssh compresses.
func TestLoginsByCompression(t *testing.T) {
	testbed.Need(t, "ssh", "sshd")
	s := testbed.StartServer(t, testbed.ServerOptions{})
	without := testbed.StartServer(t, testbed.ServerOptions{Config: []string{"Compression no"}})
	const auto, native, openssh = tunnelfile.TransportAuto, tunnelfile.TransportNative, tunnelfile.TransportOpenSSH
	tryBoth(t, []loginRow{
		{name: "Compression yes", want: in, config: withKey(s, "host") + " Compression yes\n", transport: auto, via: openssh, why: "Compression=yes"},
		{name: "Compression yes, the server has none", want: in, config: withKey(without, "host") + " Compression yes\n", transport: auto, via: openssh},
		{name: "Compression no", want: in, config: withKey(s, "host") + " Compression no\n", transport: auto, via: native},
		{name: "Compression of a jump host", want: in, config: withKey(s, "host") + " ProxyJump jump\n" + withKey(without, "jump") + " Compression yes\n", transport: auto, via: openssh, why: "ProxyJump jump: Compression=yes"},
	})
}

// Types of record, RFC 1035, 3596 and 4255.
const typeA, typeAAAA, typeSSHFP = 1, 28, 44

// nameServer answers DNS questions by UDP: nil is no record. It says of each answer that DNSSEC was
// checked.
func nameServer(t testing.TB, address string, answer func(name string, kind uint16) []byte) (at string) {
	t.Helper()
	c, err := net.ListenPacket("udp", address)
	if err != nil {
		testbed.NotHere(t, err.Error())
	}
	t.Cleanup(func() { c.Close() })
	go func() {
		query := make([]byte, 512)
		for {
			n, from, err := c.ReadFrom(query)
			if err != nil {
				return
			}
			var name []string
			at := 12
			for at < n && query[at] > 0 && at+1+int(query[at]) < n {
				name = append(name, string(query[at+1:at+1+int(query[at])]))
				at += 1 + int(query[at])
			}
			if at+5 > n {
				continue
			}
			question := query[12 : at+5]
			data := answer(strings.Join(name, "."), binary.BigEndian.Uint16(query[at+1:]))
			reply := append([]byte{}, query[:2]...)
			reply = append(reply, 0x81, 0xa0, 0, 1, 0, min(1, byte(len(data))), 0, 0, 0, 0) // RD, RA, AD
			reply = append(reply, question...)
			if data != nil {
				reply = append(reply, 0xc0, 12)
				reply = append(reply, question[len(question)-4:]...)
				reply = append(reply, 0, 0, 0, 60)
				reply = binary.BigEndian.AppendUint16(reply, uint16(len(data)))
				reply = append(reply, data...)
			}
			c.WriteTo(reply, from)
		}
	}()
	return c.LocalAddr().String()
}

// twoAddresses knows two addresses of every name: ::1 and 127.0.0.1.
func twoAddresses(t testing.TB) (at string) {
	return nameServer(t, "127.0.0.1:0", func(_ string, kind uint16) []byte {
		switch kind {
		case typeA:
			return []byte{127, 0, 0, 1}
		case typeAAAA:
			return net.IPv6loopback
		}
		return nil
	})
}

// TestLoginsByDNS lets DNS vouch for host keys that no known_hosts file has.
func TestLoginsByDNS(t *testing.T) {
	testbed.Need(t, "ssh", "sshd")
	s := testbed.StartServer(t, testbed.ServerOptions{})
	stranger := testbed.NewKey(t, filepath.Join(t.TempDir(), "stranger"), "ed25519", "")
	keys := map[string]ssh.PublicKey{"right.holdfast.test": s.HostKeys[0].Public, "wrong.holdfast.test": stranger.Public}
	const resolver = "127.0.53.53" // resolv.conf has no room for a port
	nameServer(t, resolver+":53", func(name string, kind uint16) []byte {
		switch key := keys[name]; {
		case kind == typeA:
			return []byte{127, 0, 0, 1}
		case kind == typeSSHFP && key != nil:
			sum := sha256.Sum256(key.Marshal())
			return append([]byte{4, 2}, sum[:]...) // Ed25519, SHA-256
		}
		return nil
	})
	resolv := filepath.Join(t.TempDir(), "resolv.conf")
	write(t, resolv, "nameserver "+resolver+"\noptions edns0 trust-ad\n")
	wrapProgram(t, "ssh", map[string]string{"/etc/resolv.conf": resolv})
	host := func(name string) string {
		text := strings.Replace(withKey(s, "host"), "HostName 127.0.0.1", "HostName "+name+".holdfast.test", 1)
		return strings.ReplaceAll(text, s.KnownHosts, "none") + " VerifyHostKeyDNS yes\n"
	}
	const auto, openssh = tunnelfile.TransportAuto, tunnelfile.TransportOpenSSH
	tryBoth(t, []loginRow{
		{name: "DNS knows it", want: in, config: host("right"), transport: auto, via: openssh, why: "VerifyHostKeyDNS=yes"},
		{name: "DNS knows another", want: changedKey, config: host("wrong"), transport: auto, via: openssh, says: "DNS has the fingerprint of another"},
		{name: "DNS knows none", want: unknownKey, config: host("none"), transport: auto, via: openssh, says: fmt.Sprint(ssh.FingerprintSHA256(s.HostKeys[0].Public))},
	})
}
