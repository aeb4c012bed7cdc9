package native

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/crypto/ssh"

	"github.com/holdfast/holdfast/internal/asking"
	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/sshlink/config"
	"github.com/holdfast/holdfast/sshlink/hostkeys"
	"github.com/holdfast/holdfast/sshlink/login"
	"github.com/holdfast/holdfast/sshlink/wire"
)

// clientVersion is the version that the server sees and logs. Some servers use it to work around
// bugs of certain clients. None does so for this one.
const clientVersion = "SSH-2.0-Holdfast"

// sayFixedWindow lets a message that is about all connections of this process be logged once.
var sayFixedWindow sync.Once

// server is the machine that a link goes to.
type server struct {
	*config.Options
	mayFallBack bool // ssh itself may be tried if the native transport fails
}

// Dial makes one attempt to connect and to authenticate. ConnectTimeout limits the whole attempt,
// without the time that a person takes to answer. The attempt ends at once when ctx ends. With
// mayFallBack it ends early if ssh itself may succeed, see [login.ErrBarred].
func Dial(parent context.Context, o *config.Options, ask asking.Asker, mayFallBack bool) (*Link, error) {
	ctx, a, cancel := asking.Start(parent, o.ConnectTimeout, ask)
	defer cancel()
	s := server{o, mayFallBack}
	l, err := s.connect(ctx, a)
	if err != nil && parent.Err() != nil {
		return nil, context.Cause(parent)
	}
	return l, s.tooLate(ctx, err)
}

// tooLate returns err, or the error for an attempt that ConnectTimeout ended.
func (s server) tooLate(ctx context.Context, err error) error {
	if err != nil && errors.Is(context.Cause(ctx), asking.ErrTimeout) {
		return fault.Because(fault.Unreachable, asking.ErrTimeout, "%s did not answer within %s (ConnectTimeout)", s.HostName, s.ConnectTimeout)
	}
	return err
}

// connect connects to the server, through all jump hosts, and logs in.
func (s server) connect(ctx context.Context, a *asking.Attempt) (*Link, error) {
	if why := s.Option("refuseconnection"); why != "" {
		return nil, fault.New(fault.Settings, "RefuseConnection: %s", why)
	}
	under, err := s.reach(ctx, a)
	if err != nil {
		return nil, err
	}
	return s.login(ctx, a, under)
}

// jump is the host to go through.
func (s server) jump() server { return server{s.Jump, s.mayFallBack} }

// reach makes a connection to the server's SSH port: through a jump host, with a ProxyCommand, or
// directly.
func (s server) reach(ctx context.Context, a *asking.Attempt) (net.Conn, error) {
	switch {
	case s.Jump != nil:
		link, err := s.jump().connect(ctx, a)
		if err != nil {
			return nil, login.Through(err)
		}
		c, err := s.dialThrough(ctx, link)
		if err != nil {
			link.Close()
			return nil, err
		}
		return &jumpConn{Conn: c, link: link}, nil
	case s.ProxyCommand != "":
		return s.dialProxy(ctx)
	}
	return s.dialTCP(ctx)
}

// dialThrough makes a connection to the server's SSH port through a jump host.
func (s server) dialThrough(ctx context.Context, link *Link) (net.Conn, error) {
	c, err := link.DialContext(ctx, "tcp", s.HostPort())
	if err != nil {
		return nil, fault.Wrap(fault.Unreachable, err, "%s cannot reach %s", s.Jump.HostName, s.HostPort())
	}
	return c, nil
}

// jumpConn is a connection through a jump host. The link to that host ends with it.
type jumpConn struct {
	net.Conn
	link *Link
}

// Read returns why the link to the jump host was lost, if that is why reading fails.
func (c *jumpConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil && !c.link.Alive() {
		err = c.link.Lost()
	}
	return n, err
}

// Close closes only the link. Closing the channel first would be a write, which may block.
func (c *jumpConn) Close() error { return c.link.Close() }

