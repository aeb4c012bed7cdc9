package hostile

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"sync"

	"golang.org/x/crypto/ssh"
)

// channels is what an honest server knows of a session.
type channels struct {
	mu      sync.Mutex
	peers   map[uint32]uint32 // our number to the client's
	next    uint32
	forward []string // what the client asked us to listen on
	done    chan struct{}
	asked   chan struct{} // closed at the first tcpip-forward
	opened  chan uint32   // the client's number of each channel that it opened
}

func (c *channels) ended() <-chan struct{} { return c.done }

// Played counts the session's attack as over, once.
func (s *Session) Played() { s.played.Do(func() { s.Server.plays.Add(1) }) }

func (s *Session) end() {
	s.Close()
	s.ending.Do(func() { close(s.channels.done) })
}

// LinkUp logs the client in, serves it like an honest server, and attacks at the same time. The
// session goes on after the attack, until the client ends it.
func (s *Session) LinkUp(attack func() error) error {
	if err := s.Login(); err != nil {
		return err
	}
	served := make(chan error, 1)
	go func() {
		err := s.Serve()
		s.end()
		served <- err
	}()
	err := attack()
	s.Played()
	if err != nil {
		s.end()
		<-served
		return err
	}
	return <-served
}

// Linger reads and ignores whatever the client sends until it leaves.
func (s *Session) Linger() error {
	s.Played()
	_, err := io.Copy(io.Discard, s.in)
	return err
}

// Login lets the client in with any key.
func (s *Session) Login() error {
	for _, step := range []func() error{s.Greet, s.KeyExchange, s.Service} {
		if err := step(); err != nil {
			return err
		}
	}
	return s.Authenticate()
}

// Service waits for the request of the authentication service, and grants it.
func (s *Session) Service() error {
	if _, err := s.Await(MsgServiceRequest); err != nil {
		return err
	}
	return s.WritePacket(appendString([]byte{MsgServiceAccept}, "ssh-userauth"))
}

// UserAuthRequest is a client's request to log in.
type UserAuthRequest struct {
	User    string `sshtype:"50"`
	Service string
	Method  string
	Rest    []byte `ssh:"rest"`
}

// NextRequest returns the client's next request to log in.
func (s *Session) NextRequest() (r UserAuthRequest, err error) {
	p, err := s.Await(MsgUserAuthRequest)
	if err != nil {
		return r, err
	}
	if err := ssh.Unmarshal(p, &r); err != nil {
		return r, err
	}
	switch {
	case r.Method == "password":
		s.Server.secrets.Add(1)
	case r.Method == "publickey" && len(r.Rest) > 0 && r.Rest[0] == 1:
		s.Server.signatures.Add(1)
	}
	return r, nil
}

// Authenticate lets the client in with the first key that it signs with.
func (s *Session) Authenticate() error {
	for {
		r, err := s.NextRequest()
		if err != nil {
			return err
		}
		if r.Method != "publickey" || len(r.Rest) == 0 {
			if err := s.Refuse("publickey"); err != nil {
				return err
			}
			continue
		}
		if r.Rest[0] == 1 {
			s.Server.logins.Add(1)
			return s.WritePacket([]byte{MsgUserAuthSuccess})
		}
		var key struct {
			Has       bool
			Algorithm string
			Blob      string
		}
		if err := ssh.Unmarshal(r.Rest, &key); err != nil {
			return err
		}
		ok := appendString([]byte{MsgUserAuthInfoRequest}, key.Algorithm)
		if err := s.WritePacket(appendString(ok, key.Blob)); err != nil {
			return err
		}
	}
}

// Refuse refuses a request to log in, and says which methods may continue.
func (s *Session) Refuse(methods string) error {
	return s.WritePacket(append(appendString([]byte{MsgUserAuthFailure}, methods), 0))
}

// Serve answers the client's requests until the session ends. It echoes on channels. It says that
// it listens, but does not. It counts what a client must not give.
func (s *Session) Serve() error {
	for {
		p, err := s.ReadPacket()
		if err == nil {
			err = s.serve(p)
		}
		if err != nil {
			return err
		}
	}
}

