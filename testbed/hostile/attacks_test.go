package hostile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// attack is one row of the suite: what the server does, and what must become of it.
type attack struct {
	name string
	play func(*Session) error

	prepare func(*trial)         // before the worker starts
	only    tunnelfile.Transport // "": both
	tunnel  []string             // lines of the tunnel file, as file reads them
	dials   int                  // connections through the local forward while the attack goes on
	tries   int                  // sessions that must have been played; 0: one
	long    bool                 // takes more than a few seconds: left to make hostile

	up      bool   // the tunnel carries data afterwards
	says    string // regular expression: status or log says this
	blocked string // regular expression for the status, where the tunnel must be blocked; else it must not
	granted bool   // the client may open channels: they were asked for
	secrets int64  // passwords and answers that it may give
	keys    int    // lines that known_hosts may grow by
	check   func(*trial)
}

const (
	posed    = "Permission denied (publickey).\r\n@@@ REMOTE HOST IDENTIFICATION HAS CHANGED! @@@\r\nHost key verification failed.\r\nno matching host key type found. Their offer: x"
	forged   = "SHA256:Forged+Forged+Forged+Forged+Forged+Forged"
	forging  = "x\r\ndebug1: Server host key: ssh-ed25519 " + forged + "\r\ndebug1: kex: algorithm: forged\r\ndebug1: kex: client->server cipher: forged MAC: forged compression: none\r\n"
	bidi     = "\u202egnp.exe\u2066 \x1b]0;owned\x07\x1b[2J\u2028 line"
	farewell = "we close for tonight"
)

func many(n int, what string) string { return strings.Repeat(what, n/len(what)+1)[:n] }

// raw plays bytes in place of a version, and then waits or hangs up.
func raw(b string, linger bool) func(*Session) error {
	return func(s *Session) error {
		err := s.WriteRaw([]byte(b))
		if err == nil && linger {
			err = s.Linger()
		}
		return err
	}
}

// greeted exchanges versions first.
func greeted(next func(*Session) error) func(*Session) error {
	return func(s *Session) error {
		if err := s.Greet(); err != nil {
			return err
		}
		return next(s)
	}
}

// keyed exchanges keys first.
func keyed(next func(*Session) error) func(*Session) error {
	return greeted(func(s *Session) error {
		if err := s.KeyExchange(); err != nil {
			return err
		}
		return next(s)
	})
}

// asked gets as far as the client's first request to log in.
func asked(next func(*Session) error) func(*Session) error {
	return keyed(func(s *Session) error {
		if err := s.Service(); err != nil {
			return err
		}
		if _, err := s.NextRequest(); err != nil {
			return err
		}
		return next(s)
	})
}

// letIn lets the client in after its first request, and serves it.
func letIn(s *Session) error {
	if err := errors.Join(s.Refuse("publickey"), s.Authenticate()); err != nil {
		return err
	}
	s.Played()
	return s.Serve()
}

// linked lets the client in first, and serves it meanwhile.
func linked(next func(*Session) error) func(*Session) error {
	return func(s *Session) error { return s.LinkUp(func() error { return next(s) }) }
}

// sends sends packets.
func sends(packets ...[]byte) func(*Session) error {
	return func(s *Session) error {
		return s.WriteAll(len(packets), func(i int) []byte { return packets[i] })
	}
}

// floods sends a packet many times.
func floods(n int, packet []byte) func(*Session) error {
	return func(s *Session) error { return s.WriteAll(n, func(int) []byte { return packet }) }
}

// opened waits for a channel of the client's.
func opened(next func(s *Session, channel uint32) error) func(*Session) error {
	return linked(func(s *Session) error {
		select {
		case channel := <-s.channels.opened:
			return next(s, channel)
		case <-s.channels.ended():
			return errors.New("the client left")
		}
	})
}

// steps hangs up at another step in each session.
func steps(s *Session) error {
	nothing := func(*Session) error { return nil }
	all := []func(*Session) error{
		nothing, raw("SSH-2.0-", false), greeted(nothing), greeted(sends(KexInit("ssh-ed25519"))), keyed(nothing), keyed((*Session).Service),
		asked(nothing), asked(func(s *Session) error { return s.Refuse("publickey") }), (*Session).Login,
		func(s *Session) error {
			if err := s.Login(); err != nil {
				return err
			}
			_, err := s.ReadPacket()
			return err
		},
	}
	return all[min(s.Number, len(all))-1](s)
}

