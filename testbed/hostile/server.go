package hostile

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/holdfast/holdfast/testbed"
)

// Server is a malicious server on a port of 127.0.0.1.
type Server struct {
	Port int
	Key  testbed.Key // the host key that known_hosts has

	// Play is a whole session. It returns when the session or the attack is over.
	Play func(*Session) error
	// Answer, if set, answers global requests in place of the honest server.
	Answer func(s *Session, name string, rest []byte) (handled bool, err error)
	// Open, if set, answers channel opens in place of the honest server.
	Open func(s *Session, kind string, number uint32) (handled bool, err error)
	// Present, if set, is the blob that the server shows in place of its host key.
	Present []byte
	// Sign, if set, is the host key in place of Key.
	Sign ssh.Signer

	// Further are other host keys, which the server can prove to have.
	Further []ssh.Signer
	// Granted says that the client may open channels: it asked for them.
	Granted bool

	signer   ssh.Signer
	listener net.Listener

	sessions   atomic.Int64
	plays      atomic.Int64 // sessions whose attack is over
	logins     atomic.Int64
	signatures atomic.Int64
	secrets    atomic.Int64 // passwords and answers that the client gave
	refusals   atomic.Int64

	mu    sync.Mutex
	let   map[string]int
	notes []string
	open  map[net.Conn]bool
	over  bool
}

// Listen makes a server, which ends with the test. Clients wait until it serves.
func Listen(t testing.TB) *Server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{listener: l, Port: l.Addr().(*net.TCPAddr).Port, let: make(map[string]int), open: make(map[net.Conn]bool)}
	s.Key = testbed.NewKey(t, filepath.Join(t.TempDir(), "host"), "ed25519", "")
	if s.signer, err = ssh.NewSignerFromSigner(s.Key.Private); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		l.Close()
		s.Hangup()
	})
	return s
}

// Serve begins to serve clients. Set Play and the other fields before.
func (s *Server) Serve() { go s.accept(s.listener) }

// KnownHost is the server's line for known_hosts.
func (s *Server) KnownHost() string {
	return "[127.0.0.1]:" + strconv.Itoa(s.Port) + " " + s.Key.AuthorizedKey() + "\n"
}

// Hangup ends all sessions, and every later one at once.
func (s *Server) Hangup() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	for c := range s.open {
		c.Close()
	}
}

func (s *Server) accept(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		over := s.over
		s.open[c] = true
		s.mu.Unlock()
		if over {
			c.Close()
			continue
		}
		go s.play(c)
	}
}

func (s *Server) play(c net.Conn) {
	session := &Session{Server: s, Number: int(s.sessions.Add(1)), Conn: c, in: bufio.NewReader(c), proven: make(chan struct{})}
	session.channels = channels{peers: make(map[uint32]uint32), done: make(chan struct{}), asked: make(chan struct{}), opened: make(chan uint32, 1024)}
	if err := s.Play(session); err != nil && !errors.Is(err, net.ErrClosed) {
		s.note("session %d: %v", session.Number, err)
	}
	session.Played()
	session.end()
	s.mu.Lock()
	delete(s.open, c)
	s.mu.Unlock()
}

func (s *Server) hostKey() ssh.Signer {
	if s.Sign != nil {
		return s.Sign
	}
	return s.signer
}

// presented returns the host key that the server shows in the key exchange.
func (s *Server) presented(signer ssh.Signer) []byte {
	if s.Present != nil {
		return s.Present
	}
	return signer.PublicKey().Marshal()
}

// letIn counts something that no client may give.
func (s *Server) letIn(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.let[what]++
}

// live returns how many sessions are under way.
func (s *Server) live() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open)
}

// note records an event for the message of a failed test.
func (s *Server) note(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.notes) < 20 {
		s.notes = append(s.notes, fmt.Sprintf(format, args...))
	}
}

// Refusals returns how often clients refused something.
func (s *Server) Refusals() int { return int(s.refusals.Load()) }

// Notes returns the first events.
func (s *Server) Notes() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.notes...)
}

// LetIn returns what clients gave although they must not, and how often.
func (s *Server) LetIn() (n int, what []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for w, count := range s.let {
		n += count
		what = append(what, fmt.Sprintf("%s (%d)", w, count))
	}
	return n, what
}