func (s *Session) serve(p []byte) error {
	switch p[0] {
	case MsgGlobalRequest:
		return s.globalRequest(p)
	case MsgChannelOpen:
		return s.open(p)
	case MsgChannelOpenConfirm:
		if !s.Server.Granted {
			s.Server.letIn("a channel that nobody asked for was opened")
		}
	case MsgChannelData:
		var m struct {
			To   uint32 `sshtype:"94"`
			Data []byte
		}
		if err := ssh.Unmarshal(p, &m); err != nil {
			return err
		}
		return s.echo(m.To, m.Data)
	case MsgChannelEOF, MsgChannelClose:
		to := binary.BigEndian.Uint32(p[1:])
		s.channels.mu.Lock()
		theirs, open := s.channels.peers[to]
		if p[0] == MsgChannelClose {
			delete(s.channels.peers, to)
		}
		s.channels.mu.Unlock()
		if open {
			return s.WritePacket(binary.BigEndian.AppendUint32([]byte{p[0]}, theirs))
		}
	case MsgChannelRequest:
		var m struct {
			To        uint32 `sshtype:"98"`
			Name      string
			WantReply bool
			Rest      []byte `ssh:"rest"`
		}
		if err := ssh.Unmarshal(p, &m); err != nil {
			return err
		}
		if m.Name == "auth-agent-req@openssh.com" || m.Name == "x11-req" {
			s.Server.letIn("the client asked for " + m.Name)
		}
		if theirs, open := s.peer(m.To); open && m.WantReply {
			return s.WritePacket(binary.BigEndian.AppendUint32([]byte{MsgChannelFailure}, theirs))
		}
	case MsgChannelSuccess, MsgRequestSuccess:
		s.Server.letIn("the client granted a request")
	case MsgRequestFailure, MsgChannelFailure, MsgChannelOpenFailure:
		s.Server.refusals.Add(1)
	}
	return nil
}

func (s *Session) globalRequest(p []byte) error {
	var m struct {
		Name      string `sshtype:"80"`
		WantReply bool
		Rest      []byte `ssh:"rest"`
	}
	if err := ssh.Unmarshal(p, &m); err != nil {
		return err
	}
	if answer := s.Server.Answer; answer != nil {
		if handled, err := answer(s, m.Name, m.Rest); handled || err != nil {
			return err
		}
	}
	answer := byte(MsgRequestFailure)
	switch m.Name {
	case "hostkeys-prove-00@openssh.com":
		return s.prove(m.Name, m.Rest)
	case "tcpip-forward", "streamlocal-forward@openssh.com", "cancel-tcpip-forward", "cancel-streamlocal-forward@openssh.com":
		answer = MsgRequestSuccess
		if m.Name == "tcpip-forward" {
			s.channels.mu.Lock()
			if len(s.channels.forward) == 0 {
				close(s.channels.asked)
			}
			s.channels.forward = append(s.channels.forward, string(m.Rest))
			s.channels.mu.Unlock()
		}
	}
	if !m.WantReply {
		return nil
	}
	return s.WritePacket([]byte{answer})
}

// prove signs with each key of Further that the client asks about (OpenSSH's PROTOCOL, 2.5).
func (s *Session) prove(request string, blobs []byte) error {
	answer := []byte{MsgRequestSuccess}
	for len(blobs) > 0 {
		var m struct {
			Blob []byte
			Rest []byte `ssh:"rest"`
		}
		if err := ssh.Unmarshal(blobs, &m); err != nil {
			return err
		}
		blobs = m.Rest
		for _, k := range s.Server.Further {
			if !bytes.Equal(k.PublicKey().Marshal(), m.Blob) {
				continue
			}
			signature, err := k.Sign(rand.Reader, appendString(appendString(appendString(nil, request), string(s.id)), string(m.Blob)))
			if err != nil {
				return err
			}
			answer = appendString(answer, string(ssh.Marshal(signature)))
			break
		}
	}
	err := s.WritePacket(answer)
	s.proof.Do(func() { close(s.proven) })
	return err
}

// open answers the client's request to open a channel.
func (s *Session) open(p []byte) error {
	var m struct {
		Kind   string `sshtype:"90"`
		Peer   uint32
		Window uint32
		Max    uint32
		Rest   []byte `ssh:"rest"`
	}
	if err := ssh.Unmarshal(p, &m); err != nil {
		return err
	}
	if hook := s.Server.Open; hook != nil {
		if handled, err := hook(s, m.Kind, m.Peer); handled || err != nil {
			return err
		}
	}
	s.channels.mu.Lock()
	ours := s.channels.next
	s.channels.next++
	s.channels.peers[ours] = m.Peer
	s.channels.mu.Unlock()
	if err := s.Confirm(m.Peer, ours, 1<<30); err != nil {
		return err
	}
	select {
	case s.channels.opened <- m.Peer:
	default:
	}
	return nil
}

