package cli

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/holdfast/holdfast/dbusapi"
)

// leastDelay is how fast top may be asked to be.
const leastDelay = 100 * time.Millisecond

// top shows what goes through tunnels, again and again.
//
// Tunnels count while nobody looks; they are asked as long as it runs and no longer.
func (s *session) top(args []string) error {
	flags := s.flags()
	seconds := flags.Float64("d", 1, "")
	times := flags.Int("n", 0, "")
	names, err := parse(flags, args)
	if err != nil {
		return err
	}
	delay := time.Duration(*seconds * float64(time.Second))
	switch {
	case delay < leastDelay || delay > 24*time.Hour:
		return misuseError{message: fmt.Sprintf("-d %v: seconds, %v at least", *seconds, leastDelay.Seconds())}
	case *times < 0:
		return misuseError{message: fmt.Sprintf("-n %d: how often?", *times)}
	}
	w, err := s.watch(names)
	if err != nil {
		return err
	}
	t := top{session: s, client: w.client, names: names, delay: delay, left: *times, screen: s.out.screen && !s.json}
	t.view = topView{flows: make(map[string]*flow), sparks: s.out.terminal}
	if t.left == 0 && (s.json || !s.out.terminal) {
		t.left = 1
	}
	t.view.hear(w.first, names)
	err = t.run(w.snapshots)
	if err == nil && t.screen && t.over { // the screen went with what was on it
		s.out.rows(t.view.table(t.view.sorted(), s.out.width))
	}
	return err
}

// top is one run of the verb.
type top struct {
	*session
	client *dbusapi.Client
	names  []string
	delay  time.Duration
	left   int  // how often to show it still; 0: until told
	screen bool // it is shown in one place
	shown  bool // elsewhere: once at least
	over   bool // it was shown as often as was wanted
	view   topView
}

// sample is what all tunnels had counted at a time.
type sample struct {
	counted map[string]dbusapi.Statistics
	at      time.Time
	err     error
}

// ask asks all tunnels that are shown.
func (t *top) ask(tunnels []dbusapi.Tunnel, answer chan<- sample) {
	ctx, cancel := t.call()
	defer cancel()
	at := time.Now()
	counted, err := statisticsOf(ctx, t.client, tunnels)
	answer <- sample{counted, at, err}
}

func (t *top) run(snapshots <-chan dbusapi.Snapshot) error {
	var keys <-chan byte
	signals := make(chan os.Signal, 4)
	suspend := func() {}
	if t.screen {
		keyboard := newKeyboard(os.Stdin)
		if keyboard != nil {
			defer keyboard.give()
			keys, t.view.keys = keyboard.keys, true
		}
		signal.Notify(signals, syscall.SIGWINCH, syscall.SIGTSTP, syscall.SIGQUIT, syscall.SIGHUP)
		defer signal.Stop(signals)
		t.out.openScreen()
		defer t.out.closeScreen()
		suspend = func() {
			t.out.closeScreen()
			keyboard.give()
			resumed := make(chan os.Signal, 1)
			signal.Notify(resumed, syscall.SIGCONT)
			_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
			<-resumed // this thread may run on for a moment before all have stopped
			signal.Stop(resumed)
			_ = keyboard.take() // else keys are seen, and wait for a newline
			t.out.openScreen()
			t.out.resize()
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
			case !now.Running && !t.screen:
				return now.Err
			}
			t.view.hear(now, t.names)
		case <-due.C:
			due.Reset(t.delay)
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
				t.out.resize()
			case syscall.SIGTSTP:
				suspend()
			default:
				return nil
			}
		}
		if t.screen {
			t.out.draw(t.view.frame)
		}
	}
}

// take takes in a sample, and shows it but on a screen.
func (t *top) take(s sample) error {
	t.view.trouble = ""
	if s.err != nil {
		if !t.screen {
			return s.err
		}
		t.view.trouble, _ = t.explain(s.err)
		return nil
	}
	first := t.view.at.IsZero()
	t.view.count(s.counted, s.at)
	if first { // what flows is not known yet
		return nil
	}
	switch {
	case t.screen:
	case t.json:
		if err := t.out.json(topAsJSON(t.view), true); err != nil {
			return err
		}
	default:
		if t.shown {
			t.out.line("")
		}
		t.shown = true
		t.out.rows(t.view.table(t.view.sorted(), t.out.width))
	}
	t.left--
	t.over = t.left == 0
	return t.out.unwritten()
}
