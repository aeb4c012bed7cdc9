package forward

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/tunnelfile"
)

// pace is how long to wait between tries of a bind that the server refused: the last wait
// repeats.
type pace []time.Duration

func (p pace) wait(refusals int) time.Duration { return p[min(refusals, len(p)-1)] }

// The paces of a refused bind. What was ours a moment ago is held by our previous session, and
// is free as soon as the server notices that this has ended: it is tried often for as long as
// that is likely, which costs the server an answer each. What was never ours is somebody
// else's, or not permitted.
var (
	paceOfOurs   = slices.Concat(pace{200 * time.Millisecond, 400 * time.Millisecond, 700 * time.Millisecond}, slices.Repeat(pace{time.Second}, 120), pace{5 * time.Second, 10 * time.Second, 30 * time.Second})
	paceOfOthers = pace{time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second}
)

// slowAnswer is how long a server may take to answer before that is told.
const slowAnswer = 3 * time.Second

// cancelTimeout bounds taking a bind back from a link that may not answer any more.
const cancelTimeout = 2 * time.Second

// bind is the listener on the server of a remote forward. It moves from link to link
// and tries again what was refused. A goroutine owns it; moveTo and stop tell it what
// to do.
type bind struct {
	set    *Set
	listen target
	text   string // "port 9090" or the path, for messages
	owner  atomic.Pointer[forward]
	wake   chan struct{} // a token when there is another order
	freed  chan struct{} // a token when what held the port may have let it go
	wasUp  bool          // the server granted it once; the goroutine's own

	mu      sync.Mutex
	order   *order
	state   tunnelfile.State
	reason  fault.Reason
	message string
	port    int // that the server chose; 0 where it was told
}

// order is where a bind is to be: on a lane, or nowhere.
type order struct {
	lane     *lane // nil: there is no link
	stop     bool
	ctx      context.Context // ends when another order came, or the lane was lost
	cancel   context.CancelFunc
	answered chan struct{} // closed when the server has answered, or nobody will ask it
	once     sync.Once
	heard    bool // the server has answered what it was asked last; guarded by bind.mu
}

func (o *order) done() { o.once.Do(func() { close(o.answered) }) }

// granted is a bind that the server granted.
type granted struct {
	lane     *lane
	listener net.Listener
}

// takeBind makes the bind of a forward, or takes over that of one that is gone and
// listened at the same address.
func takeBind(f *forward, gone []*forward) *bind {
	for _, old := range gone {
		if old.bind != nil && old.spec.Listen == f.spec.Listen && old.bind.owner.CompareAndSwap(old, f) {
			return old.bind
		}
	}
	b := &bind{set: f.set, wake: make(chan struct{}, 1), freed: make(chan struct{}, 1), state: tunnelfile.Inactive}
	b.listen, b.text = remoteListen(f.spec.Listen)
	b.owner.Store(f)
	f.set.running.Go(b.run)
	return b
}

// remoteListen is a listen address as ssh(1) sends it to the server, and a name for it.
func remoteListen(a tunnelfile.Address) (target, string) {
	if a.Unix != "" {
		return target{"unix", a.Unix}, a.Unix
	}
	host := a.Host
	switch {
	case !a.Bind && host == "":
		host = "localhost"
	case host == "*":
		host = ""
	}
	port := strconv.Itoa(a.Port)
	return target{"tcp", net.JoinHostPort(host, port)}, "port " + port
}

// moveTo says where the bind belongs from now on. The result is closed when it is
// there, or was refused, or another order came.
func (b *bind) moveTo(n *lane) <-chan struct{} {
	o := &order{lane: n, answered: make(chan struct{})}
	if n != nil {
		o.ctx, o.cancel = context.WithCancel(n.ctx)
	} else {
		o.ctx, o.cancel = context.WithCancel(context.Background())
	}
	return b.give(o)
}

// stop takes the bind back from the server and ends it.
func (b *bind) stop() {
	ctx, cancel := context.WithCancel(context.Background())
	b.give(&order{stop: true, ctx: ctx, cancel: cancel, answered: make(chan struct{})})
}

func (b *bind) give(o *order) <-chan struct{} {
	b.mu.Lock()
	old := b.order
	b.order = o
	b.mu.Unlock()
	if old != nil {
		old.cancel()
		old.done()
	}
	token(b.wake)
	return o.answered
}

// nudge has the bind tried again now, if it was refused.
func (b *bind) nudge() { token(b.freed) }

