package tray

import (
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
	"slices"
	"time"

	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/internal/timerfd"
	"github.com/holdfast/holdfast/tunnelfile"
)

// ErrFull is returned by Run when the menu has so many unused items that the process should be
// restarted.
var ErrFull = errors.New("the menu has grown too large")

// fullAt is how many items a menu may have before Run checks whether most of them are unused.
const fullAt = 500

// App is the tray. It turns the daemon's snapshots into a menu and notifications.
type App struct {
	Client   *dbusapi.Client
	Driver   Driver
	Desktop  Desktop
	Notifier *Notifier
	Prompter Prompter // the caller sets Dialog, Keyring and Declined; Dialog nil: other agents answer questions
	Paths    Paths
	Command  string // path of the holdfast command, for terminals
	Log      *slog.Logger
	Quit     func() // called when the person chooses Quit

	renderer   *Renderer
	seen       dbusapi.Snapshot // the daemon's last snapshot; model also has the open questions
	model      Model
	memory     Memory
	notices    Notices
	calls      chan func()
	ended      chan struct{}                 // closed when Run returns
	watching   map[string]context.CancelFunc // tunnels whose submenu is open
	onDemand   map[string]bool               // whether Start= was on-demand when Start at login was switched off
	agentOf    string                        // the daemon that asks this tray, by its unique name
	unanswered string                        // the daemon of which a failed registration was shown
	timer      *time.Timer
	wallTimer  *timerfd.Timer
}

// NewApp returns an App. The caller sets its exported fields before Run.
func NewApp() *App { return &App{calls: make(chan func(), 64), ended: make(chan struct{})} }

// Run shows the tray. It returns nil when ctx ends, ErrFull, or an error if the bus goes away.
func (a *App) Run(ctx context.Context) error {
	defer close(a.ended)
	err := a.run(ctx)
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func (a *App) run(ctx context.Context) error {
	a.watching, a.onDemand = make(map[string]context.CancelFunc), make(map[string]bool)
	a.model, a.memory = restored(a.Paths, a.Log)
	a.renderer = NewRenderer(a.Driver)
	a.preparePrompter()
	a.timer = time.NewTimer(0)
	defer a.timer.Stop()
	var err error
	if a.wallTimer, err = timerfd.New(timerfd.Realtime); err != nil {
		return err
	}
	defer a.wallTimer.Close()
	snapshots, err := a.Client.Watch(ctx)
	if err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case s, ok := <-snapshots:
			if !ok {
				return dbusapi.ErrNoBus
			}
			a.seen = s
			a.answerFor(s)
		case s := <-a.renderer.clicks:
			if key, ok := s.clicked(time.Now()); ok {
				a.clicked(ctx, key)
			}
		case key := <-a.Notifier.clicked:
			a.clicked(ctx, key)
		case call := <-a.calls:
			call()
		case <-a.timer.C:
		case <-a.wallTimer.C:
		}
		a.update(time.Now())
		if n := a.renderer.count; n > fullAt && n > 2*size(ViewOf(a.model).Items)+len(skeleton) {
			return ErrFull
		}
	}
}

// restored returns a Model with the saved pause and muted tunnels, and the saved Memory.
func restored(paths Paths, log *slog.Logger) (Model, Memory) {
	var model Model
	var memory Memory
	for path, into := range map[string]any{paths.Memory: &memory, paths.Pause: &model.Pause} {
		if err := load(path, into); err != nil {
			log.Warn("not read", "path", path, "err", err)
		}
	}
	for _, m := range []*map[string]bool{&memory.Muted, &memory.Shown} {
		if *m == nil {
			*m = map[string]bool{}
		}
	}
	model.Muted, model.Traffic = memory.Muted, map[string]Traffic{}
	return model, memory
}

// Now returns the View that a tray would show now, for people without a panel.
func Now(s dbusapi.Snapshot, paths Paths, log *slog.Logger) View {
	model, _ := restored(paths, log)
	model.Snapshot, model.Now = s, time.Now()
	return ViewOf(model)
}

// update shows the current state, and arms the timer for what is due later.
func (a *App) update(now time.Time) {
	a.model.Now = now
	a.model.Snapshot = a.withQuestions(a.seen)
	before := a.model.Pause
	if p := before.after(a.model.Snapshot); p.Active() != before.Active() || p.Down != before.Down {
		a.setPause(p)
	}
	if a.model.Pause.Over(now) {
		a.resume()
	}
	iconDue := a.renderer.Render(ViewOf(a.model), now)
	notices, noticeDue := a.notices.Update(a.model.Snapshot, a.memory.Muted, a.Prompter.questions.attention, now)
	for _, n := range notices {
		a.Notifier.Show(n)
	}
	due := soonest(iconDue, noticeDue)
	if err := a.wallTimer.At(nextByClock(a.model.Pause, now)); err != nil {
		a.Log.Warn("the end of a pause may be missed", "err", err)
	}
	a.timer.Stop()
	if !due.IsZero() {
		a.timer.Reset(max(due.Sub(now), time.Millisecond))
		return
	}
	debug.FreeOSMemory() // nothing is due: often nothing happens for hours now
}

// soonest returns the earlier of two times. Zero means never.
func soonest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// callTime is how long the daemon may take for one request of the menu.
const callTime = 15 * time.Second

// do calls f in a goroutine of its own. If f fails, it shows the error to the person. what completes
// the message "Could not …".
func (a *App) do(what string, f func(context.Context) error) {
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), callTime)
		defer cancel()
		a.failed(what, f(ctx))
	}()
}

