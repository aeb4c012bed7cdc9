package keeper

import (
	"testing"
	"time"
)

func TestJudge(t *testing.T) {
	start := time.Now()
	at := func(s float64) time.Time { return start.Add(time.Duration(s * float64(time.Second))) }
	p := Policy{ServerAliveInterval: 10 * time.Second, ServerAliveCountMax: 3}
	never := Policy{}
	one := Policy{ServerAliveInterval: 10 * time.Second, ServerAliveCountMax: 1}
	none := time.Time{}
	for _, c := range []struct {
		what  string
		p     Policy
		s     silence
		now   time.Time
		want  verdict
		again time.Time
	}{
		{"idle", p, silence{received: at(0)}, at(3), well, at(10)},
		{"idle for the interval", p, silence{received: at(0)}, at(10), sendPing, at(10)},
		{"idle, keepalives off", never, silence{received: at(0)}, at(1000), well, none},
		{"written, young", p, silence{received: at(0), unanswered: at(5)}, at(5.5), well, at(6)},
		{"written, unanswered", p, silence{received: at(0), unanswered: at(5)}, at(6), sendPing, at(6)},
		{"written, far away server", p, silence{received: at(0), unanswered: at(5), rtt: time.Second}, at(6), well, at(9)},
		{"written, keepalives off", never, silence{received: at(0), unanswered: at(5)}, at(6), sendPing, at(6)},
		{"asked", p, silence{received: at(0), unanswered: at(5), pinged: at(6)}, at(7), well, at(8)},
		{"asked, overdue", p, silence{received: at(0), unanswered: at(5), pinged: at(6)}, at(8), suspect, at(30)},
		{"asked, far away server", p, silence{received: at(0), pinged: at(6), rtt: time.Second}, at(8), well, at(14)},
		{"asked, but bytes come", p, silence{received: at(7.5), pinged: at(6)}, at(8.5), well, at(9.5)},
		{"asked, keepalives off", never, silence{received: at(0), pinged: at(6)}, at(1000), suspect, none},
		{"asked, on a slow line", p, silence{received: at(0), pinged: at(6), moved: at(8)}, at(9), well, at(10)},
		{"asked, on a slow line, dead", p, silence{received: at(0), pinged: at(6), moved: at(28.5)}, at(30.5), dead, none},
		{"dead", p, silence{received: at(0), unanswered: at(5), pinged: at(6)}, at(30), dead, none},
		{"one interval only", one, silence{received: at(0), pinged: at(10)}, at(19), suspect, at(20)},
		{"one interval only, dead", one, silence{received: at(0), pinged: at(10)}, at(20), dead, none},
		{"slept: asked before it is dead", p, silence{received: at(0)}, at(3600), sendPing, at(3600)},
		{"slept: asked, not yet overdue", p, silence{received: at(0), pinged: at(3600)}, at(3601), well, at(3602)},
		{"slept: no answer", p, silence{received: at(0), pinged: at(3600)}, at(3602), dead, none},
	} {
		got, again := c.p.judge(c.s, c.now)
		if got != c.want || !again.Equal(c.again) {
			t.Errorf("%s: %v, again after %v; want %v, %v", c.what, got, again.Sub(start), c.want, c.again.Sub(start))
		}
	}
}

func TestSmoothed(t *testing.T) {
	for _, c := range []struct{ before, measured, want time.Duration }{
		{0, 2 * time.Second, 2 * time.Second},
		{time.Millisecond, 2 * time.Second, 2 * time.Millisecond},
		{time.Second, time.Millisecond, time.Millisecond},
		{20 * time.Millisecond, 30 * time.Millisecond, 30 * time.Millisecond},
	} {
		if got := smoothed(c.before, c.measured); got != c.want {
			t.Errorf("%v after %v: %v, want %v", c.measured, c.before, got, c.want)
		}
	}
}

// slowLink is a link on a slow line: so much is acknowledged at each look.
type slowLink struct {
	*fakeLink
	acknowledged, queued, rate uint64
}

func (l *slowLink) Progress() (uint64, uint64, bool) {
	sent := min(l.rate, l.queued)
	l.acknowledged, l.queued = l.acknowledged+sent, l.queued-sent
	return l.acknowledged, l.queued, true
}

func TestQueueBeforeAPing(t *testing.T) {
	for _, c := range []struct {
		what        string
		queued, per uint64
		want        []bool
	}{
		{"slow line", 1000, 300, []bool{true, true, false}},
		{"dead line", 1000, 0, []bool{false, false, false}},
		{"nothing before it", 0, 100, []bool{false, false, false}},
	} {
		l := &slowLink{queued: c.queued}
		q := queueBefore(l)
		l.rate = c.per
		for i, want := range c.want {
			if i == 2 {
				l.rate *= 2
			}
			if got := q.moves(l); got != want {
				t.Errorf("%s, look %d: moves %v, want %v", c.what, i, got, want)
			}
		}
	}
	q := queueBefore(newFakeLink())
	if q.moves(newFakeLink()) {
		t.Error("a link that cannot tell moves")
	}
}
