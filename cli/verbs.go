package cli

import (
	"context"
	"errors"
	"fmt"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/term"

	"github.com/holdfast/holdfast/cli/advice"
	"github.com/holdfast/holdfast/cli/tunnel"
	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/tunnelfile"
)

// action is one of up, down, restart and reconnect.
type action struct {
	call func(*dbusapi.Client) func(ctx context.Context, patterns ...string) error
	// done says whether a tunnel is so now. News of what was before asked may be under way still.
	done func(now dbusapi.Tunnel, asked time.Time) bool
	goal string // for people: "is up"
	stop bool   // a tunnel that is stuck is where it should be
	well bool   // one that is degraded is not
	anew bool   // the way leads through the end of what runs now
}

func (s *session) up(args []string) error {
	return s.act(args, action{
		call: func(c *dbusapi.Client) func(context.Context, ...string) error { return c.Start },
		done: func(now dbusapi.Tunnel, _ time.Time) bool { return stands(now) },
		goal: "is up",
		well: true,
	})
}

func (s *session) down(args []string) error {
	return s.act(args, action{
		call: func(c *dbusapi.Client) func(context.Context, ...string) error { return c.Stop },
		done: func(now dbusapi.Tunnel, _ time.Time) bool { return now.State == tunnelfile.Inactive },
		goal: "is down",
		stop: true,
	})
}

func (s *session) restart(args []string) error {
	return s.act(args, action{
		call: func(c *dbusapi.Client) func(context.Context, ...string) error { return c.Restart },
		done: func(now dbusapi.Tunnel, asked time.Time) bool {
			// A socket that listens again may have done so all the time, as far as can be seen.
			return stands(now) && (now.StateSince.After(asked) || now.State == tunnelfile.Listening && time.Since(asked) >= stale)
		},
		goal: "is up again",
		anew: true,
	})
}

func (s *session) reconnect(args []string) error {
	return s.act(args, action{
		call: func(c *dbusapi.Client) func(context.Context, ...string) error { return c.Reconnect },
		done: func(now dbusapi.Tunnel, asked time.Time) bool {
			// One that waits for its first connection has none to make anew.
			return now.State == tunnelfile.Listening || stands(now) && now.UpSince.After(asked)
		},
		goal: "has a new connection",
	})
}

// stands says whether a tunnel is up, or listens as it should until somebody connects. One
// that is not on demand listens for a moment while its program is started anew.
func stands(t dbusapi.Tunnel) bool {
	return tunnel.Running(t.State) && (t.State != tunnelfile.Listening || t.StartMode == tunnelfile.StartOnDemand)
}

// stale is how long a state that needs a person may be the one from before we asked.
const stale = 2 * time.Second

// settleTime is how long a tunnel may be degraded before up gives up on it: a forward may
// come a moment after the others.
const settleTime = 5 * time.Second

// act does it, and waits until it is so for every tunnel.
func (s *session) act(args []string, a action) error {
	flags := s.flags()
	all := flags.Bool("all", false, "")
	noWait := flags.Bool("no-wait", false, "")
	patterns, err := parse(flags, args)
	switch {
	case err != nil:
		return err
	case len(patterns) == 0 && !*all:
		return advice.Misuse{Message: "which tunnels? NAME… or --all"}
	case len(patterns) > 0 && *all:
		return advice.Misuse{Message: "--all or names, not both"}
	}
	watched, err := s.watch(patterns)
	if err != nil {
		return err
	}
	client, first, before := watched.client, watched.first, watched.named
	if len(before) == 0 {
		s.out.note("No tunnels yet.")
		return nil
	}
	for _, t := range before {
		if _, there := first.Tunnel(t.Name); !there {
			first.Tunnels = append(first.Tunnels, t)
		}
	}
	agent, stopAsking := s.answerPrompts(client)
	stopAsking = sync.OnceFunc(stopAsking)
	defer stopAsking()
	ctx, cancel := s.call()
	defer cancel()
	start := time.Now()
	// What is under way still is waited for below.
	if err := a.call(client)(ctx, patterns...); err != nil && !errors.Is(err, dbusapi.ErrUnderWay) {
		return err
	}
	if *noWait {
		if s.json {
			return s.out.json(tunnelsAsJSON(before), false)
		}
		return nil
	}
	w := wait{session: s, action: a, client: client, start: start, pending: before, said: make(map[string]string), moved: make(map[string]bool), degraded: make(map[string]time.Time)}
	if !s.out.live { // how they were is no news
		for _, t := range before {
			w.said[t.Name] = happening(t)
		}
	}
	err = w.run(first, watched.snapshots)
	if agent.typed != nil {
		stopAsking()
		w.offerToRemember(agent)
	}
	return err
}

