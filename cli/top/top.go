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
	"errors"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/holdfast/holdfast/cli/layout"
	"github.com/holdfast/holdfast/cli/logs"
	"github.com/holdfast/holdfast/cli/session"
	"github.com/holdfast/holdfast/cli/terminal"
	"github.com/holdfast/holdfast/cli/tunnel"
	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/internal/listing"
)

// Options configure Run.
type Options struct {
	*session.Session
	session.Watched
	Patterns []string      // names, globs or @tags; none means all
	Delay    time.Duration // between two requests for counters
	Times    int           // how many tables to show; 0 means until the end

	History func(ctx context.Context, name, since string) ([]layout.Block, error)
}

// Run shows the window or prints tables until it has shown as many as wanted, the person ends it, or
// the context ends.
func Run(o Options) error {
	t := top{Options: o, left: o.Times, samples: make(chan sample, 1), calls: make(chan func(), 16), panics: make(chan any, 1)}
	t.window = window{view: view{flows: make(map[string]*flow), sparks: o.Out.Terminal}, days: 7}
	t.window.update(o.First, o.Patterns)
	if t.left == 0 && (o.JSON || !o.Out.Terminal) {
		t.left = 1
	}
	if !o.Out.Screen || o.JSON {
		return t.run(nil, nil)
	}
	err := t.runWindow()
	if err == nil && t.over { // the alternate screen is gone, so print the last table
		o.Out.Rows(t.window.table(t.window.sorted(), o.Out.Width))
	}
	return err
}