// Confirm grants a channel.
func (s *Session) Confirm(theirs, ours, window uint32) error {
	b := []byte{MsgChannelOpenConfirm}
	for _, n := range []uint32{theirs, ours, window, 32 << 10} {
		b = binary.BigEndian.AppendUint32(b, n)
	}
	return s.WritePacket(b)
}

func (s *Session) peer(ours uint32) (uint32, bool) {
	s.channels.mu.Lock()
	defer s.channels.mu.Unlock()
	theirs, ok := s.channels.peers[ours]
	return theirs, ok
}

func (s *Session) echo(to uint32, data []byte) error {
	theirs, open := s.peer(to)
	if !open {
		return fmt.Errorf("data for channel %d, which is not open", to)
	}
	return s.WritePacket(Data(theirs, data))
}

// Data is a message with channel data.
func Data(to uint32, data []byte) []byte {
	return appendString(binary.BigEndian.AppendUint32([]byte{MsgChannelData}, to), string(data))
}

// Stderr is a message with extended data of a channel.
func Stderr(to uint32, data []byte) []byte {
	b := binary.BigEndian.AppendUint32([]byte{MsgChannelExtendedData}, to)
	return appendString(binary.BigEndian.AppendUint32(b, 1), string(data))
}

// Open is a request to open a channel.
func Open(kind string, number uint32, rest []byte) []byte {
	b := appendString([]byte{MsgChannelOpen}, kind)
	for _, n := range []uint32{number, 1 << 30, 32 << 10} {
		b = binary.BigEndian.AppendUint32(b, n)
	}
	return append(b, rest...)
}

// ForwardedTCPIP is the rest of an Open of kind forwarded-tcpip (RFC 4254, 7.2).
func ForwardedTCPIP(host string, port uint32, origin string) []byte {
	b := binary.BigEndian.AppendUint32(appendString(nil, host), port)
	return binary.BigEndian.AppendUint32(appendString(b, origin), 4711)
}

// Request is a global request.
func Request(name string, wantReply bool, rest []byte) []byte {
	b := appendString([]byte{MsgGlobalRequest}, name)
	if wantReply {
		b = append(b, 1)
	} else {
		b = append(b, 0)
	}
	return append(b, rest...)
}

// ChannelRequest is a request on a channel.
func ChannelRequest(to uint32, name string, wantReply bool, rest []byte) []byte {
	b := binary.BigEndian.AppendUint32([]byte{MsgChannelRequest}, to)
	b = appendString(b, name)
	if wantReply {
		b = append(b, 1)
	} else {
		b = append(b, 0)
	}
	return append(b, rest...)
}

// Disconnect is a message that says why the server ends the connection.
func Disconnect(words string) []byte {
	return appendString(appendString(binary.BigEndian.AppendUint32([]byte{MsgDisconnect}, 11), words), "en")
}

// Banner is a message with the text of Banner in sshd_config(5).
func Banner(words string) []byte {
	return appendString(appendString([]byte{MsgUserAuthBanner}, words), "")
}

// Debug is a debug message.
func Debug(words string) []byte {
	return appendString(appendString([]byte{MsgDebug, 1}, words), "")
}

// InfoRequest is a message with questions of keyboard-interactive (RFC 4256).
func InfoRequest(name, instruction string, questions ...string) []byte {
	b := appendString([]byte{MsgUserAuthInfoRequest}, name)
	b = appendString(appendString(b, instruction), "")
	b = binary.BigEndian.AppendUint32(b, uint32(len(questions)))
	for _, q := range questions {
		b = append(appendString(b, q), 0)
	}
	return b
}

// HostKeys is a message that announces host keys (OpenSSH's PROTOCOL, 2.5).
func HostKeys(blobs ...[]byte) []byte {
	var rest []byte
	for _, b := range blobs {
		rest = appendString(rest, string(b))
	}
	return Request("hostkeys-00@openssh.com", false, rest)
}

// Forwards returns the remote forwards that the client asked for, as payloads.
func (s *Session) Forwards() []string {
	s.channels.mu.Lock()
	defer s.channels.mu.Unlock()
	return slices.Clone(s.channels.forward)
}
