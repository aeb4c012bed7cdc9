// Package top is the window of the terminal: the list of tunnels and what goes through them, a page
// of each, its log and its history, and keys to do something about them. Without a terminal it is
// a table, again and again.
//
// The terminal is written by itself, with package layout for what a line looks like: bubbletea
// and tcell know widgets and old terminals, which it has no use for. What they would bring is
// told in docs/dependencies.md.
//
// Tunnels count while nobody looks; only those on the screen are asked, as long as they are there.
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

	Call    func(ctx context.Context, verb, name string) error               // up, down, reconnect, restart
	Verb    func(verb, name string) *exec.Cmd                                // any other verb of the command line
	Log     func(ctx context.Context, name string, line func(logLine)) error // what a tunnel said, and says
	History func(ctx context.Context, name, since string) ([]layout.Block, error)
}

// Run shows it until it was shown as often as was wanted, or the person or the context ends it.
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
	if err == nil && o.Screen && t.over { // the screen went with what was on it
		t.Print(t.window.table(t.window.sorted(), o.Width))
	}
	return err
}

// top is one run.
type top struct {
	Options
	ctx      context.Context
	window   window
	screen   *screen
	keyboard *keyboard
	left     int  // how often to show it still; 0: until told
	shown    bool // once at least
	over     bool // it was shown as often as was wanted

	samples chan sample
	asking  bool
	calls   chan func() // what goroutines have to say, for the loop
	panics  chan any    // likewise, where they came to a bad end
	reading func()      // ends reading a log or a history
}

// callTime is how long the tunnels may take to answer.
const callTime = 30 * time.Second

// sample is what tunnels had counted at a time.
type sample struct {
	asked   []listing.Tunnel
	counted map[string]dbusapi.Statistics
	at      time.Time
	err     error
}

// ask asks tunnels for their counters, unless an answer is to come still.
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

// background runs f beside the loop. Where f panics the loop does, which leaves the terminal as it was.
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

// run prints a table, or JSON, after each look.
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

// take takes in a sample, and prints it but on a screen.
func (t *top) take(s sample) error {
	first := t.window.at.IsZero()
	t.window.count(s.asked, s.counted, s.at)
	if first { // what flows is not known yet
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

// runWindow shows the window, and does what keys want done.
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
	defer t.screen.close() // also where something panics
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

// look asks the tunnels on the screen, if any of them counts. Who wants so many tables gets them of
// tunnels that do not run, too.
func (t *top) look() {
	if shown := t.window.counted(); len(shown) > 0 || t.left > 0 {
		t.ask(shown)
	}
}

// putAside gives the terminal back as it was while f runs.
func (t *top) putAside(f func()) {
	t.screen.close()
	t.keyboard.give()
	f()
	_ = t.keyboard.take() // else keys are seen, and wait for a newline
	t.screen.resize()
	t.screen.open()
}

// act does what a key wants done. Another page ends reading for the one before.
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

// call asks the daemon for something, and says so. What becomes of it the state shows.
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

// tell has the loop call f, unless nobody wants it any more.
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

// maxLog is how many lines of a log are kept.
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
