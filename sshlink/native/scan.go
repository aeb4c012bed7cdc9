package native

import (
	"context"
	"errors"
	"net"

	"golang.org/x/crypto/ssh"

	"github.com/holdfast/holdfast/internal/asking"
	"github.com/holdfast/holdfast/sshlink/config"
	"github.com/holdfast/holdfast/sshlink/login"
	"github.com/holdfast/holdfast/sshlink/wire"
)

// Scanner asks one machine for its host keys, any number of times, without logging in to it.
// Through a jump host, it logs in there once and stays connected until Close.
type Scanner struct {
	server server
	asker  asking.Asker
	jump   *Link // nil: no jump host
}

// NewScanner makes a Scanner. It logs in to the jump host, if there is one.
func NewScanner(ctx context.Context, o *config.Options, ask asking.Asker) (*Scanner, error) {
	s := &Scanner{server: server{o, false}, asker: ask}
	if o.Jump == nil {
		return s, nil
	}
	ctx, a, cancel := asking.Start(ctx, o.Jump.ConnectTimeout, ask)
	defer cancel()
	jump := s.server.jump()
	link, err := jump.connect(ctx, a)
	if err != nil {
		return nil, login.Through(jump.tooLate(ctx, err))
	}
	s.jump = link
	return s, nil
}

// Close closes the connection to the jump host.
func (s *Scanner) Close() {
	if s.jump != nil {
		s.jump.Close()
	}
}

// dial makes a connection to the machine's SSH port.
func (s *Scanner) dial(ctx context.Context) (net.Conn, error) {
	if s.jump == nil {
		return s.server.reach(ctx, nil)
	}
	return s.server.dialThrough(ctx, s.jump)
}

// errScanned ends a handshake once the server has shown its key.
var errScanned = errors.New("host key seen")

// Scan connects, and returns the host key that the server shows for these algorithms. It goes no
// further.
func (s *Scanner) Scan(ctx context.Context, algorithms []string) (ssh.PublicKey, error) {
	to := s.server
	ctx, a, cancel := asking.Start(ctx, to.ConnectTimeout, s.asker)
	defer cancel()
	under, err := s.dial(ctx)
	if err != nil {
		return nil, to.tooLate(ctx, err)
	}
	c := wire.NewConn(under)
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	offered, err := Algorithms(to.Options, nil)
	if err != nil {
		return nil, err
	}
	var key ssh.PublicKey
	_, _, _, err = ssh.NewClientConn(c, to.HostName, &ssh.ClientConfig{
		Config:            ssh.Config{Ciphers: offered.Ciphers, MACs: offered.MACs, KeyExchanges: offered.KeyExchanges},
		User:              to.User,
		ClientVersion:     clientVersion,
		HostKeyAlgorithms: algorithms,
		HostKeyCallback: func(_ string, _ net.Addr, k ssh.PublicKey) error {
			key = k
			return errScanned
		},
	})
	if key != nil {
		return key, nil
	}
	return nil, to.tooLate(ctx, to.explain(ctx, c, login.New(ctx, to.Options, a, false, c.Err), err))
}
