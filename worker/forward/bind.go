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

// pace is the waits between attempts to bind after the server refused. The last wait repeats.
type pace []time.Duration

func (p pace) wait(refusals int) time.Duration { return p[min(refusals, len(p)-1)] }

// The paces of a refused bind. A port that this bind had before is probably still in use by our previous
// session, until the server notices its end. So paceOfOurs is fast for two minutes; each attempt costs the
// server only an answer. A port that this bind never had belongs to somebody else, or is not permitted.
var (
	paceOfOurs   = slices.Concat(pace{200 * time.Millisecond, 400 * time.Millisecond, 700 * time.Millisecond}, slices.Repeat(pace{time.Second}, 120), pace{5 * time.Second, 10 * time.Second, 30 * time.Second})
	paceOfOthers = pace{time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second}
)

// slowAnswer is how long a server may take to answer before the forward is reported as degraded.
const slowAnswer = 3 * time.Second

// cancelTimeout bounds the wait for the server to cancel a bind, on a link that may not answer any more.
const cancelTimeout = 2 * time.Second

// bind is the listener of a remote forward on the server. It moves from link to link, and tries again
// after a refusal. Its own goroutine, run, owns it; moveTo and stop give that orders.
type bind struct {
	set    *Set
	listen target
	text   string // "port 9090" or the path, for messages
	owner  atomic.Pointer[forward]
	wake   chan struct{} // a token when there is a new order
	freed  chan struct{} // a token when the port may be free
	wasUp  bool          // the server granted it once; owned by run

	mu      sync.Mutex
	order   *order
	state   tunnelfile.State
	reason  fault.Reason
	message string
	port    int // the port that the server chose; 0 if it did not choose
}

// order says where a bind must listen: on a lane, or nowhere.
type order struct {
	lane     *lane // nil if there is no link
	stop     bool
	ctx      context.Context // ends with the next order, or when the lane is lost
	cancel   context.CancelFunc
	answered context.Context // ends when the server has answered, or will not be asked
	done     context.CancelFunc
	heard    bool // the server has answered the last request; guarded by bind.mu
}

// granted is a bind that the server granted.
type granted struct {
	lane     *lane
	listener net.Listener
}

// takeBind returns a forward's bind: the one of a removed forward with the same address, or a new one.
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

// remoteListen is a listen address as ssh(1) sends it to the server, and its name for people.
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

// moveTo orders the bind to listen on a lane, or nowhere if n is nil. The result is closed when the order
// is carried out, was refused, or is replaced by another.
func (b *bind) moveTo(n *lane) <-chan struct{} {
	parent := context.Background()
	if n != nil {
		parent = n.ctx
	}
	return b.give(parent, &order{lane: n})
}

// stop cancels the bind on the server, and ends run.
func (b *bind) stop() { b.give(context.Background(), &order{stop: true}) }

// give replaces the order. parent ends the new one early.
func (b *bind) give(parent context.Context, o *order) <-chan struct{} {
	o.ctx, o.cancel = context.WithCancel(parent)
	o.answered, o.done = context.WithCancel(context.Background())
	b.mu.Lock()
	old := b.order
	b.order = o
	b.mu.Unlock()
	if old != nil {
		old.cancel()
		old.done()
	}
	token(b.wake)
	return o.answered.Done()
}

// nudge makes a refused bind try again now.
func (b *bind) nudge() { token(b.freed) }

// token puts a token into a channel with capacity 1, unless there is one already.
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

// run carries out orders until the order to stop.
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
			o.done()
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

// pace is the pace of this bind after a refusal.
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
		b.show(tunnelfile.Connecting, fault.None, "") // a refused bind keeps its state until it is granted
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

// hears notes whether the server has answered the last request.
func (b *bind) hears(o *order, answer bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	o.heard = answer
}

// isSlow makes the forward degraded if the server has not answered yet.
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

// notePort stores the port that the server chose, if it was asked to choose one (port 0).
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

// removeStale removes the unix socket on the server if nobody answers on it. sshd does that only if its
// own StreamLocalBindUnlink is yes.
func (b *bind) removeStale(o *order) bool {
	if b.listen.network != "unix" || !b.set.config.Load().StreamLocalBindUnlink {
		return false
	}
	if err := o.lane.link.RemoveStale(o.ctx, b.listen.addr); err != nil {
		b.set.log.Debug("remote socket not removed", "path", b.listen.addr, "error", err)
		return false
	}
	b.set.log.Info("stale remote socket removed", "path", b.listen.addr)
	return true
}

// accept serves connections that arrive on the server. It must not block: a channel that is not accepted
// stops the whole link.
func (b *bind) accept(g *granted) {
	for {
		channel, err := g.listener.Accept()
		if err != nil {
			return // the bind was cancelled, or the link is lost
		}
		f := b.owner.Load()
		if !b.set.takeRemote(g.lane) {
			f.turnAway(&f.surplus)
			b.set.running.Go(func() { channel.Close() })
			continue
		}
		b.set.busy.Add(1)
		b.set.running.Go(func() {
			b.set.serveRemote(f, g.lane, channel)
			b.set.give(g.lane)
		})
	}
}

// cancel cancels the bind on the server, unless its link is lost. It waits for cancelTimeout at most, and
// not at all if the link stalls. If the server answers later, freed is called then.
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

// refused records why the server does not listen. The server gives no reason, so the message is a guess.
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
	state := tunnelfile.Retrying
	if b.set.config.Load().ExitOnForwardFailure {
		state = tunnelfile.Degraded
	}
	b.show(state, fault.RemoteListen, message)
}

// linkTrouble says whether a bind failed because its link is being lost. The error says nothing about the
// server then, and Set.Lost follows.
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

// chosenPort is the port that the server chose; 0 if it did not choose.
func (b *bind) chosenPort() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.port
}
