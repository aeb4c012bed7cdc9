// Package top is the live table: what goes through tunnels, again and again.
//
// Tunnels count while nobody looks; they are asked as long as it runs and no longer.
package top

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/holdfast/holdfast/cli/layout"
	"github.com/holdfast/holdfast/cli/tunnel"
	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/internal/listing"
)

// Options is what top is about.
type Options struct {
	Client    *dbusapi.Client
	First     dbusapi.Snapshot
	Snapshots <-chan dbusapi.Snapshot // what comes after
	Patterns  []string                // of names; none are all
	Delay     time.Duration           // between two looks
	Times     int                     // how often to look; 0: until told

	Terminal bool // it is shown to a person
	Screen   bool // likewise, and it can be written over
	Width    int  // of a table that is not on a screen; 0: no end
	Look     layout.Look

	Print   func(*layout.Table)
	JSON    func(any) error    // set: it is for scripts
	Written func() error       // why what was printed is lost
	Explain func(error) string // an error as a sentence
}

// Run shows it until it was shown as often as was wanted, or the person or the context ends it.
func Run(ctx context.Context, o Options) error {
	o.Screen = o.Screen && o.JSON == nil
	t := top{Options: o, ctx: ctx, screen: newScreen(o.Look), left: o.Times}
	t.view = view{flows: make(map[string]*flow), sparks: o.Terminal}
	if t.left == 0 && (o.JSON != nil || !o.Terminal) {
		t.left = 1
	}
	t.view.hear(o.First, o.Patterns)
	err := t.run(o.Snapshots)
	if err == nil && o.Screen && t.over { // the screen went with what was on it
		t.Print(t.view.table(t.view.sorted(), o.Width))
	}
	return err
}

// top is one run.
type top struct {
	Options
	ctx    context.Context
	screen *screen
	left   int  // how often to show it still; 0: until told
	shown  bool // once at least
	over   bool // it was shown as often as was wanted
	view   view
}

// callTime is how long the tunnels may take to answer.
const callTime = 30 * time.Second

// sample is what all tunnels had counted at a time.
type sample struct {
	counted map[string]dbusapi.Statistics
	at      time.Time
	err     error
}

// ask asks all tunnels that are shown.
func (t *top) ask(tunnels []listing.Tunnel, answer chan<- sample) {
	ctx, cancel := context.WithTimeout(t.ctx, callTime)
	defer cancel()
	at := time.Now()
	counted, err := tunnel.Statistics(ctx, t.Client, tunnels)
	answer <- sample{counted, at, err}
}

func (t *top) run(snapshots <-chan dbusapi.Snapshot) error {
	var keys <-chan byte
	signals := make(chan os.Signal, 4)
	suspend := func() {}
	if t.Screen {
		keyboard := newKeyboard(os.Stdin)
		if keyboard != nil {
			defer keyboard.give()
			keys, t.view.keys = keyboard.keys, true
		}
		signal.Notify(signals, syscall.SIGWINCH, syscall.SIGTSTP, syscall.SIGQUIT, syscall.SIGHUP)
		defer signal.Stop(signals)
		t.screen.open()
		defer t.screen.close()
		suspend = func() {
			t.screen.close()
			keyboard.give()
			resumed := make(chan os.Signal, 1)
			signal.Notify(resumed, syscall.SIGCONT)
			_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
			<-resumed // this thread may run on for a moment before all have stopped
			signal.Stop(resumed)
			_ = keyboard.take() // else keys are seen, and wait for a newline
			t.screen.open()
			t.screen.resize()
		}
	}
	samples, asking := make(chan sample, 1), false
	due := time.NewTimer(0)
	defer due.Stop()
	for {
		select {
		case <-t.ctx.Done():
			return nil
		case now, ok := <-snapshots:
			switch {
			case !ok && t.ctx.Err() != nil:
				return nil
			case !ok:
				return dbusapi.ErrNoBus
			case !now.Running && !t.Screen:
				return now.Err
			}
			t.view.hear(now, t.Patterns)
		case <-due.C:
			due.Reset(t.Delay)
			if t.view.running && !asking {
				asking = true
				go t.ask(t.view.tunnels, samples)
			}
			continue
		case s := <-samples:
			asking = false
			if err := t.take(s); err != nil || t.over {
				return err
			}
		case key, ok := <-keys:
			switch {
			case !ok:
				keys = nil
			case key == 'q' || key == 'Q':
				return nil
			case key == 's' || key == 'S':
				t.view.byThroughput = !t.view.byThroughput
			}
		case s := <-signals:
			switch s {
			case syscall.SIGWINCH:
				t.screen.resize()
			case syscall.SIGTSTP:
				suspend()
			default:
				return nil
			}
		}
		if t.Screen {
			t.screen.draw(t.view.frame)
		}
	}
}

// take takes in a sample, and shows it but on a screen.
func (t *top) take(s sample) error {
	t.view.trouble = ""
	if s.err != nil {
		if !t.Screen {
			return s.err
		}
		t.view.trouble = t.Explain(s.err)
		return nil
	}
	first := t.view.at.IsZero()
	t.view.count(s.counted, s.at)
	if first { // what flows is not known yet
		return nil
	}
	switch {
	case t.Screen:
	case t.JSON != nil:
		if err := t.JSON(t.view.json()); err != nil {
			return err
		}
	default:
		if t.shown {
			t.Print(&layout.Table{Rows: [][]layout.Cell{{}}, Columns: []layout.Column{{}}})
		}
		t.shown = true
		t.Print(t.view.table(t.view.sorted(), t.Width))
	}
	t.left--
	t.over = t.left == 0
	return t.Written()
}
