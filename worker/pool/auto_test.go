package pool

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
	"github.com/holdfast/holdfast/worker/forward"
	"github.com/holdfast/holdfast/worker/keeper"
)

func TestNeeded(t *testing.T) {
	const near, far = time.Millisecond, 100 * time.Millisecond
	for _, c := range []struct {
		what string
		load forward.Load
		want int
	}{
		{"nothing", forward.Load{RTT: far}, 1},
		{"a channel now and then", forward.Load{Fresh: 2, RTT: far}, 1},
		{"one bulk channel, and room for what comes next", forward.Load{Bulk: 1, BulkLinks: 1, RTT: near}, 2},
		{"several on one connection", forward.Load{Bulk: 4, BulkLinks: 1, RTT: far}, 2},
		{"several on several", forward.Load{Bulk: 4, BulkLinks: 3, RTT: far}, 4},
		{"several on a line that loses packets", forward.Load{Bulk: 4, BulkLinks: 1, RTT: far, Losses: 3}, 5},
		{"one on such a line", forward.Load{Bulk: 1, BulkLinks: 1, RTT: far, Losses: 9}, 2},
		{"what a full line drops", forward.Load{Bulk: 4, BulkLinks: 1, RTT: far, Losses: 1}, 2},
		{"many on such a line", forward.Load{Bulk: 20, BulkLinks: 5, RTT: far, Losses: 3}, 8},
		{"a page", forward.Load{Fresh: 6, RTT: far}, 8},
		{"a small page", forward.Load{Fresh: 3, RTT: far}, 5},
		{"a large page", forward.Load{Fresh: 40, RTT: far}, 8},
		{"a page beside bulk", forward.Load{Bulk: 1, BulkLinks: 1, Fresh: 4, RTT: far}, 6},
		{"a page from next door", forward.Load{Fresh: 40, RTT: near}, 1},
		{"a page, and the way is not known", forward.Load{Fresh: 40}, 1},
	} {
		if got := needed(c.load); got != c.want {
			t.Errorf("%s: %d connections, want %d", c.what, got, c.want)
		}
	}
}

func TestStep(t *testing.T) {
	then := time.Unix(1000, 0)
	at := func(d time.Duration) time.Time { return then.Add(d) }
	for _, c := range []struct {
		what  string
		auto  auto
		have  int
		allUp bool
		want  step
		again time.Time
	}{
		{"one is enough", auto{need: 1, since: then}, 1, true, stay, time.Time{}},
		{"more are needed", auto{need: 3, since: then}, 1, true, grow, time.Time{}},
		{"one at a time", auto{need: 3, since: then}, 2, false, stay, at(keepTime)},
		{"the next", auto{need: 3, since: then}, 2, true, grow, at(keepTime)},
		{"as many as needed", auto{need: 3, since: then}, 3, true, stay, at(keepTime)},
		{"too many", auto{need: 1, since: then}, 3, true, shrink, time.Time{}},
		{"too many, and one is lost", auto{need: 1, since: then}, 3, false, shrink, time.Time{}},
		{"refused", auto{need: 3, since: then, refused: then}, 1, true, stay, at(askAgain)},
		{"refused the third", auto{need: 3, since: then, refused: then}, 2, true, stay, at(keepTime)},
		{"refused long ago", auto{need: 3, since: then, refused: at(-askAgain)}, 1, true, grow, time.Time{}},
		{"for want of a person", auto{need: 3, since: then, refused: at(-askAgain), person: true}, 1, true, stay, time.Time{}},
	} {
		if got, again := c.auto.step(then, c.have, c.allUp); got != c.want || !again.Equal(c.again) {
			t.Errorf("%s: %v, again at %v, want %v, %v", c.what, got, again, c.want, c.again)
		}
	}
}