// token puts one into a channel that has room for one.
func token(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (b *bind) current() *order {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.order
}

// run carries out orders until one is to stop.
func (b *bind) run() {
	var current *granted
	refusals := 0
	retry := time.NewTimer(0)
	retry.Stop()
	for {
		select {
		case <-b.wake:
			refusals = 0
		case <-b.freed:
		case <-retry.C:
		}
		retry.Stop()
		o := b.current()
		if current != nil && current.lane != o.lane {
			current.cancel(b.nudge)
			current = nil
		}
		switch {
		case o.stop:
			o.cancel()
			return
		case o.lane == nil:
			b.show(tunnelfile.Inactive, fault.None, "")
		case current == nil:
			var err error
			if current, err = b.ask(o); err != nil && o.ctx.Err() == nil {
				if !linkTrouble(err) {
					b.refused(err)
				}
				retry.Reset(b.pace().wait(refusals))
				refusals++
			}
		}
		o.done()
	}
}

// pace is how often the bind is tried again.
func (b *bind) pace() pace {
	switch {
	case b.set.pace != nil:
		return b.set.pace
	case b.wasUp:
		return paceOfOurs
	}
	return paceOfOthers
}

// ask asks the server to listen.
func (b *bind) ask(o *order) (*granted, error) {
	if state, _, _ := b.status(); state == tunnelfile.Inactive || state == tunnelfile.Up {
		b.show(tunnelfile.Connecting, fault.None, "") // a bind that was refused stays so until it is granted
	}
	b.hears(o, false)
	slow := time.AfterFunc(slowAnswer, func() { b.isSlow(o) })
	l, err := o.lane.link.ListenContext(o.ctx, b.listen.network, b.listen.addr)
	if err != nil && o.ctx.Err() == nil && b.removeStale(o) {
		l, err = o.lane.link.ListenContext(o.ctx, b.listen.network, b.listen.addr)
	}
	slow.Stop()
	b.hears(o, true)
	if err != nil {
		return nil, err
	}
	g := &granted{lane: o.lane, listener: l}
	b.wasUp = true
	b.notePort(l.Addr())
	b.show(tunnelfile.Up, fault.None, "")
	b.set.running.Go(func() { b.accept(g) })
	return g, nil
}

// hears notes whether the server has answered what it was asked last.
func (b *bind) hears(o *order, answer bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	o.heard = answer
}

// isSlow says that the server has not answered yet, if it still has not.
func (b *bind) isSlow(o *order) {
	b.mu.Lock()
	waits := b.order == o && !o.heard
	if waits {
		b.state, b.reason = tunnelfile.Degraded, fault.SlowAnswer
		b.message = "the server has not answered yet whether it listens on " + b.text
	}
	b.mu.Unlock()
	if waits {
		b.set.changed()
	}
}

// notePort remembers which port the server chose, where it was asked to choose.
func (b *bind) notePort(a net.Addr) {
	if b.listen.network == "unix" || !strings.HasSuffix(b.listen.addr, ":0") {
		return
	}
	if _, port, err := net.SplitHostPort(a.String()); err == nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.port, _ = strconv.Atoi(port)
	}
}

// removeStale has the server's side of a unix socket removed if nobody answers on it.
// sshd does so by itself only where its own StreamLocalBindUnlink says so.
func (b *bind) removeStale(o *order) bool {
	remover, ok := o.lane.link.(StaleRemover)
	if !ok || b.listen.network != "unix" || !b.set.config.Load().StreamLocalBindUnlink {
		return false
	}
	if err := remover.RemoveStale(o.ctx, b.listen.addr); err != nil {
		b.set.log.Debug("remote socket not removed", "path", b.listen.addr, "error", err)
		return false
	}
	b.set.log.Info("stale remote socket removed", "path", b.listen.addr)
	return true
}

// accept serves connections that come in on the server. It does nothing that blocks:
// a channel that is not accepted stops the whole link.
func (b *bind) accept(g *granted) {
	for {
		channel, err := g.listener.Accept()
		if err != nil {
			return // cancelled, or the link is gone
		}
		f := b.owner.Load()
		if !b.set.takeRemote(g.lane) {
			f.turnAway(&f.surplus)
			b.set.running.Go(func() { channel.Close() })
			continue
		}
		b.set.enter()
		b.set.running.Go(func() {
			b.set.serveRemote(f, g.lane, channel)
			b.set.give(g.lane)
		})
	}
}

// cancel takes the bind back, unless its link is lost. It does not wait for a server that does
// not answer, nor on a link that stalls: freed is called when that one has answered after all.
func (g *granted) cancel(freed func()) {
	ended := make(chan struct{})
	go func() {
		g.listener.Close()
		close(ended)
	}()
	patience := cancelTimeout
	if g.lane.owes(stalled) {
		patience = 0
	}
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	select {
	case <-ended:
	case <-g.lane.ctx.Done():
	case <-timeout.C:
		go func() {
			select {
			case <-ended:
				freed()
			case <-g.lane.ctx.Done():
			}
		}()
	}
}

// refused notes why the server does not listen; it does not tell, so it is a guess.
func (b *bind) refused(err error) {
	var message string
	switch {
	case b.listen.network == "unix":
		message = fmt.Sprintf("the server refuses to listen on %s: a socket is there already, likely from a previous session, its folder is missing or not yours to write to, or AllowStreamLocalForwarding forbids it", b.text)
	case b.wasUp:
		message = fmt.Sprintf("the server still holds %s, likely from our previous session: its ClientAliveInterval is 0 or long", b.text)
	default:
		message = fmt.Sprintf("the server refuses to listen on %s: it is held, perhaps by an earlier session of ours, or not permitted (AllowTcpForwarding, PermitListen, ports below 1024)", b.text)
	}
	b.set.log.Debug("remote listen refused", "listen", b.listen.addr, "error", err)
	if b.set.config.Load().ExitOnForwardFailure {
		b.show(tunnelfile.Degraded, fault.RemoteListen, message)
	} else {
		b.show(tunnelfile.Retrying, fault.RemoteListen, message)
	}
}

// linkTrouble says that a bind failed because the link is dying: Lost will follow, and
// there is nothing to say of the server.
func linkTrouble(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, context.Canceled)
}

func (b *bind) show(state tunnelfile.State, reason fault.Reason, message string) {
	b.mu.Lock()
	same := b.state == state && b.reason == reason && b.message == message
	b.state, b.reason, b.message = state, reason, message
	b.mu.Unlock()
	if !same {
		b.set.changed()
	}
}

func (b *bind) status() (tunnelfile.State, fault.Reason, string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.state, b.reason, b.message
}

// chosenPort is the port that the server chose, 0 if it did not.
func (b *bind) chosenPort() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.port
}