// top is one run. Its loop owns what changes. Other goroutines report to it through the channels.
type top struct {
	Options
	window   window
	screen   *screen // nil if tables are printed
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

// ask requests the counters that are shown, unless a request is pending. In the window it asks only if a
// visible tunnel has any, or if the number of tables is limited, so that they are counted.
func (t *top) ask() {
	tunnels := t.window.tunnels
	if t.screen != nil {
		tunnels = t.window.counted()
	}
	if t.asking || t.screen != nil && len(tunnels) == 0 && t.left == 0 {
		return
	}
	t.asking = true
	t.background(func() {
		ctx, cancel := context.WithTimeout(t.Ctx, callTime)
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

// runWindow opens the window, and closes it in the end.
func (t *top) runWindow() error {
	t.screen, t.keyboard = newScreen(t.Out.Look), newKeyboard(os.Stdin)
	var presses <-chan press
	if t.keyboard != nil {
		presses = t.keyboard.presses
	}
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGWINCH, syscall.SIGTSTP, syscall.SIGQUIT, syscall.SIGHUP)
	defer signal.Stop(signals)
	defer t.keyboard.release()
	t.screen.open()
	defer t.screen.close() // also after a panic
	defer t.stopReading()
	return t.run(presses, signals)
}

// run is the loop. presses and signals are those of the window.
func (t *top) run(presses <-chan press, signals <-chan os.Signal) error {
	due := time.NewTicker(t.Delay)
	defer due.Stop()
	t.ask()
	for !t.over {
		if t.screen != nil {
			t.window.width, t.window.height = t.screen.width, t.screen.height
			t.screen.draw(t.window.frame())
		}
		select {
		case <-t.Ctx.Done():
			return nil
		case now, ok := <-t.Snapshots:
			switch {
			case !ok && t.Ctx.Err() != nil:
				return nil
			case !ok:
				return dbusapi.ErrNoBus
			case !now.Running && t.screen == nil:
				return now.Err
			}
			t.window.update(now, t.Patterns)
		case <-due.C:
			t.ask()
		case s := <-t.samples:
			if err := t.count(s); err != nil {
				return err
			}
		case f := <-t.calls:
			f()
		case p := <-presses:
			a := t.window.press(p)
			if a.do == quit {
				return nil
			}
			t.act(a)
			t.ask()
		case s := <-signals:
			switch s {
			case syscall.SIGWINCH:
				t.screen.resize()
			case syscall.SIGTSTP:
				t.suspend(terminal.StopHere)
			default:
				return nil
			}
		case r := <-t.panics:
			panic(r)
		}
	}
	return nil
}

// count processes a sample. Without a window it prints.
func (t *top) count(s sample) error {
	t.asking, t.window.trouble = false, ""
	if s.err != nil {
		t.window.trouble, _ = t.Explain(s.err)
		if t.screen == nil {
			return s.err
		}
		return nil
	}
	first := t.window.at.IsZero()
	t.window.count(s.asked, s.counted, s.at)
	if first { // throughput needs two samples
		return nil
	}
	switch {
	case t.screen != nil:
	case t.JSON:
		if err := t.Out.JSON(t.window.json(), true); err != nil {
			return err
		}
	default:
		if t.shown {
			t.Out.Command("")
		}
		t.shown = true
		t.Out.Rows(t.window.table(t.window.sorted(), t.Out.Width))
	}
	t.left--
	t.over = t.left == 0
	return t.Out.Unwritten()
}

// suspend restores the terminal, runs f, and opens the window again.
func (t *top) suspend(f func()) {
	t.screen.close()
	t.keyboard.release()
	f()
	_ = t.keyboard.grab() // if it fails, keys are echoed and need Enter
	t.screen.resize()
	t.screen.open()
}

// act carries out a key's action. It stops reading unless a log or a history is shown.
func (t *top) act(a action) {
	if t.window.page != logPage && t.window.page != historyPage {
		t.stopReading()
	}
	switch a.do {
	case call:
		t.call(a)
	case outside:
		t.runVerb(a)
	case readLog, readHistory:
		t.stopReading()
		ctx, stop := context.WithCancel(t.Ctx)
		t.reading = stop
		since := t.window.since()
		t.background(func() {
			if a.do == readLog {
				t.readLog(ctx, a.name)
			} else {
				t.readHistory(ctx, a.name, since)
			}
		})
	}
}

func (t *top) stopReading() {
	if t.reading != nil {
		t.reading()
	}
	t.reading = nil
}

// requests are the verbs that are calls of the daemon. They do not wait for the tunnel's state.
var requests = map[string]func(*dbusapi.Client, context.Context, ...string) error{
	"up": (*dbusapi.Client).Start, "down": (*dbusapi.Client).Stop,
	"reconnect": (*dbusapi.Client).Reconnect, "restart": (*dbusapi.Client).Restart,
}

// call sends a request to the daemon and shows that. The tunnel's state shows its effect. Where polkit
// has to ask for a password, the verb runs in the terminal instead.
func (t *top) call(a action) {
	t.window.report(layout.Dim, "%s %s …", a.verb, a.name)
	t.background(func() {
		ctx, cancel := context.WithTimeout(t.Ctx, callTime)
		defer cancel()
		err := requests[a.verb](t.Client, ctx, a.name)
		t.inLoop(t.Ctx, func() {
			switch {
			case errors.Is(err, dbusapi.ErrDenied):
				t.window.outcome = nil
				t.runVerb(a)
			case err != nil:
				message, _ := t.Explain(err)
				t.window.report(layout.Red, "%s %s: %s", a.verb, a.name, message)
			default:
				t.window.report(layout.Green, "%s %s: done", a.verb, a.name)
			}
		})
	})
}

// inLoop makes the loop call f, unless ctx has ended.
func (t *top) inLoop(ctx context.Context, f func()) {
	select {
	case t.calls <- func() {
		if ctx.Err() == nil {
			f()
		}
	}:
	case <-ctx.Done():
	}
}

// Lines of a log: how many are stored, and how many earlier ones are read.
const (
	maxLog    = 2000
	recentLog = 200
)

func (t *top) readLog(ctx context.Context, name string) {
	q := logs.Query{Names: []string{name}, System: t.System, Follow: true, Lines: recentLog}
	err := logs.Read(ctx, q, func(line logs.Line) error {
		t.inLoop(ctx, func() {
			w := &t.window
			w.log = append(w.log, line)
			w.log = w.log[max(len(w.log)-maxLog, 0):]
		})
		return nil
	})
	if err != nil {
		message, _ := t.Explain(err)
		t.inLoop(ctx, func() { t.window.report(layout.Red, "%s", message) })
	}
}

func (t *top) readHistory(ctx context.Context, name, since string) {
	blocks, err := t.History(ctx, name, since)
	if err != nil {
		message, _ := t.Explain(err)
		blocks = []layout.Block{{Text: message, Color: layout.Red}}
	}
	t.inLoop(ctx, func() { t.window.history = blocks })
}