// What was needed is kept for a while, and no longer.
func TestNote(t *testing.T) {
	now := time.Unix(1000, 0)
	a := auto{need: 1, since: now}
	for _, c := range []struct {
		after  time.Duration
		needed int
		want   int
	}{{0, 3, 3}, {keepTime / 2, 1, 3}, {keepTime / 4, 3, 3}, {keepTime / 2, 2, 3}, {keepTime / 2, 2, 2}, {0, 8, 8}} {
		now = now.Add(c.after)
		if a.note(c.needed, now); a.need != c.want {
			t.Errorf("%d are kept, want %d: %+v", a.need, c.want, c)
		}
	}
}

// link is one that answers at once, and reaches every target itself.
type link struct{ lost chan error }

func (l *link) Ping(context.Context) (time.Duration, error) { return 20 * time.Millisecond, nil }
func (l *link) LastReceived() time.Time                     { return time.Now() }
func (l *link) Unanswered() time.Time                       { return time.Time{} }
func (l *link) Busy() <-chan struct{}                       { return nil }
func (l *link) Wait() error                                 { return <-l.lost }
func (l *link) LocalAddr() net.Addr                         { return nil }
func (l *link) RemoteAddr() net.Addr                        { return nil }
func (l *link) Progress() (uint64, uint64, bool)            { return 0, 0, false }
func (l *link) Alive() bool                                 { return true }
func (l *link) Line() (time.Duration, uint64, bool)         { return 0, 0, false }
func (l *link) RemoveStale(context.Context, string) error   { return errors.ErrUnsupported }

func (l *link) Close() error {
	l.lose(net.ErrClosed)
	return nil
}

func (l *link) lose(err error) {
	select {
	case l.lost <- err:
	default:
	}
}

func (l *link) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, network, addr)
}

func (l *link) ListenContext(context.Context, string, string) (net.Listener, error) {
	return nil, errors.ErrUnsupported
}

const patience = 20 * time.Second

// automatic is a pool with Connections=auto over such links; dial may refuse one.
func automatic(t *testing.T, dial func() error) (p *Pool, listens net.Addr) {
	t.Helper()
	target := testbed.Echo(t, "tcp", "127.0.0.1:0").(*net.TCPAddr)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	to := tunnelfile.Address{Host: target.IP.String(), Port: target.Port, Bind: true}
	here := l.Addr().(*net.TCPAddr)
	from := tunnelfile.Address{Host: here.IP.String(), Port: here.Port, Bind: true}
	set, err := forward.New(forward.Config{
		Forwards:    []tunnelfile.Forward{{Kind: tunnelfile.LocalForward, Listen: from, Target: to}},
		HoldTimeout: patience, MaxHeld: 9, Inherited: []net.Listener{l},
	})
	if err != nil {
		t.Fatal(err)
	}
	keeping, stop := context.WithCancel(t.Context())
	p = New(keeping, Config{
		Set: set, Changed: func(Status) {}, Log: slog.New(slog.DiscardHandler),
		Keeper: func(c *Connection) keeper.Config {
			return keeper.Config{
				Policy:    keeper.Policy{RetryMax: time.Minute, GateTime: time.Minute},
				Dial:      func(context.Context) (keeper.Link, error) { return &link{make(chan error, 1)}, dial() },
				Use:       func(ctx context.Context, l keeper.Link) error { return c.Slot.Use(ctx, l.(*link)) },
				Lost:      func(l keeper.Link, _ error) { set.Lost(l.(*link)) },
				Draining:  func(l keeper.Link) int { return set.Load(l.(*link)) },
				IdleSince: set.IdleSince,
				Log:       slog.New(slog.DiscardHandler), Fingerprint: func() string { return "" },
			}
		},
	})
	t.Cleanup(func() {
		stop()
		p.Wait()
		set.Close(keeping)
	})
	p.Resize(0)
	p.until(t, 1)
	return p, l.Addr()
}

// until calls Fit until there are so many connections, all of which stand.
func (p *Pool) until(t *testing.T, n int) {
	t.Helper()
	testbed.WaitFor(t, patience, func() error {
		p.Fit(time.Now(), nil)
		s := p.Status()
		if p.Size() == n && s.State == tunnelfile.Up && s.Up == n && s.Wanted == n {
			return nil
		}
		return fmt.Errorf("%d connections, %d of %d up, want %d", p.Size(), s.Up, s.Wanted, n)
	})
}

