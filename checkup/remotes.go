package checkup

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"syscall"
	"time"

	"github.com/holdfast/holdfast/sshlink"
	"github.com/holdfast/holdfast/sshlink/wire"
	"github.com/holdfast/holdfast/tunnelfile"
	"github.com/holdfast/holdfast/worker/forward"
)

// remotes examines the remote forwards. If the tunnel is up, its report gives their state. Otherwise the
// server is asked to listen for a moment.
func (x *examination) remotes(link sshlink.Link) {
	for _, f := range x.forwards.Forwards {
		if f.Kind != tunnelfile.RemoteForward {
			continue
		}
		name := string(f.Kind) + " " + f.Listen.String()
		if x.up() {
			x.remoteInUse(f, name)
		} else {
			x.tryRemote(link, f, name)
		}
		x.remoteTarget(f, name)
	}
}

// remoteInUse reports the state of a remote forward whose tunnel is up.
func (x *examination) remoteInUse(f tunnelfile.Forward, name string) {
	if r := x.reported(f); r.State != tunnelfile.Up {
		x.Problem(tunnelfile.SubjectRemote, x.freeListenMend(f), "%s: %s", name, r.Message)
		return
	}
	x.OK(tunnelfile.SubjectRemote, "%s: the server listens for the tunnel", name)
}

// tryRemote asks the server to listen. If it refuses, tryRemote finds out whether it would listen on
// another port.
func (x *examination) tryRemote(link sshlink.Link, f tunnelfile.Forward, name string) {
	network, addr := forward.RemoteListen(f)
	l, err := listen(x.ctx, link, network, addr)
	if err == nil {
		defer l.Close()
		if !x.listenerIsOurs(link, l, f, name) {
			return
		}
		x.checkReach(link, f, name, addr)
		return
	}
	var refused *wire.RefusedError
	switch {
	case !errors.As(err, &refused):
		x.Problem(tunnelfile.SubjectRemote, "holdfast logs "+x.tunnel.Name+" -n 20", "%s: %v", name, err)
	case f.Listen.Unix != "":
		x.Problem(tunnelfile.SubjectRemote, "on the server: rm "+tunnelfile.ShellWord(f.Listen.Unix)+" (and StreamLocalBindUnlink yes in sshd_config, so that it need not be done again)",
			"%s: the server refuses to listen there: a stale socket is in the way, or AllowStreamLocalForwarding forbids it", name)
	case f.Listen.Port > 0 && f.Listen.Port < 1024 && x.server.User != "root":
		x.Problem(tunnelfile.SubjectRemote, "holdfast edit "+x.tunnel.Name, "%s: the server refuses: ports below 1024 are for root there", name)
	case f.Listen.Port > 0 && x.listensElsewhere(link, addr):
		x.Problem(tunnelfile.SubjectRemote, x.freeListenMend(f),
			"%s: the server refuses: the port is held there, often by a session of ours that died and that it has not noticed (ClientAliveInterval is 0 by default)", name)
	default:
		x.Problem(tunnelfile.SubjectRemote, "on the server, in sshd_config: AllowTcpForwarding yes (and PermitListen any); then systemctl reload ssh",
			"%s: the server lets nobody make it listen (AllowTcpForwarding, PermitListen)", name)
	}
}

func listen(ctx context.Context, link sshlink.Link, network, addr string) (net.Listener, error) {
	ctx, cancel := context.WithTimeout(ctx, targetTime)
	defer cancel()
	return link.ListenContext(ctx, network, addr)
}

// listensElsewhere says whether the server would listen on a port that it chooses itself.
func (x *examination) listensElsewhere(link sshlink.Link, addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	l, err := listen(x.ctx, link, "tcp", net.JoinHostPort(host, "0"))
	if err == nil {
		l.Close()
	}
	return err == nil
}

// freeListenMend says how to free a listen address on the server.
func (x *examination) freeListenMend(f tunnelfile.Forward) string {
	if f.Listen.Unix != "" {
		return "on the server: ss -xlp src " + tunnelfile.ShellWord(f.Listen.Unix)
	}
	return "on the server: sudo ss -ltnp sport = :" + strconv.Itoa(f.Listen.Port) + "   # who holds it; and in sshd_config: ClientAliveInterval 15"
}

// listenerIsOurs makes the server connect to its new listener, and says whether that connection arrives here.
// Another process may have the port: sshd accepts a listen request if it gets one of 127.0.0.1 and ::1.
func (x *examination) listenerIsOurs(link sshlink.Link, l net.Listener, f tunnelfile.Forward, name string) bool {
	if f.Listen.Unix != "" || f.Listen.Port == 0 {
		return true
	}
	came := make(chan bool, 1)
	go func() {
		c, err := l.Accept()
		if err == nil {
			c.Close()
		}
		came <- err == nil
	}()
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(f.Listen.Port))
	if a, err := netip.ParseAddr(f.Listen.Host); err == nil && !a.IsUnspecified() {
		addr = net.JoinHostPort(a.String(), strconv.Itoa(f.Listen.Port))
	}
	if err := open(x.ctx, link, "tcp", addr); err != nil {
		return true // the server does not allow this test
	}
	select {
	case ok := <-came:
		return ok
	case <-time.After(answerTime):
	case <-x.ctx.Done():
	}
	x.Problem(tunnelfile.SubjectRemote, x.freeListenMend(f), "%s: the server would listen, but somebody else there answers at %s", name, addr)
	return false
}

// answerTime is how long a connection to the server's listener may need to arrive here.
const answerTime = 5 * time.Second

// checkReach finds out whether others can reach the server's listener, if they should. With GatewayPorts no,
// sshd accepts the request, but listens on the loopback address only.
func (x *examination) checkReach(link sshlink.Link, f tunnelfile.Forward, name, addr string) {
	peer, _, _ := net.SplitHostPort(link.Info().Peer)
	server, notAddress := netip.ParseAddr(peer)
	if f.Listen.Unix == "" && f.Listen.Port > 0 && !isLoopback(f.Listen) && notAddress == nil && !server.IsLoopback() {
		// The server connects to its own address, so no firewall on the way can refuse.
		err := open(x.ctx, link, "tcp", net.JoinHostPort(server.String(), strconv.Itoa(f.Listen.Port)))
		if forward.TurnedDown(err) && !forward.Prohibited(err) {
			x.Problem(tunnelfile.SubjectRemote, "on the server, in sshd_config: GatewayPorts clientspecified; then systemctl reload ssh",
				"%s: the server listens for itself alone, not on %s (GatewayPorts)", name, addr)
			return
		}
	}
	x.OK(tunnelfile.SubjectRemote, "%s: the server would listen", name)
}

// remoteTarget connects to the local target of a RemoteForward.
func (x *examination) remoteTarget(f tunnelfile.Forward, name string) {
	if f.SOCKS() {
		return
	}
	network, addr := forward.Target(f)
	ctx, cancel := context.WithTimeout(x.ctx, targetTime)
	defer cancel()
	c, err := new(net.Dialer).DialContext(ctx, network, addr)
	switch {
	case err == nil:
		c.Close()
		x.OK(tunnelfile.SubjectTarget, "%s: %s takes connections here", name, addr)
	case errors.Is(err, syscall.ECONNREFUSED) && f.Target.Unix == "":
		x.Problem(tunnelfile.SubjectTarget, "ss -ltn sport = :"+strconv.Itoa(f.Target.Port), "%s: %s, here", name, forward.Reason(addr, err))
	default:
		x.Problem(tunnelfile.SubjectTarget, "", "%s: %s, here", name, forward.Reason(addr, err))
	}
}
