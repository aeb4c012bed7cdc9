// Package top is the window on the terminal: the list of tunnels and their traffic, pages with a
// tunnel's details, log and history, and keys to control it. Without a terminal it prints a table repeatedly.
//
// It draws the terminal itself, with package layout. The libraries bubbletea and tcell bring widgets
// and support for old terminals, which it does not need; docs/dependencies.md has their costs.
//
// The window asks only for the counters that its page needs.
package top

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/holdfast/holdfast/cli/layout"
	"github.com/holdfast/holdfast/cli/terminal"
	"github.com/holdfast/holdfast/cli/tunnel"
	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/internal/listing"
)

// Options configure Run.
type Options struct {
	Client    *dbusapi.Client
	First     dbusapi.Snapshot
	Snapshots <-chan dbusapi.Snapshot // the snapshots after First
	Patterns  []string                // names, globs or @tags; none means all
	Delay     time.Duration           // between two requests for counters
	Times     int                     // how many tables to show; 0 means until the end

	Terminal bool // the output is a terminal
	Screen   bool // the output is a terminal on which the cursor can be moved
	Width    int  // of a printed table; 0 means no limit
	Look     layout.Look

	Print   func(*layout.Table)
	JSON    func(any) error    // prints a list for scripts; nil without --json
	Written func() error       // the error of a failed write, or nil
	Explain func(error) string // an error as a sentence

	Call    func(ctx context.Context, verb, name string) error               // up, down, reconnect, restart
	Verb    func(verb, name string) *exec.Cmd                                // any other verb of the command line
	Log     func(ctx context.Context, name string, line func(logLine)) error // passes on earlier and new lines of a log
	History func(ctx context.Context, name, since string) ([]layout.Block, error)
}

// Run shows the window or prints tables until it has shown as many as wanted, the person ends it, or
// the context ends.
func Run(ctx context.Context, o Options) error {
	o.Screen = o.Screen && o.JSON == nil
	t := top{Options: o, ctx: ctx, left: o.Times, samples: make(chan sample, 1), calls: make(chan func(), 16), panics: make(chan any, 1)}
	t.window = window{view: view{flows: make(map[string]*flow), sparks: o.Terminal}, days: 7}
	if t.left == 0 && (o.JSON != nil || !o.Terminal) {
		t.left = 1
	}
	t.window.hear(o.First, o.Patterns)
	run := t.run
	if o.Screen {
		run = t.runWindow
	}
	err := run()
	if err == nil && o.Screen && t.over { // the alternate screen is gone, so print the last table
		t.Print(t.window.table(t.window.sorted(), o.Width))
	}
	return err
}

// top is one run. Its loop, run or runWindow, owns what changes. Other goroutines report to it through
// the channels.
type top struct {
	Options
	ctx      context.Context
	window   window
	screen   *screen
	keyboard *keyboard
	left     int  // how many more to show; 0 means until the end
	shown    bool // a table has been printed
	over     bool // as many as wanted were shown

	samples chan sample
	asking  bool
	calls   chan func() // functions that other goroutines want the loop to call
	panics  chan any    // panics of other goroutines
	reading func()      // stops reading a log or a history
}

// callTime is how long the daemon may take to answer.
const callTime = 30 * time.Second

// sample is the counters of tunnels at one time.
type sample struct {
	asked   []listing.Tunnel
	counted map[string]dbusapi.Statistics
	at      time.Time
	err     error
}

// ask requests the counters of tunnels, unless a request is pending.
func (t *top) ask(tunnels []listing.Tunnel) {
	if t.asking {
		return
	}
	t.asking = true
	t.background(func() {
		ctx, cancel := context.WithTimeout(t.ctx, callTime)
		defer cancel()
		at := time.Now()
		counted, err := tunnel.Statistics(ctx, t.Client, tunnels)
		t.samples <- sample{tunnels, counted, at, err}
	})
}

// background runs f in a goroutine. The loop repeats a panic of f, so that the terminal is restored.
func (t *top) background(f func()) {
	go func() {
		defer func() {
			if r := recover(); r != nil {
				t.panics <- r
			}
		}()
		f()
	}()
}

// run prints a table or JSON after each sample.
func (t *top) run() error {
	due := time.NewTicker(t.Delay)
	defer due.Stop()
	t.ask(t.window.tunnels)
	for {
		select {
		case <-t.ctx.Done():
			return nil
		case now, ok := <-t.Snapshots:
			switch {
			case !ok && t.ctx.Err() != nil:
				return nil
			case !ok:
				return dbusapi.ErrNoBus
			case !now.Running:
				return now.Err
			}
			t.window.hear(now, t.Patterns)
		case <-due.C:
			t.ask(t.window.tunnels)
		case s := <-t.samples:
			t.asking = false
			if s.err != nil {
				return s.err
			}
			if err := t.take(s); err != nil || t.over {
				return err
			}
		case r := <-t.panics:
			panic(r)
		}
	}
}

// take processes a sample. Without a screen it prints.
func (t *top) take(s sample) error {
	first := t.window.at.IsZero()
	t.window.count(s.asked, s.counted, s.at)
	if first { // throughput needs two samples
		return nil
	}
	switch {
	case t.Screen:
	case t.JSON != nil:
		if err := t.JSON(t.window.json()); err != nil {
			return err
		}
	default:
		if t.shown {
			t.Print(&layout.Table{Rows: [][]layout.Cell{{}}, Columns: []layout.Column{{}}})
		}
		t.shown = true
		t.Print(t.window.table(t.window.sorted(), t.Width))
	}
	t.left--
	t.over = t.left == 0
	return t.Written()
}