// connect calls Start or Reconnect for tunnels. From now on the person expects their questions.
func (a *App) connect(what string, call func(context.Context, ...string) error, names ...string) {
	a.Prompter.questions.engage(names...)
	a.do(what, func(ctx context.Context) error { return call(ctx, names...) })
}

// failed shows an error to the person, unless err is nil.
func (a *App) failed(what string, err error) {
	if err != nil {
		a.Log.Warn("could not "+what, "err", err)
		a.Notifier.Show(Notice{Key: "error", Title: "Could not " + what, Body: err.Error()})
	}
}

// withQuestions returns the snapshot with the questions that wait for a click.
func (a *App) withQuestions(s dbusapi.Snapshot) dbusapi.Snapshot {
	s.Tunnels = slices.Clone(s.Tunnels)
	for i, t := range s.Tunnels {
		s.Tunnels[i] = a.Prompter.questions.take(t)
	}
	return s
}

// preparePrompter connects the Prompter with the rest of the tray. It runs in other goroutines and
// wakes up the loop when a question changes.
func (a *App) preparePrompter() {
	p := &a.Prompter
	p.questions = newQuestions(func() { a.inLoop(func() {}) })
	p.Connected, p.Show, p.Log = a.Client.AwaitConnection, a.Notifier.Show, a.Log
	p.About = func(ctx context.Context, tunnel string) string {
		t, _ := a.Client.Tunnel(ctx, tunnel)
		return t.Destination
	}
}

// answerFor registers the tray with a daemon, to answer its questions. After a failure, the next
// snapshot tries again.
func (a *App) answerFor(s dbusapi.Snapshot) {
	register := s.Running && s.Owner != a.agentOf && a.Prompter.Dialog != nil
	a.agentOf = s.Owner
	if !register {
		return
	}
	complain := s.Owner != a.unanswered // once, not at each snapshot
	a.do("answer questions", func(ctx context.Context) error {
		err := a.Client.RegisterAgent(ctx, &a.Prompter)
		if err == nil {
			return nil
		}
		a.inLoop(func() {
			a.unanswered = s.Owner
			if a.agentOf == s.Owner {
				a.agentOf = ""
			}
		})
		if !complain {
			a.Log.Warn("could not answer questions", "err", err)
			return nil
		}
		return err
	})
}

// inLoop has the goroutine of Run call f. It drops f if Run has ended.
func (a *App) inLoop(f func()) {
	select {
	case a.calls <- f:
	case <-a.ended:
	}
}

// save stores a value in one of the tray's files.
func (a *App) save(path string, value any) {
	if err := save(path, value); err != nil {
		a.Log.Warn("not saved", "path", path, "err", err)
	}
}

// pause stops all tunnels that run, until a time. If until is zero, the pause lasts until the person
// ends it.
func (a *App) pause(until time.Time) {
	p := Pause{Since: time.Now(), Until: until}
	for _, t := range a.model.Tunnels {
		if !isStopped(t) && t.State != tunnelfile.Stopping {
			p.Tunnels = append(p.Tunnels, t.Name)
		}
	}
	if len(p.Tunnels) == 0 {
		return
	}
	a.setPause(p)
	a.do("pause", func(ctx context.Context) error { return a.Client.Stop(ctx, p.Tunnels...) })
}

// resume ends a pause and starts its tunnels.
func (a *App) resume() {
	names := a.model.Pause.Tunnels
	if a.model.Running { // some may have been removed
		names = slices.DeleteFunc(slices.Clone(names), func(name string) bool { _, ok := a.model.Tunnel(name); return !ok })
	}
	a.setPause(Pause{})
	if len(names) > 0 {
		a.connect("go on", a.Client.Start, names...)
	}
}

func (a *App) setPause(p Pause) {
	a.model.Pause = p
	a.save(a.Paths.Pause, p)
}

const looks, lookTime = 6, time.Second

// watchTraffic reads a tunnel's statistics for a few seconds. It is called when the tunnel's
// submenu opens. A Driver does not report when a submenu closes.
func (a *App) watchTraffic(ctx context.Context, name string) {
	if stop, ok := a.watching[name]; ok {
		stop()
	}
	ctx, stop := context.WithCancel(ctx)
	a.watching[name] = stop
	go func() {
		defer stop()
		for range looks {
			s, err := a.Client.Statistics(ctx, name)
			if err != nil {
				return
			}
			now := time.Now()
			a.inLoop(func() { a.model.Traffic[name] = a.model.Traffic[name].next(now, s) })
			select {
			case <-time.After(lookTime):
			case <-ctx.Done():
				return
			}
		}
		a.inLoop(func() { // keep the totals; drop the rates, which would grow old
			last := a.model.Traffic[name]
			last.In, last.Out = -1, -1
			a.model.Traffic[name] = last
		})
	}()
}

// PanelCame sets the icon again. Call it, from any goroutine, when a panel has started.
func (a *App) PanelCame() { a.inLoop(func() { a.renderer.Redraw(time.Now()) }) }

// ShowOnce shows a notice that a person needs to see only once, ever.
func (a *App) ShowOnce(n Notice) {
	a.inLoop(func() {
		if a.memory.Shown[n.Key] {
			return
		}
		a.memory.Shown[n.Key] = true
		a.save(a.Paths.Memory, a.memory)
		a.Notifier.Show(n)
	})
}