var attacks = []attack{
	// Before the version.
	{name: "endless lines before the version", play: func(s *Session) error {
		line := []byte(many(8000, "no version yet ") + "\r\n")
		for {
			if err := s.WriteRaw(line); err != nil {
				return err
			}
		}
	}, tunnel: []string{"SSH:ConnectTimeout=3"}},
	{name: "a version that comes byte by byte", play: func(s *Session) error {
		for _, c := range []byte(many(1000, Version)) {
			if err := s.WriteRaw([]byte{c}); err != nil {
				return err
			}
			select {
			case <-s.channels.ended():
			case <-time.After(50 * time.Millisecond):
			}
		}
		return nil
	}, tunnel: []string{"SSH:ConnectTimeout=1"}},
	{name: "a version of 10 MB", play: raw("SSH-2.0-"+many(10<<20, "A"), true)},
	{name: "versions by the thousand", play: raw(many(1<<20, Version+"\r\n"), true)},
	{name: "a version that steers terminals", play: raw("SSH-2.0-"+bidi+"\r\n", false)},
	{name: "SSH 1.5", play: raw("SSH-1.5-old\r\n", false)},
	{name: "zeros", play: raw(string(make([]byte, 1<<20)), true), tunnel: []string{"SSH:ConnectTimeout=3"}},
	{name: "last words of 5 KB in place of a version", play: raw(many(5<<10, "Go away. ")+"\r\n", false), says: `Go away`},
	{name: "last words of 200 KB in place of a version", play: raw(many(200<<10, "Go away. ")+"\r\n", false), says: `Go away|banner line too long`},
	{name: "words in place of a version pose as ssh's", play: raw("x\r\n"+posed+"\r\n", false)},
	{name: "hanging up at every step", play: steps, tries: 10},

	// During the key exchange.
	{name: "garbage after the version", play: greeted(func(s *Session) error { return s.WriteRaw(bytes.Repeat([]byte{0xa5, 0x5a, 0x01}, 1<<20)) })},
	{name: "a packet of 4 GB", play: greeted(func(s *Session) error { return errors.Join(s.WriteLength(1<<32-1, nil), s.Linger()) })},
	{name: "a packet of no length", play: greeted(func(s *Session) error { return errors.Join(s.WriteLength(0, make([]byte, 64)), s.Linger()) })},
	{name: "a packet that is all padding", play: greeted(func(s *Session) error {
		return errors.Join(s.WriteLength(12, append([]byte{255}, make([]byte, 11)...)), s.Linger())
	})},
	{name: "last words of 5 KB before the key exchange", play: greeted(sends(Disconnect(many(5<<10, farewell+". ")))), says: farewell},
	{name: "last words of 200 KB before the key exchange", play: greeted(sends(Disconnect(many(200<<10, farewell+". ")))), says: farewell + "|[Cc]onnection reset|closed the connection"},
	{name: "last words before the key exchange pose as ssh's", play: greeted(sends(Disconnect("x\r\n" + posed)))},
	{name: "\"Too many authentication failures\" before the key exchange", play: greeted(sends(Disconnect("Too many authentication failures")))},
	{name: "offers without end", play: greeted(func(s *Session) error {
		return s.WriteAll(20_000, func(int) []byte { return KexInit("ssh-ed25519") })
	})},
	{name: "an offer of 250 KB, of nothing that exists", blocked: `^blocked \[settings\]`, play: greeted(func(s *Session) error {
		return errors.Join(s.WritePacket(KexInit(many(30<<10, "x\u202e\n\x1b[2J,"))), s.Linger())
	})},
	{name: "ignore and debug without end during the key exchange", play: greeted(func(s *Session) error {
		return s.WriteAll(100_000, func(i int) []byte {
			if i%2 == 0 {
				return []byte{MsgIgnore, 0, 0, 0, 0}
			}
			return Debug(forging)
		})
	}), tunnel: []string{"SSH:ConnectTimeout=5"}},
	{name: "another host key", play: keyed((*Session).Linger), blocked: `^blocked \[host-key-`, prepare: func(t *trial) {
		t.server.Sign = signer(t.newKey("other", "ed25519"))
	}, check: func(t *trial) { t.unsigned() }},
	{name: "a host key that did not sign", play: keyed((*Session).Linger), prepare: func(t *trial) {
		t.server.Sign = signer(t.newKey("other", "ed25519"))
		t.server.Present = t.server.signer.PublicKey().Marshal()
	}, check: func(t *trial) { t.unsigned() }},
	{name: "a host key of 200 KB", play: keyed((*Session).Linger), prepare: func(t *trial) {
		t.server.Present = appendString(appendString(nil, "ssh-ed25519"), many(200<<10, "k"))
	}, check: func(t *trial) { t.unsigned() }},
	{name: "a certificate of 90 KB as host key", blocked: `^blocked \[host-key-`, prepare: func(t *trial) {
		t.server.Sign = t.certificate(t.newKey("other", "ed25519"), 90<<10)
		t.appendKnown("@cert-authority other.example " + t.server.Key.AuthorizedKey() + "\n")
	}, play: keyed((*Session).Linger), tunnel: []string{"SSH:HostKeyAlgorithms=ssh-ed25519-cert-v01@openssh.com"}, check: func(t *trial) { t.unsigned() }},

	// While logging in.
	{name: "megabytes of banner", play: asked(func(s *Session) error {
		return errors.Join(floods(200, Banner(many(60<<10, "Welcome, welcome.\r\n")))(s), letIn(s))
	}), says: "Welcome"},
	{name: "a banner that poses as ssh's log", play: asked(sends(Banner("\r\n" + posed + "\r\n" + posed)))},
	{name: "a banner that forges what was negotiated", play: asked(func(s *Session) error {
		return errors.Join(s.WritePacket(Banner(forging)), letIn(s))
	}), up: true, check: func(t *trial) { t.trueNames() }},
	{name: "a debug message that forges what was negotiated", play: greeted(func(s *Session) error {
		for _, step := range []func() error{
			func() error { return s.WritePacket(Debug(forging)) }, s.KeyExchange,
			func() error { return s.WritePacket(Debug(forging)) }, s.Service,
			func() error { return s.WritePacket(Debug(forging)) }, s.Authenticate,
			func() error { return s.WritePacket(Debug(forging)) },
		} {
			if err := step(); err != nil {
				return err
			}
		}
		s.Played()
		return s.Serve()
	}), up: true, check: func(t *trial) { t.trueNames() }},
	{name: "extensions that forge what was negotiated", play: keyed(func(s *Session) error {
		info := append([]byte{MsgExtInfo}, 0, 0, 0, 1)
		info = appendString(appendString(info, "server-sig-algs"), "ssh-ed25519,"+forging)
		if err := s.WritePacket(info); err != nil {
			return err
		}
		if err := errors.Join(s.Service(), s.Authenticate()); err != nil {
			return err
		}
		s.Played()
		return s.Serve()
	}), up: true, check: func(t *trial) { t.trueNames() }},
	{name: "last words while logging in pose as ssh's", play: asked(sends(Disconnect("x\r\n" + posed)))},
	{name: "ways to log in of 30 KB", blocked: `^blocked \[denied\]`, play: asked(func(s *Session) error {
		for {
			if err := s.Refuse("none-such," + many(30<<10, bidi+"\n,")); err != nil {
				return err
			}
			if _, err := s.NextRequest(); err != nil {
				return err
			}
		}
	})},
	{name: "partial success without end", long: true, only: tunnelfile.TransportNative, blocked: `^blocked \[denied\]`, play: asked(partialSuccess)},
	{name: "partial success without end", long: true, only: tunnelfile.TransportOpenSSH, play: asked(partialSuccess), tunnel: []string{"SSH:ConnectTimeout=5"}},
	{name: "a question that poses as ssh and as Holdfast", secrets: 1 << 20, play: interactive(1, func(int) []byte {
		return InfoRequest("Enter passphrase for key '/home/me/.ssh/id_ed25519'", "\r\nholdfast: the vault is locked\r\n"+bidi, "\r\nEnter passphrase for key '/home/me/.ssh/id_ed25519': ")
	}), check: func(t *trial) { t.prompts(1) }},
	{name: "a question that asks to confirm a host key", secrets: 1 << 20, play: interactive(1, func(int) []byte {
		return InfoRequest("", "", "The authenticity of host 'bank' can't be established.\r\nAre you sure you want to continue connecting (yes/no/[fingerprint])? ")
	}), check: func(t *trial) { t.prompts(1) }},
	{name: "1,600 questions", secrets: 1 << 20, blocked: `^blocked \[denied\]: .*more than 32 questions`, play: interactive(400, func(int) []byte {
		return InfoRequest("", "", "a: ", "b: ", "c: ", "d: ")
	}), check: func(t *trial) { t.prompts(1) }},
	{name: "rounds of no question, without end", long: true, play: interactive(1<<30, func(int) []byte { return InfoRequest("", "") }), tunnel: []string{"SSH:ConnectTimeout=3"}},
	{name: "a question of 200 KB", secrets: 1 << 20, play: interactive(1, func(int) []byte {
		return InfoRequest(many(60<<10, "name\n"), many(60<<10, "instruction\n"), many(80<<10, "question "))
	}), check: func(t *trial) { t.prompts(1) }},

	// On a link that is up.
	{name: "channels of every kind", up: true, play: linked(func(s *Session) error {
		for i, kind := range kinds {
			for range 20 {
				if err := s.WritePacket(Open(kind.name, uint32(1000+i), kind.rest)); err != nil {
					return err
				}
			}
		}
		return nil
	}), tunnel: []string{"SSH:ForwardAgent=yes", "SSH:ForwardX11=yes", "SSH:ForwardX11Trusted=yes", "SSH:Tunnel=yes"},
		check: func(t *trial) { t.refused(20 * len(kinds)) }},
	{name: "200,000 channels, and nobody reads the answers", play: func(s *Session) error {
		if err := s.Login(); err != nil {
			return err
		}
		return errors.Join(floods(200_000, Open("session", 1, nil))(s), s.Linger())
	}, tunnel: []string{"SSH:ServerAliveInterval=1", "SSH:ServerAliveCountMax=2"}},
	{name: "a channel whose kind has 200 KB", play: linked(sends(Open(many(200<<10, bidi+"\n"), 1, nil)))},
	{name: "2 MiB of stderr on 150 channels", dials: 150, play: linked(func(s *Session) error {
		chunk := make([]byte, 32<<10)
		for range 150 {
			select {
			case channel := <-s.channels.opened:
				for range 60 {
					if err := s.WritePacket(Stderr(channel, chunk)); err != nil {
						return err
					}
				}
			case <-time.After(2 * time.Second):
				return nil // MaxChannels lets no more through
			case <-s.channels.ended():
				return errors.New("the client left")
			}
		}
		return nil
	})},
	{name: "more data than the window", dials: 1, play: opened(func(s *Session, channel uint32) error {
		return floods(1000, Data(channel, make([]byte, 32<<10)))(s)
	})},
	{name: "windows that never open", dials: 50, play: linked(func(s *Session) error { return nil }), prepare: func(t *trial) {
		t.server.Open = func(s *Session, kind string, number uint32) (bool, error) {
			if kind == "session" {
				return false, nil
			}
			return true, s.Confirm(number, 7, 0)
		}
	}},
	{name: "windows that overflow", dials: 1, play: opened(func(s *Session, channel uint32) error {
		adjust := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32([]byte{MsgChannelWindowAdjust}, channel), 1<<32-1)
		return floods(1000, adjust)(s)
	})},
	{name: "refusals of 200 KB that pose as ssh's", dials: 20, play: linked(func(s *Session) error { return nil }), prepare: func(t *trial) {
		t.server.Open = func(s *Session, kind string, number uint32) (bool, error) {
			b := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32([]byte{MsgChannelOpenFailure}, number), 1)
			return true, s.WritePacket(appendString(appendString(b, "x\r\n"+posed+many(200<<10, bidi)), ""))
		}
	}},
	{name: "ignore without end", up: true, play: linked(floods(300_000, append([]byte{MsgIgnore}, appendString(nil, many(100, "x"))...)))},
	{name: "debug messages without end", up: true, play: linked(floods(20_000, Debug(bidi+many(900, forging))))},
	{name: "messages that nobody knows, without end", play: linked(floods(50_000, []byte{250, 0, 0, 0, 1}))},
	{name: "pings, and nobody reads the answers", play: func(s *Session) error {
		if err := s.Login(); err != nil {
			return err
		}
		return errors.Join(floods(200_000, append([]byte{192}, appendString(nil, many(100, "ping"))...))(s), s.Linger())
	}, tunnel: []string{"SSH:ServerAliveInterval=1", "SSH:ServerAliveCountMax=2"}},
	{name: "keepalives, and nobody reads the answers", play: func(s *Session) error {
		if err := s.Login(); err != nil {
			return err
		}
		return errors.Join(floods(200_000, Request("keepalive@openssh.com", true, nil))(s), s.Linger())
	}, tunnel: []string{"SSH:ServerAliveInterval=1", "SSH:ServerAliveCountMax=2"}},
	{name: "global requests without end", up: true, play: linked(floods(20_000, Request("no-more-sessions@openssh.com", true, nil)))},
	{name: "global requests of 200 KB", up: true, play: linked(floods(100, Request(many(100<<10, bidi), true, make([]byte, 100<<10))))},
	{name: "channel requests without end", dials: 1, up: true, play: opened(func(s *Session, channel uint32) error {
		return floods(20_000, ChannelRequest(channel, "none-such@example.com", true, nil))(s)
	})},
	{name: "answers that nobody asked for", play: linked(func(s *Session) error {
		return s.WriteAll(1000, func(i int) []byte {
			return [][]byte{{MsgRequestSuccess}, {MsgRequestFailure}}[i%2]
		})
	}), tunnel: []string{"SSH:ServerAliveInterval=1", "SSH:ServerAliveCountMax=2"}},
	{name: "key exchanges without end", up: true, play: linked(func(s *Session) error {
		for range 100 {
			if err := s.Rekey(); err != nil {
				return err
			}
		}
		return nil
	})},
	{name: "1,000 host keys of its own", up: true, keys: 16, tunnel: []string{"SSH:UpdateHostKeys=yes"}, prepare: func(t *trial) { t.further(1000) },
		play: linked(func(s *Session) error { return s.announce() })},
	{name: "500 host keys on each of 3 links", up: true, keys: 32, tries: 3, tunnel: []string{"SSH:UpdateHostKeys=yes"}, prepare: func(t *trial) { t.further(500) },
		play: func(s *Session) error {
			if s.Number < 3 { // and leaves once they are proven
				return s.LinkUp(func() error { return errors.Join(s.announce(), errAgain) })
			}
			return s.LinkUp(s.announce)
		}},
	{name: "a certificate of 90 KB as a further host key", up: true, tunnel: []string{"SSH:UpdateHostKeys=yes"}, prepare: func(t *trial) {
		t.server.Further = append(t.server.Further, t.certificate(t.server.Key, 90<<10))
	}, play: linked(func(s *Session) error { return s.announce() })},
	{name: "a host key of 16 KB and more, by the dozen", up: true, keys: 4, tunnel: []string{"SSH:UpdateHostKeys=yes"}, prepare: func(t *trial) {
		for range 7 {
			t.server.Further = append(t.server.Further, hugeKey{t.server.signer, many(30<<10, "k")})
		}
	}, play: linked(func(s *Session) error { return s.announce() })},
	{name: "connections through a remote forward, without limit", granted: true, play: linked(func(s *Session) error {
		select {
		case <-s.channels.asked:
		case <-s.channels.ended():
			return errors.New("the client left")
		}
		return s.WriteAll(5000, func(i int) []byte {
			return Open("forwarded-tcpip", uint32(i), ForwardedTCPIP("127.0.0.1", 7777, "192.0.2.1"))
		})
	}), prepare: func(t *trial) {
		t.lines = append(t.lines, "RemoteForward=127.0.0.1:7777 "+t.sink())
	}},
	{name: "channels of a forward that nobody asked for", up: true, play: linked(func(s *Session) error {
		return s.WriteAll(100, func(i int) []byte {
			return Open("forwarded-tcpip", uint32(i), ForwardedTCPIP(bidi, uint32(i), many(2000, bidi)))
		})
	}), check: func(t *trial) { t.refused(100) }},
	{name: "a remote forward that is never answered", long: true, play: linked(func(s *Session) error { return nil }), prepare: func(t *trial) {
		t.lines = append(t.lines, "RemoteForward=127.0.0.1:7777 127.0.0.1:1")
		t.server.Answer = func(_ *Session, name string, _ []byte) (bool, error) { return strings.HasPrefix(name, "tcpip"), nil }
	}, check: func(t *trial) { t.stays(3*time.Second, "not up while a forward has no answer", notUp) }},
	{name: "last words on a link that is up", says: farewell, play: linked(func(s *Session) error {
		return errors.Join(s.WritePacket(Disconnect(farewell)), errAgain)
	})},
	{name: "last words on a link that is up: 200 KB, bidi, and ssh's", play: linked(func(s *Session) error {
		return errors.Join(s.WritePacket(Disconnect("x\r\n"+posed+many(100<<10, bidi))), errAgain)
	})},
	{name: "a damaged packet", says: `(?i)authentication failed|corrupted|message authentication|MAC|integrity`, play: linked(func(s *Session) error {
		return errors.Join(s.WriteDamaged(Debug("x")), waits(s))
	})},
	{name: "a packet of 4 GB on a link that is up", says: `(?i)packet|length`, play: linked(func(s *Session) error {
		return errors.Join(s.WriteLength(1<<32-1, make([]byte, 1<<16)), waits(s))
	})},
	{name: "data for a channel that is not there", says: `(?i)channel`, play: linked(func(s *Session) error {
		return errors.Join(s.WritePacket(Data(4711, []byte("x"))), waits(s))
	})},
	{name: "packets cut short", says: `(?i)packet|message|unmarshal|parse|incomplete`, play: linked(func(s *Session) error {
		return errors.Join(s.WritePacket([]byte{MsgChannelOpen, 0, 0}), waits(s))
	})},
	{name: "a channel that is confirmed twice", dials: 1, play: opened(func(s *Session, channel uint32) error {
		return errors.Join(s.Confirm(channel, 99, 1), s.Confirm(channel, 98, 1))
	})},
	{name: "ends of channels that are not there", play: linked(floods(1000, binary.BigEndian.AppendUint32([]byte{MsgChannelClose}, 77)))},
}