// runWindow shows the window and handles keys.
func (t *top) runWindow() error {
	t.screen, t.keyboard = newScreen(t.Look), newKeyboard(os.Stdin)
	var presses <-chan press
	if t.keyboard != nil {
		presses = t.keyboard.presses
		defer t.keyboard.give()
	}
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGWINCH, syscall.SIGTSTP, syscall.SIGQUIT, syscall.SIGHUP)
	defer signal.Stop(signals)
	t.screen.open()
	defer t.screen.close() // also after a panic
	defer t.stopReading()
	due := time.NewTicker(t.Delay)
	defer due.Stop()
	t.look()
	for {
		t.window.width, t.window.height = t.screen.width, t.screen.height
		t.screen.draw(t.window.frame())
		select {
		case <-t.ctx.Done():
			return nil
		case now, ok := <-t.Snapshots:
			switch {
			case !ok && t.ctx.Err() != nil:
				return nil
			case !ok:
				return dbusapi.ErrNoBus
			}
			t.window.hear(now, t.Patterns)
		case <-due.C:
			t.look()
		case s := <-t.samples:
			t.asking, t.window.trouble = false, ""
			if s.err != nil {
				t.window.trouble = t.Explain(s.err)
			} else if err := t.take(s); err != nil || t.over {
				return err
			}
		case f := <-t.calls:
			f()
		case p := <-presses:
			if a := t.window.press(p); a.do == quit {
				return nil
			} else if err := t.act(a); err != nil {
				return err
			}
			t.look()
		case s := <-signals:
			switch s {
			case syscall.SIGWINCH:
				t.screen.resize()
			case syscall.SIGTSTP:
				t.putAside(terminal.StopHere)
			default:
				return nil
			}
		case r := <-t.panics:
			panic(r)
		}
	}
}

// look requests counters if a visible tunnel has any. If the number of tables is limited, it always
// does, so that they are counted.
func (t *top) look() {
	if shown := t.window.counted(); len(shown) > 0 || t.left > 0 {
		t.ask(shown)
	}
}

// putAside restores the terminal, runs f, and opens the window again.
func (t *top) putAside(f func()) {
	t.screen.close()
	t.keyboard.give()
	f()
	_ = t.keyboard.take() // if it fails, keys are echoed and need Enter
	t.screen.resize()
	t.screen.open()
}

// act carries out a key's action. It stops reading unless a log or a history is shown.
func (t *top) act(a action) error {
	if t.window.page != logPage && t.window.page != historyPage {
		t.stopReading()
	}
	switch a.do {
	case call:
		t.call(a)
	case outside:
		t.putAside(func() {
			if err := runOutside(t.Verb(a.verb, a.name)); err != nil {
				fmt.Fprintln(os.Stderr, t.Explain(err))
			}
			awaitEnter(t.ctx)
		})
	case readLog, readHistory:
		t.stopReading()
		ctx, stop := context.WithCancel(t.ctx)
		t.reading = stop
		read := t.readHistory
		if a.do == readLog {
			read = t.readLog
		}
		since := t.window.since()
		t.background(func() { read(ctx, a.name, since) })
	}
	return nil
}

func (t *top) stopReading() {
	if t.reading != nil {
		t.reading()
	}
	t.reading = nil
}

// call sends a request to the daemon and shows that. The tunnel's state shows its effect.
func (t *top) call(a action) {
	t.window.tell(layout.Dim, "%s %s …", a.verb, a.name)
	t.background(func() {
		ctx, cancel := context.WithTimeout(t.ctx, callTime)
		defer cancel()
		err := t.Call(ctx, a.verb, a.name)
		t.tell(t.ctx, func() {
			if err != nil {
				t.window.tell(layout.Red, "%s %s: %s", a.verb, a.name, t.Explain(err))
			} else {
				t.window.tell(layout.Green, "%s %s: done", a.verb, a.name)
			}
		})
	})
}

// tell makes the loop call f, unless ctx has ended.
func (t *top) tell(ctx context.Context, f func()) {
	select {
	case t.calls <- func() {
		if ctx.Err() == nil {
			f()
		}
	}:
	case <-ctx.Done():
	}
}

// maxLog is how many lines of a log are stored.
const maxLog = 2000

func (t *top) readLog(ctx context.Context, name, _ string) {
	err := t.Log(ctx, name, func(line logLine) {
		t.tell(ctx, func() {
			w := &t.window
			w.log = append(w.log, line)
			if more := len(w.log) - maxLog; more > 0 {
				w.log = w.log[more:]
			}
		})
	})
	if err != nil {
		t.tell(ctx, func() { t.window.tell(layout.Red, "%s", t.Explain(err)) })
	}
}

func (t *top) readHistory(ctx context.Context, name, since string) {
	blocks, err := t.History(ctx, name, since)
	t.tell(ctx, func() {
		t.window.history = blocks
		if err != nil {
			t.window.history = []layout.Block{{Text: t.Explain(err), Color: layout.Red}}
		}
	})
}