// interruptedOr is err, unless somebody pressed Ctrl-C.
func (s *session) interruptedOr(err error) error {
	if s.ctx.Err() != nil {
		return s.ctx.Err()
	}
	if err == nil {
		return dbusapi.ErrNoBus
	}
	return err
}

// wait follows tunnels until each is as wanted or stuck.
type wait struct {
	*session
	action
	client  *dbusapi.Client
	start   time.Time
	pending []dbusapi.Tunnel  // as they were before
	said    map[string]string // what was shown last of each
	moved   map[string]bool   // it has been on its way
	ended   []dbusapi.Tunnel
	failed  bool

	degraded map[string]time.Time // since when it was seen to be, where that matters
}

func (w *wait) run(now dbusapi.Snapshot, snapshots <-chan dbusapi.Snapshot) error {
	fresh := time.NewTimer(stale)
	defer fresh.Stop()
	// A new connection changes neither state nor status, so that nothing may be announced.
	var look <-chan time.Time
	if w.goal == "has a new connection" {
		ticker := time.NewTicker(200 * time.Millisecond)
		defer ticker.Stop()
		look = ticker.C
	}
	settle := time.NewTimer(settleTime)
	defer settle.Stop()
	for {
		if w.take(now); len(w.pending) == 0 {
			return w.result()
		}
		if left, some := w.settling(); some {
			settle.Reset(left)
		}
		w.show(now)
		select {
		case <-w.ctx.Done():
			return w.leave(now)
		case <-fresh.C:
		case <-settle.C:
		case <-look:
			now = w.lookAgain(now)
		case next, ok := <-snapshots:
			switch {
			case !ok && w.ctx.Err() != nil:
				return w.leave(now)
			case !ok:
				return dbusapi.ErrNoBus
			case !next.Running:
				if err := w.client.Activate(w.ctx); err != nil {
					return w.interruptedOr(err)
				}
				continue
			}
			now = next
		}
	}
}

// lookAgain is now with what the tunnels say when asked.
func (w *wait) lookAgain(now dbusapi.Snapshot) dbusapi.Snapshot {
	now.Tunnels = slices.Clone(now.Tunnels)
	for i, t := range now.Tunnels {
		asked := func(p dbusapi.Tunnel) bool { return p.Name == t.Name }
		if !slices.ContainsFunc(w.pending, asked) {
			continue
		}
		s, err := w.client.Statistics(w.ctx, t.Name)
		if err == nil && s.UpTime > 0 && s.UpTime < time.Since(w.start) {
			now.Tunnels[i].UpSince = time.Now().Add(-s.UpTime)
		}
	}
	return now
}

// take sorts out the tunnels that need not be waited for any more, and says how they ended.
func (w *wait) take(now dbusapi.Snapshot) {
	w.pending = slices.DeleteFunc(w.pending, func(before dbusapi.Tunnel) bool {
		t, there := now.Tunnel(before.Name)
		if w.well && t.State == tunnelfile.Degraded {
			return w.takeDegraded(t)
		}
		delete(w.degraded, before.Name)
		switch {
		case !there && w.stop:
			w.finish(before, "was removed")
		case !there:
			w.failed = true
			w.out.failure(before.Name+" was removed meanwhile", "")
		case w.done(t, w.start):
			w.finish(t, w.goal)
		case tunnel.Stuck(t.State) && !w.stop && (!t.StateSince.Equal(before.StateSince) || time.Since(w.start) >= stale):
			w.failed = true
			w.ended = append(w.ended, t)
			w.out.failure(fmt.Sprintf("%s is %s", t.Name, tunnel.Line(t)), hintFor(t))
		case t.State == tunnelfile.Inactive && w.moved[t.Name] && !w.stop:
			w.failed = true
			w.ended = append(w.ended, t)
			w.out.failure(t.Name+" was stopped meanwhile", "")
		default:
			// From offline and from failed the way to connecting leads through inactive.
			switch t.State {
			case tunnelfile.Inactive, tunnelfile.Stopping, tunnelfile.Offline, tunnelfile.Failed:
			default:
				w.moved[t.Name] = !w.anew || t.StateSince.After(w.start)
			}
			return false
		}
		return true
	})
}