var errAgain = errors.New("the server ends this session")

// waits waits for the client to leave.
func waits(s *Session) error {
	select {
	case <-s.channels.ended():
		return nil
	case <-time.After(20 * time.Second):
		return errors.New("the client stays")
	}
}

// kinds are the channels that one side or the other may open, as far as anybody has thought of
// them, with what goes with each.
var kinds = []struct {
	name string
	rest []byte
}{
	{"session", nil},
	{"x11", binary.BigEndian.AppendUint32(appendString(nil, "127.0.0.1"), 6000)},
	{"auth-agent@openssh.com", nil},
	{"auth-agent", nil},
	{"forwarded-tcpip", ForwardedTCPIP("127.0.0.1", 22, "127.0.0.1")},
	{"forwarded-streamlocal@openssh.com", appendString(appendString(nil, "/run/x"), "")},
	{"direct-tcpip", ForwardedTCPIP("127.0.0.1", 22, "127.0.0.1")},
	{"direct-streamlocal@openssh.com", binary.BigEndian.AppendUint32(appendString(appendString(nil, "/run/x"), ""), 0)},
	{"tun@openssh.com", []byte{0, 0, 0, 1, 0, 0, 0, 0}},
	{"none-such@example.com", nil},
	{"", nil},
}

// partialSuccess takes every key and wants one more.
func partialSuccess(s *Session) error {
	for {
		if err := s.WritePacket(append(appendString([]byte{MsgUserAuthFailure}, "publickey"), 1)); err != nil {
			return err
		}
		if _, err := s.NextRequest(); err != nil {
			return err
		}
	}
}

