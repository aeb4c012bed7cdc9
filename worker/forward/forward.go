package forward

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/tunnelfile"
)

// forward is one forward that is served. For LocalForward and DynamicForward it has local ports, for
// RemoteForward a bind on the server.
type forward struct {
	set   *Set
	ports []*port
	bind  *bind

	open     atomic.Int64
	total    atomic.Uint64
	refused  atomic.Uint64
	sent     atomic.Uint64
	received atomic.Uint64
	lastOpen atomic.Int64 // Unix nanoseconds

	strangers paced // connections of other users that AllowUsers=self refuses
	surplus   paced // connections over MaxChannels and MaxHeld
	failing   paced // connections whose target was not reached

	mu          sync.Mutex
	spec        tunnelfile.Forward
	absent      string // why it does not listen here; empty if it does
	trouble     string // what Check found; makes the forward degraded
	failure     string // why the last connection did not reach its target
	failures    uint64 // how many in a row did not reach it
	lastFailure time.Time
}

// turnedAwayEvery is how often the log says how many connections were refused. failingEvery is how often
// failures to reach targets are published.
const (
	turnedAwayEvery = time.Minute
	failingEvery    = 5 * time.Second
)

func newForward(s *Set, spec tunnelfile.Forward) *forward {
	f := &forward{set: s, spec: spec}
	say := func(why string) func(int) {
		return func(n int) {
			s.log.Warn("connections refused: "+why, "forward", f.String(), "connections", n)
		}
	}
	f.strangers.every, f.strangers.tell = turnedAwayEvery, say("they are not of this user's processes (AllowUsers=self)")
	f.surplus.every, f.surplus.tell = turnedAwayEvery, say("MaxChannels= are open already")
	f.failing.every, f.failing.tell = failingEvery, func(int) { s.changed() }
	return f
}

// turnAway counts a connection that is refused before its target matters; why is strangers or surplus.
func (f *forward) turnAway(why *paced) {
	f.refused.Add(1)
	why.add()
}

// target is an address as dialers and links take it.
type target struct{ network, addr string }

func targetOf(a tunnelfile.Address) target {
	if a.Unix != "" {
		return target{"unix", a.Unix}
	}
	return target{"tcp", net.JoinHostPort(a.Host, strconv.Itoa(a.Port))}
}

// String names the forward in messages: "LocalForward 5432".
func (f *forward) String() string { return nameOf(f.settings()) }

func nameOf(spec tunnelfile.Forward) string {
	return string(spec.Kind) + " " + spec.Listen.String()
}

func (f *forward) settings() tunnelfile.Forward {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.spec
}

// opened notes a channel that reached its target.
func (f *forward) opened() {
	now := time.Now()
	f.lastOpen.Store(now.UnixNano())
	f.mu.Lock()
	// If connections fail now and then, keep the failure for a while and do not publish each change.
	keep := f.failure != "" && now.Sub(f.lastFailure) < failingEvery
	f.mu.Unlock()
	if !keep {
		f.setTrouble("")
	}
}

// refuse counts a connection whose target could not be reached, and records why. Only the first of several
// in a row is logged as a warning.
func (f *forward) refuse(t target, err error) {
	f.refused.Add(1)
	f.mu.Lock()
	level := slog.LevelDebug
	// With SOCKS the client chose the target, so a failure says nothing about the forward.
	if chosen := f.spec.SOCKS(); !chosen {
		if f.failures == 0 {
			level = slog.LevelWarn
		}
		f.failure, f.lastFailure = Reason(t.addr, err), time.Now()
		f.failures++
		defer f.failing.add()
	}
	defer f.mu.Unlock()
	f.set.log.Log(context.Background(), level, "target not reached", "forward", nameOf(f.spec), "target", t.addr, "error", err)
}

// setTrouble records what Check found, and publishes a change. "" means that the target was reached.
func (f *forward) setTrouble(trouble string) {
	f.mu.Lock()
	same := f.trouble == trouble && (trouble != "" || f.failure == "")
	f.trouble = trouble
	if trouble == "" {
		f.failure, f.failures, f.lastFailure = "", 0, time.Time{}
	}
	f.mu.Unlock()
	if !same {
		f.set.changed()
	}
}

// report is the forward's report. linked says whether there is a link, refusing why there will be none.
func (f *forward) report(linked bool, refusing refusal) tunnelfile.ForwardReport {
	f.mu.Lock()
	spec, trouble, absent := f.spec, f.trouble, f.absent
	failure, failures, last := f.failure, f.failures, f.lastFailure
	f.mu.Unlock()
	if spec.Listen.Unix == "" && spec.Listen.Port == 0 {
		spec.Listen.Port = f.chosenPort()
	}
	r := tunnelfile.ForwardReport{
		Kind: spec.Kind, Text: spec.Text, Listen: spec.ListenText(), Target: spec.TargetText(), State: tunnelfile.Up,
		ChannelsOpen: f.open.Load(), ChannelsTotal: f.total.Load(), Refused: f.refused.Load(),
		BytesSent: f.sent.Load(), BytesReceived: f.received.Load(),
	}
	if f.bind != nil {
		r.State, r.Reason, r.Message = f.bind.status()
	}
	switch {
	case !linked && refusing.text != "":
		r.State, r.Reason, r.Message = tunnelfile.Blocked, refusing.reason, refusing.text
	case absent != "":
		r.State, r.Reason, r.Message = tunnelfile.Degraded, fault.Listen, absent
	case !linked && f.bind != nil:
		r.State, r.Reason, r.Message = tunnelfile.Inactive, fault.None, ""
	case !linked:
		r.State, r.Reason, r.Message = tunnelfile.Listening, fault.None, ""
	case r.Message != "":
	case trouble != "" && r.State == tunnelfile.Up:
		r.State, r.Reason, r.Message = tunnelfile.Degraded, fault.Target, trouble
	case failure != "":
		r.Reason, r.Message = fault.Target, failure
		r.Failures, r.LastFailure = failures, last
		if failures > 1 {
			r.Message += fmt.Sprintf(", %d times", failures)
		}
	}
	return r
}

// chosenPort is the actual port of a forward with port 0; 0 if it does not listen.
func (f *forward) chosenPort() int {
	if f.bind != nil {
		return f.bind.chosenPort()
	}
	for _, p := range f.ports {
		if a, ok := p.listener.Addr().(*net.TCPAddr); ok {
			return a.Port
		}
	}
	return 0
}