// takeDegraded is take for a tunnel that is degraded and should be up.
func (w *wait) takeDegraded(t dbusapi.Tunnel) (settled bool) {
	since, seen := w.degraded[t.Name]
	if !seen {
		since = time.Now()
		w.degraded[t.Name] = since
	}
	w.moved[t.Name] = true
	if time.Since(since) < settleTime {
		return false
	}
	delete(w.degraded, t.Name)
	w.failed = true
	w.ended = append(w.ended, t)
	w.out.failure(fmt.Sprintf("%s is %s", t.Name, tunnel.Line(t)), hintFor(t))
	return true
}

// settling is how long the first of the tunnels that are degraded has left to come up.
func (w *wait) settling() (left time.Duration, some bool) {
	for _, since := range w.degraded {
		if l := max(settleTime-time.Since(since), 0); !some || l < left {
			left, some = l, true
		}
	}
	return left, some
}

// finish says that a tunnel is where it should be.
func (w *wait) finish(t dbusapi.Tunnel, goal string) {
	w.ended = append(w.ended, t)
	if w.json {
		return
	}
	if t.State == tunnelfile.Listening && goal == "is up" {
		goal = "listens; the SSH connection is made at the first connection"
	}
	content := t.Name + " " + goal
	if t.Status != "" && tunnel.Running(t.State) {
		content += ": " + text.Printable(t.Status)
	}
	if t.State == tunnelfile.Degraded {
		content = fmt.Sprintf("%s is %s", t.Name, tunnel.Line(t))
	}
	w.out.line("%s", content)
}

// show shows what is happening to those that are waited for: each change in a line, or on
// a terminal all of them in one line that is written anew.
func (w *wait) show(now dbusapi.Snapshot) {
	var parts []string
	changed := false
	for _, before := range w.pending {
		t, _ := now.Tunnel(before.Name)
		text := happening(t)
		if w.said[t.Name] != text {
			changed = true
			w.said[t.Name] = text
			if !w.out.live {
				w.out.progress(text)
			}
		}
		parts = append(parts, text)
	}
	if changed && w.out.live {
		w.out.progress(strings.Join(parts, " · "))
	}
}

// happening is what goes on with a tunnel: "web: retrying: in 8s, connection refused".
func happening(t dbusapi.Tunnel) string { return t.Name + ": " + tunnel.Line(t) }

// leave is what Ctrl-C does: nothing.
func (w *wait) leave(now dbusapi.Snapshot) error {
	for _, before := range w.pending {
		if t, ok := now.Tunnel(before.Name); ok {
			w.out.note("%s is left as it is, %s", t.Name, tunnel.Line(t))
		}
	}
	if !w.stop && len(w.pending) == 1 {
		w.out.hint(fmt.Sprintf("it goes on trying; holdfast down %s stops it", w.pending[0].Name))
	}
	return errSaid
}

func (w *wait) result() error {
	if w.json {
		slices.SortFunc(w.ended, func(a, b dbusapi.Tunnel) int { return strings.Compare(a.Name, b.Name) })
		if err := w.out.json(tunnelsAsJSON(w.ended), false); err != nil {
			return err
		}
	}
	w.out.settle()
	if w.failed {
		return errSaid
	}
	return nil
}

// answerPrompts makes this terminal answer what only a person can, until the returned
// function is called.
func (s *session) answerPrompts(client *dbusapi.Client) (agent terminalAgent, stop func()) {
	agent, ok := s.terminalAgent()
	if !ok {
		return agent, func() {}
	}
	// Ctrl-C may come in the middle of a passphrase, when what is typed is not shown.
	before, err := term.GetState(int(agent.tty.Fd()))
	if err != nil {
		return agent, func() {}
	}
	ctx, cancel := s.call()
	defer cancel()
	if err := client.RegisterAgent(ctx, agent); err != nil {
		return agent, func() {} // then the tunnel says what it needs
	}
	return agent, func() {
		signal.Ignore(syscall.SIGTTOU) // it may have been put in the background meanwhile
		_ = term.Restore(int(agent.tty.Fd()), before)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = client.UnregisterAgent(ctx)
	}
}