// interactive asks by keyboard-interactive, and lets the client in afterwards.
func interactive(rounds int, question func(i int) []byte) func(*Session) error {
	return asked(func(s *Session) error {
		for {
			if err := s.Refuse("keyboard-interactive"); err != nil {
				return err
			}
			r, err := s.NextRequest()
			if err != nil {
				return err
			}
			if r.Method == "keyboard-interactive" {
				break
			}
		}
		for i := range rounds {
			if err := s.WritePacket(question(i)); err != nil {
				return err
			}
			p, err := s.ReadPacket()
			if err != nil {
				return err
			}
			if p[0] != MsgUserAuthInfoAnswer {
				return fmt.Errorf("message %d in place of an answer", p[0])
			}
		}
		if err := s.WritePacket([]byte{MsgUserAuthSuccess}); err != nil {
			return err
		}
		s.Played()
		return s.Serve()
	})
}

func signer(k testbed.Key) ssh.Signer {
	s, err := ssh.NewSignerFromSigner(k.Private)
	if err != nil {
		panic(err) // testbed made it
	}
	return s
}

// announce tells the client the keys that the server can prove, and waits for the question of
// proof, which may not come.
func (s *Session) announce() error {
	var blobs [][]byte
	for _, k := range s.Server.Further {
		blobs = append(blobs, k.PublicKey().Marshal())
	}
	if err := s.WritePacket(HostKeys(blobs...)); err != nil {
		return err
	}
	select {
	case <-s.proven:
	case <-s.channels.ended():
	case <-time.After(2 * time.Second):
	}
	return nil
}

// hugeKey is a key with more in it than belongs there.
type hugeKey struct {
	ssh.Signer
	more string
}

func (k hugeKey) PublicKey() ssh.PublicKey { return hugePublic{k.Signer.PublicKey(), k.more} }

type hugePublic struct {
	ssh.PublicKey
	more string
}

func (k hugePublic) Marshal() []byte { return appendString(k.PublicKey.Marshal(), k.more) }
