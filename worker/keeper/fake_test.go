package keeper

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/tunnelfile"
)

// fakeLink is a link whose server answers, or not, as the test says.
type fakeLink struct {
	local net.Addr
	busy  chan struct{}
	lost  chan struct{}
	once  sync.Once

	mu         sync.Mutex
	why        error
	mute       chan struct{} // not nil: nothing is answered until it is closed
	received   time.Time
	unanswered time.Time
	looks      int // how often the keeper asked when it was heard last
	pings      int
}

func newFakeLink() *fakeLink {
	return &fakeLink{busy: make(chan struct{}, 1), lost: make(chan struct{}), received: time.Now()}
}

func (l *fakeLink) Ping(ctx context.Context) (time.Duration, error) {
	l.write()
	l.mu.Lock()
	l.pings++
	mute := l.mute
	l.mu.Unlock()
	if mute != nil {
		select {
		case <-mute:
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-l.lost:
			return 0, net.ErrClosed
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.received, l.unanswered = time.Now(), time.Time{}
	return time.Millisecond, nil
}

// write is somebody writing into the link.
func (l *fakeLink) write() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.unanswered.IsZero() {
		l.unanswered = time.Now()
		select {
		case l.busy <- struct{}{}:
		default:
		}
	}
}

// setMute makes the server fall silent, or answer all it was asked.
func (l *fakeLink) setMute(mute bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if mute {
		l.mute = make(chan struct{})
	} else {
		close(l.mute)
		l.mute = nil
	}
}

func (l *fakeLink) fail(why error) {
	l.once.Do(func() {
		l.mu.Lock()
		l.why = why
		l.mu.Unlock()
		close(l.lost)
	})
}

func (l *fakeLink) Wait() error {
	<-l.lost
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.why
}

func (l *fakeLink) closed() bool {
	select {
	case <-l.lost:
		return true
	default:
		return false
	}
}

func (l *fakeLink) LastReceived() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.looks++
	return l.received
}

// looked is how often the keeper has looked at the link.
func (l *fakeLink) looked() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.looks
}

func (l *fakeLink) Unanswered() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.unanswered
}

func (l *fakeLink) Busy() <-chan struct{} { return l.busy }
func (l *fakeLink) Close() error          { l.fail(net.ErrClosed); return nil }
func (l *fakeLink) LocalAddr() net.Addr   { return l.local }
func (l *fakeLink) RemoteAddr() net.Addr  { return nil }

func (l *fakeLink) Progress() (acknowledged, queued uint64, ok bool) { return 0, 0, false }

// noTurns lets every attempt begin at once.
func noTurns(context.Context) (func(), error) { return func() {}, nil }

// harness runs a keeper over fake links. Dial takes what the test puts into dials.
type harness struct {
	t      *testing.T
	k      *Keeper
	dials  chan any // a *fakeLink or an error; nothing there: the dial hangs
	stop   context.CancelFunc
	ended  chan error
	mu     sync.Mutex
	dialed int
	last   Status
	inUse  Link
	lost   []Link
	open   map[Link]int // channels on replaced links
	looks  int          // at what may mend a blocked tunnel
	seen   string       // fingerprint
}

func start(t *testing.T, change func(*Config)) *harness {
	t.Helper()
	h := &harness{t: t, dials: make(chan any, 100), ended: make(chan error, 1), open: make(map[Link]int)}
	c := Config{
		Turn:   noTurns,
		Log:    slog.New(slog.DiscardHandler),
		Policy: Policy{ServerAliveInterval: 10 * time.Second, ServerAliveCountMax: 3, GateTime: time.Minute, RetryMax: time.Minute},
		Dial: func(ctx context.Context) (Link, error) {
			h.mu.Lock()
			h.dialed++
			h.mu.Unlock()
			select {
			case got := <-h.dials:
				if err, ok := got.(error); ok {
					return nil, err
				}
				return got.(*fakeLink), nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		},
		Use: func(ctx context.Context, l Link) error {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.inUse = l
			return nil
		},
		Lost: func(l Link, why error) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.lost = append(h.lost, l)
		},
		Draining: func(l Link) int {
			h.mu.Lock()
			defer h.mu.Unlock()
			return h.open[l]
		},
		IdleSince: func() time.Time { return time.Time{} },
		State: func(s Status) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.last = s
		},
		Fingerprint: func() string {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.looks++
			return h.seen
		},
	}
	if change != nil {
		change(&c)
	}
	h.k = New(c)
	h.k.addresses = func() []netip.Addr { return []netip.Addr{netip.MustParseAddr("192.0.2.1")} }
	ctx, cancel := context.WithCancel(t.Context())
	h.stop = cancel
	go func() { h.ended <- h.k.Run(ctx) }()
	t.Cleanup(cancel)
	return h
}

func (h *harness) set(f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f()
}

// until waits for a condition over what the hooks were told.
func (h *harness) until(what string, condition func() bool) {
	h.t.Helper()
	for end := time.Now().Add(10 * time.Second); ; {
		h.mu.Lock()
		ok, last, dialed := condition(), h.last, h.dialed
		h.mu.Unlock()
		if ok {
			return
		}
		if time.Now().After(end) {
			h.t.Fatalf("not %s; last said %s: %s, %d dials", what, last.State, last.Text, dialed)
		}
		time.Sleep(time.Millisecond)
	}
}

func (h *harness) untilState(s tunnelfile.State) {
	h.t.Helper()
	h.until(string(s), func() bool { return h.last.State == s })
}

// up brings a first link up.
func (h *harness) up() *fakeLink {
	h.t.Helper()
	l := newFakeLink()
	h.dials <- l
	h.until("up", func() bool { return h.last.State == tunnelfile.Up && h.last.Link == Link(l) && h.inUse == Link(l) })
	return l
}

func (h *harness) dialedNow() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.dialed
}

// reasoned is a failure with this reason.
func reasoned(r fault.Reason, text string) error { return fault.New(r, "%s", text) }

var errReset = errors.New("connection reset by peer")
