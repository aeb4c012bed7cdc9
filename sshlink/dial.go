package sshlink

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"

	"golang.org/x/crypto/ssh"

	"github.com/holdfast/holdfast/internal/asking"
	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/tunnelfile"
)

// clientVersion is what the server logs of us. Some servers know bugs by it, none by ours.
const clientVersion = "SSH-2.0-Holdfast"

// errNoCommon is wrapped by errors that say that an algorithm is missing here: the openssh
// transport may have it.
var errNoCommon = errors.New("no common algorithm")

// errBarred is wrapped by errors that say that an agent would not sign for us. It may do so for
// ssh: a key may be tied to hosts (ssh-add -h), which wants a proof of the server's that x/crypto
// keeps to itself.
var errBarred = errors.New("the agent would not sign")

// errServerLeft is the cause of a question's context when the server closed the connection.
var errServerLeft = errors.New("the server closed the connection meanwhile")

// Dial makes one attempt to connect and to authenticate. ConnectTimeout bounds the whole of
// it but for the time that a person takes to answer; the end of ctx ends it at once.
func (r *Resolved) Dial(ctx context.Context) (*Link, error) {
	transport, why, err := r.chooseTransport(ctx)
	if err != nil {
		return nil, err
	}
	if transport != r.Transport {
		r.Log.Info("the transport is another now", "transport", transport, "because", why)
	}
	if transport == tunnelfile.TransportOpenSSH || r.fellBack.Load() {
		return r.dialOpenSSH(ctx)
	}
	l, err := r.dialNative(ctx)
	if (errors.Is(err, errNoCommon) || errors.Is(err, errBarred)) && r.mayFallBack() {
		r.Log.Info("using the openssh transport", "because", err)
		if l, err = r.dialOpenSSH(ctx); err == nil {
			r.fellBack.Store(true)
		}
	}
	return l, err
}

func (r *Resolved) dialNative(parent context.Context) (*Link, error) {
	ctx, a, cancel := asking.Start(parent, r.ConnectTimeout, r.ask)
	defer cancel()
	a.MayFallBack = r.mayFallBack()
	l, err := r.connect(ctx, a)
	if err == nil {
		return l, nil
	}
	switch {
	case parent.Err() != nil:
		return nil, context.Cause(parent)
	case errors.Is(context.Cause(ctx), asking.ErrTimeout):
		return nil, fault.Because(fault.Unreachable, asking.ErrTimeout, "%s did not answer within %s (ConnectTimeout)", r.HostName, r.ConnectTimeout)
	}
	return nil, err
}

// connect makes the connection, through as many hosts as it takes, and logs in.
func (r *Resolved) connect(ctx context.Context, a *asking.Attempt) (*Link, error) {
	if why := r.Option("refuseconnection"); why != "" {
		return nil, fault.New(fault.Settings, "RefuseConnection: %s", why)
	}
	under, err := r.reach(ctx, a)
	if err != nil {
		return nil, err
	}
	return r.login(ctx, a, under)
}

// reach makes a connection to the server's SSH port: through another host, by a command, or
// straight.
func (r *Resolved) reach(ctx context.Context, a *asking.Attempt) (net.Conn, error) {
	switch {
	case r.jump != nil:
		link, err := r.jump.connect(ctx, a)
		if err != nil {
			return nil, r.through(err)
		}
		c, err := link.DialContext(ctx, "tcp", r.HostPort())
		if err != nil {
			link.Close()
			return nil, fault.Wrap(fault.Unreachable, err, "%s cannot reach %s", r.jump.HostName, r.HostPort())
		}
		return &jumpConn{Conn: c, link: link}, nil
	case r.ProxyCommand != "":
		return r.dialProxy(ctx)
	}
	return r.dialTCP(ctx)
}

// jumpConn is a connection through another host, whose link ends with it.
type jumpConn struct {
	net.Conn
	link *Link
}

// Read says why the host in between was lost, where that is why nothing comes any more.
func (c *jumpConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil && !c.link.Alive() {
		err = c.link.lost()
	}
	return n, err
}

// Close closes the link alone: closing the channel first would be a write, which may block.
func (c *jumpConn) Close() error { return c.link.Close() }

// through says of a jump host's error whose it is.
func (r *Resolved) through(err error) error {
	if e := fault.As(err); e != nil {
		return e.Within("ProxyJump")
	}
	return err
}