// It grows one by one, and shrinks by those that carry nothing.
func TestGrowsAndShrinks(t *testing.T) {
	p, listens := automatic(t, func() error { return nil })
	p.Fit(time.Now(), &forward.Load{Bulk: 3, BulkLinks: 3})
	if n := p.Size(); n != 2 {
		t.Errorf("%d connections after one step", n)
	}
	p.until(t, 4)
	var conns []net.Conn
	for range 4 {
		c, err := net.Dial("tcp", listens.String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		conns = append(conns, c)
		c.Write([]byte("x"))
		if _, err := c.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
	later := time.Now().Add(keepTime)
	if p.Fit(later, nil); p.Size() != 4 {
		t.Errorf("%d connections, and four carry a channel", p.Size())
	}
	for _, c := range conns[:3] {
		c.Close()
	}
	testbed.WaitFor(t, patience, func() error {
		if p.Fit(later, nil); p.Size() != 2 { // the first, and that with the channel
			return fmt.Errorf("%d connections", p.Size())
		}
		return nil
	})
	if s := p.Status(); s.State != tunnelfile.Up || s.Up != 2 || s.Wanted != 2 {
		t.Errorf("%s with %d of %d", s.State, s.Up, s.Wanted)
	}
	testbed.CheckEcho(t, conns[3], 1<<20, patience)
	testbed.WaitFor(t, patience, func() error {
		if p.Fit(later, nil); p.Size() != 1 {
			return fmt.Errorf("%d connections", p.Size())
		}
		return nil
	})
}

// What the server refuses is not asked for again soon, and the tunnel is up with what it has.
func TestRefused(t *testing.T) {
	var attempts atomic.Int32
	var refusal atomic.Pointer[error]
	p, _ := automatic(t, func() error {
		attempts.Add(1)
		if e := refusal.Load(); e != nil {
			return *e
		}
		return nil
	})
	much := &forward.Load{Bulk: 1, BulkLinks: 1}
	refused := func(now time.Time, err error, want int32) {
		t.Helper()
		refusal.Store(&err)
		defer refusal.Store(nil)
		testbed.WaitFor(t, patience, func() error {
			p.Fit(now, much)
			if got := attempts.Load(); got != want || p.Size() != 1 {
				return fmt.Errorf("%d attempts, %d connections", got, p.Size())
			}
			return nil
		})
		for range 10 {
			p.Fit(now, much)
		}
		s := p.Status()
		if got := attempts.Load(); got != want || s.State != tunnelfile.Up || s.Wanted != 1 || !errors.Is(s.Refused, err) {
			t.Errorf("%d attempts, %s, %d wanted, refused: %v", got, s.State, s.Wanted, s.Refused)
		}
	}
	now := time.Now()
	refused(now, fault.New(fault.TurnedAway, "too many"), 2)
	refused(now.Add(askAgain), fault.New(fault.Password, "a password is needed"), 3)
	now = now.Add(3 * askAgain)
	for range 10 {
		p.Fit(now, much)
	}
	if got := attempts.Load(); got != 3 {
		t.Errorf("%d attempts, and the third was refused for want of a person", got)
	}
	// With another login of the first it is another matter.
	p.First().Link.(*link).lose(errors.New("reset"))
	testbed.WaitFor(t, patience, func() error {
		p.Fit(now, much)
		if s := p.Status(); s.Up != 2 || s.Refused != nil {
			return fmt.Errorf("%d up, refused: %v", s.Up, s.Refused)
		}
		return nil
	})
}

// One that stands takes the place of a first one that is lost and cannot be had again.
func TestFirstOneLost(t *testing.T) {
	var away atomic.Bool
	p, _ := automatic(t, func() error {
		if away.Load() {
			return fault.New(fault.TurnedAway, "too many")
		}
		return nil
	})
	p.Fit(time.Now(), &forward.Load{Bulk: 1, BulkLinks: 1})
	p.until(t, 2)
	away.Store(true)
	p.First().Link.(*link).lose(errors.New("reset"))
	p.until(t, 1)
}
