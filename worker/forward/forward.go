package forward

import (
	"context"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast/holdfast/tunnelfile"
)

// forward is one forward of the file while it is served. For LocalForward and
// DynamicForward it owns ports here, for RemoteForward a bind on the server.
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

	mu      sync.Mutex
	spec    tunnelfile.Forward
	trouble string // what Check found; makes the forward degraded
	note    string // why the last connection was refused
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
	f.lastOpen.Store(time.Now().UnixNano())
	f.setProblems("", "")
}

// refuse counts a connection whose target could not be reached and notes why. A log
// that is not verbose has the first of several.
func (f *forward) refuse(t target, err error) {
	f.refused.Add(1)
	f.mu.Lock()
	trouble, chosen := f.trouble, f.spec.SOCKS()
	f.mu.Unlock()
	level := slog.LevelDebug
	// What clients of a proxy ask for says nothing of the forward.
	if !chosen && f.setProblems(trouble, explain(t, err)) {
		level = slog.LevelInfo
	}
	f.set.log.Log(context.Background(), level, "target not reached", "forward", f.String(), "target", t.addr, "error", err)
}

// setProblems announces a change, and only that; it says whether there was one.
func (f *forward) setProblems(trouble, note string) bool {
	f.mu.Lock()
	same := f.trouble == trouble && f.note == note
	f.trouble, f.note = trouble, note
	f.mu.Unlock()
	if !same {
		f.set.changed()
	}
	return !same
}

// report is the forward as others see it; linked says whether there is a link, and
// refusing why there will be none.
func (f *forward) report(linked bool, refusing string) tunnelfile.ForwardReport {
	f.mu.Lock()
	spec, trouble, note := f.spec, f.trouble, f.note
	f.mu.Unlock()
	if spec.Listen.Unix == "" && spec.Listen.Port == 0 {
		spec.Listen.Port = f.chosenPort()
	}
	r := tunnelfile.ForwardReport{
		Kind:          spec.Kind,
		Text:          spec.Text,
		Listen:        spec.ListenText(),
		Target:        spec.TargetText(),
		ChannelsOpen:  f.open.Load(),
		ChannelsTotal: f.total.Load(),
		BytesSent:     f.sent.Load(),
		BytesReceived: f.received.Load(),
	}
	r.State, r.Message = tunnelfile.Up, note
	if f.bind != nil {
		r.State, r.Message = f.bind.status()
		if r.Message == "" {
			r.Message = note
		}
	}
	switch {
	case !linked && refusing != "":
		r.State, r.Message = tunnelfile.Blocked, refusing
	case !linked && f.bind != nil:
		r.State, r.Message = tunnelfile.Inactive, ""
	case !linked:
		r.State, r.Message = tunnelfile.Listening, ""
	case trouble != "" && r.State == tunnelfile.Up:
		r.State, r.Message = tunnelfile.Degraded, trouble
	}
	return r
}

// chosenPort is where a forward listens that left the port to chance.
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