// login does the handshake and the authentication over a connection. It closes the connection if
// they fail.
func (s server) login(ctx context.Context, a *asking.Attempt, under net.Conn) (*Link, error) {
	if tcp, ok := under.(*net.TCPConn); ok {
		s.tune(tcp)
	}
	c := wire.NewConn(under)
	stop := context.AfterFunc(ctx, func() { c.End() })
	defer stop()

	// Questions to a person end when the server closes the connection.
	asking, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-c.Closed():
			cancel(login.ErrServerLeft)
		case <-asking.Done():
		}
	}()

	keys := hostkeys.For(asking, s.Options, a)
	algorithms, err := Algorithms(s.Options, keys.Known)
	if err != nil {
		c.Close()
		return nil, err
	}
	rekey, _ := s.RekeyLimit()
	auth := login.New(asking, s.Options, a, s.mayFallBack, c.Err)
	defer auth.Close()
	var failure error // from our callback; x/crypto may wrap or replace it
	config := &ssh.ClientConfig{
		Config: ssh.Config{
			Ciphers:        algorithms.Ciphers,
			MACs:           algorithms.MACs,
			KeyExchanges:   algorithms.KeyExchanges,
			RekeyThreshold: rekey,
		},
		User:              s.User,
		ClientVersion:     clientVersion,
		HostKeyAlgorithms: algorithms.HostKeys,
		HostKeyCallback: func(name string, remote net.Addr, key ssh.PublicKey) error {
			err := keys.Check(name, remote, key)
			if err != nil {
				failure = err
			}
			return err
		},
		BannerCallback: s.banner(),
		AuthCallback:   auth.Next,
	}
	sc, chans, reqs, err := ssh.NewClientConn(c, s.HostPort(), config)
	if err != nil {
		c.Close()
		if fault.As(err) == nil && failure != nil {
			err = failure
		}
		return nil, s.explain(ctx, c, auth, err)
	}
	if !stop() {
		// ctx has just ended, and its function closes the connection.
		c.Close()
		return nil, context.Cause(ctx)
	}
	c.EndGreeting()
	sayFixedWindow.Do(func() {
		if why := wire.FixedWindow(); why != "" {
			s.Log.Info("long lines are not filled: the receive windows of channels do not grow", "why", why)
		}
	})
	l := newLink(c, sc, s.HostName)
	l.describe(keys.Accepted)
	l.environment = s.Environment()
	if l.info.Cipher != "" && l.info.MAC == "" {
		c.StartBatching()
	}
	l.learner = keys.Learner(sc.SessionID(), algorithms.HostKeys)
	l.serve(chans, reqs)
	return l, nil
}

// banner logs the server's first banner, in one line.
func (s server) banner() ssh.BannerCallback {
	said := false
	return func(banner string) error {
		if words := text.FromPeer(banner); words != "" && !said {
			said = true
			s.Log.Info("the server says", "banner", words)
		}
		return nil
	}
}

// explain turns the error of a failed handshake into one that says what is wrong.
func (s server) explain(ctx context.Context, c *wire.Conn, auth *login.Authenticator, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if e := fault.As(err); e != nil {
		return e
	}
	if late := auth.Late(); late != nil {
		return late
	}
	if n, ok := errors.AsType[*ssh.AlgorithmNegotiationError](err); ok {
		return s.noCommon(n)
	}
	greeting := c.Greeting()
	if !strings.Contains(greeting, "SSH-") {
		if said := text.FromPeer(greeting); said != "" {
			return login.NotSSH(s.Options, said, cause(err))
		}
		if p, ok := c.Conn.(*proxyConn); ok {
			return fault.Wrap(fault.Unreachable, p.explain(cause(err)), "no answer from %s through its %s", s.HostName, s.Proxy())
		}
		if closedByPeer(err) {
			return login.ClosedEarly(s.Options, cause(err))
		}
		return fault.Wrap(fault.Unreachable, cause(err), "no SSH greeting from %s", s.HostName)
	}
	if said := err.Error(); auth.Begun() && strings.Contains(said, "Too many authentication failures") {
		return login.TooManyTries(s.Options, auth.Tried())
	} else if i := strings.Index(said, "ssh: disconnect, reason"); i >= 0 {
		return fault.New(fault.Unreachable, "%s ended the connection: %s", s.HostName, text.FromPeer(strings.TrimPrefix(said[i:], "ssh: ")))
	}
	if closedByPeer(err) {
		return fault.Because(fault.Unreachable, cause(err), "%s closed the connection while logging in", s.HostName)
	}
	return fault.Because(fault.Unreachable, cause(err), "cannot log in to %s: %s", s.HostName, text.FromPeer(strings.TrimPrefix(fault.Words(cause(err)), "ssh: ")))
}

// cause removes x/crypto's own words from an error.
func cause(err error) error {
	if err.Error() == "ssh: handshake failed: EOF" {
		return io.EOF
	}
	if next := errors.Unwrap(err); next != nil && strings.HasPrefix(err.Error(), "ssh: handshake failed: ") {
		return next
	}
	return err
}

func closedByPeer(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// noCommon is the error for a server that has no algorithm in common with us. It names the keyword
// of ssh_config(5).
func (s server) noCommon(n *ssh.AlgorithmNegotiationError) error {
	keyword, cause := login.AlgorithmKeyword(n.What), login.ErrNoCommon
	if keyword == "HostKeyAlgorithms" {
		cause = login.ErrNoCommonHostKey
	}
	return fault.Because(fault.Settings, cause, "%s and the native transport have no %s in common; the server offers only %s",
		s.HostName, keyword, text.FromPeer(strings.Join(n.RequestedAlgorithms, ",")))
}