// login does the handshake and the authentication over a connection, which it closes when
// they fail.
func (r *Resolved) login(ctx context.Context, a *asking.Attempt, under net.Conn) (*Link, error) {
	if tcp, ok := under.(*net.TCPConn); ok {
		r.tune(tcp)
	}
	c := newConn(under)
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()

	// Questions to a person end when the server goes away.
	asking, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-c.closed:
			cancel(errServerLeft)
		case <-asking.Done():
		}
	}()

	keys := r.newHostKeys(asking, a)
	algorithms, err := r.algorithms(keys.known)
	if err != nil {
		c.Close()
		return nil, err
	}
	rekey, _ := r.RekeyLimit()
	auth := &authenticator{r: r, ctx: asking, attempt: a}
	defer auth.close()
	var failure error // of ours, which x/crypto may wrap or replace
	config := &ssh.ClientConfig{
		Config: ssh.Config{
			Ciphers:        algorithms.Ciphers,
			MACs:           algorithms.MACs,
			KeyExchanges:   algorithms.KeyExchanges,
			RekeyThreshold: rekey,
		},
		User:              r.User,
		ClientVersion:     clientVersion,
		HostKeyAlgorithms: algorithms.HostKeys,
		HostKeyCallback: func(name string, remote net.Addr, key ssh.PublicKey) error {
			err := keys.check(name, remote, key)
			if err != nil {
				failure = err
			}
			return err
		},
		BannerCallback: func(banner string) error {
			r.Log.Info("the server says", "banner", text.FromPeer(banner))
			return nil
		},
		AuthCallback: auth.next,
	}
	sc, chans, reqs, err := ssh.NewClientConn(c, r.HostPort(), config)
	if err != nil {
		c.Close()
		if fault.As(err) == nil && failure != nil {
			err = failure
		}
		return nil, r.explain(ctx, c, auth, err)
	}
	if !stop() {
		// ctx ended in the last moment and its function closes the connection.
		c.Close()
		return nil, context.Cause(ctx)
	}
	c.greetingDone.Store(true)
	l := newLink(c, sc, r.HostName)
	l.describe(keys.accepted)
	if l.info.Cipher != "" && l.info.MAC == "" {
		c.startBatching()
	}
	if r.learns(keys) {
		l.learner = &learner{r: r, keys: keys, sessionID: sc.SessionID()}
	}
	l.serve(chans, reqs)
	return l, nil
}

// explain makes of a failed handshake's error one that says what is the matter.
func (r *Resolved) explain(ctx context.Context, c *conn, auth *authenticator, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if e := fault.As(err); e != nil {
		return e
	}
	if auth.late {
		// Asking the server again would end the same way, and it counts such visits.
		return fault.New(fault.Denied, "%s", auth.wanted)
	}
	if n, ok := errors.AsType[*ssh.AlgorithmNegotiationError](err); ok {
		return r.noCommon(n)
	}
	greeting := c.heard()
	if !strings.Contains(greeting, "SSH-") {
		if said := text.FromPeer(greeting); said != "" {
			return r.notSSH(said, cause(err))
		}
		if p, ok := c.Conn.(*proxyConn); ok {
			return fault.Wrap(fault.Unreachable, p.explain(cause(err)), "no answer from %s through its ProxyCommand", r.HostName)
		}
		if closedByPeer(err) {
			return r.closedEarly(cause(err))
		}
		return fault.Wrap(fault.Unreachable, cause(err), "no SSH greeting from %s", r.HostName)
	}
	if said := err.Error(); strings.Contains(said, "Too many authentication failures") {
		return r.tooManyTries(auth.tried())
	} else if i := strings.Index(said, "ssh: disconnect, reason"); i >= 0 {
		return fault.New(fault.Unreachable, "%s ended the connection: %s", r.HostName, text.FromPeer(strings.TrimPrefix(said[i:], "ssh: ")))
	}
	if closedByPeer(err) {
		return fault.Because(fault.Unreachable, cause(err), "%s closed the connection while logging in", r.HostName)
	}
	return fault.Wrap(fault.Unreachable, cause(err), "cannot log in to %s", r.HostName)
}

// notSSH is the error for a server that says something else than its version.
func (r *Resolved) notSSH(said string, err error) error {
	if strings.Contains(said, "Exceeded MaxStartups") || strings.Contains(said, "Not allowed at this time") {
		return fault.New(fault.TurnedAway, "%s turns this address away for now: %q", r.HostName, said)
	}
	return fault.Because(fault.Unreachable, err, "%s does not speak SSH; it said %q", r.HostName, said)
}

// closedEarly is the error for one that says nothing.
func (r *Resolved) closedEarly(err error) error {
	return fault.Because(fault.TurnedAway, err, "%s closed the connection before saying anything: too many connections at once, or this address is banned there", r.HostName)
}

// tooManyTries says that the server's MaxAuthTries is used up.
func (r *Resolved) tooManyTries(tried []string) error {
	what := ""
	if len(tried) > 0 {
		what = ": tried " + strings.Join(tried, ", ")
	}
	return fault.New(fault.Denied, "%s allows no more tries (MaxAuthTries)%s; name the right key with IdentityFile and set IdentitiesOnly=yes", r.HostName, what)
}

// cause takes x/crypto's own words off an error.
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

// noCommon names what the two sides would have to agree on.
func (r *Resolved) noCommon(n *ssh.AlgorithmNegotiationError) error {
	offered := make([]string, len(n.RequestedAlgorithms))
	for i, a := range n.RequestedAlgorithms {
		offered[i] = text.FromPeer(a)
	}
	return fault.Because(fault.Settings, errNoCommon, "%s and the native transport have no %s in common; the server offers only %s",
		r.HostName, algorithmKeyword(n.What), strings.Join(offered, ","))
}

// algorithmKeyword is what ssh_config(5) calls what x/crypto or ssh say is not in common.
func algorithmKeyword(what string) string {
	for _, k := range []struct{ part, keyword string }{
		{"key exchange", "KexAlgorithms"}, {"host key", "HostKeyAlgorithms"}, {"cipher", "Ciphers"}, {"MAC", "MACs"}, {"compression", "Compression"},
	} {
		if strings.Contains(what, k.part) {
			return k.keyword
		}
	}
	return "algorithm"
}
