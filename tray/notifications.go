package tray

import (
	"context"
	"html"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/holdfast/holdfast/internal/bus"
)

const (
	notifyName      = "org.freedesktop.Notifications"
	notifyPath      = dbus.ObjectPath("/org/freedesktop/Notifications")
	notifyInterface = notifyName
	notifyTime      = 5 * time.Second
	defaultAction   = "default" // the action of a click on the notification itself
)

// Notifier shows notices (Desktop Notifications Specification 1.2). If no notification server runs,
// lasting notices are shown as soon as one starts.
type Notifier struct {
	conn     *bus.Conn
	queue    chan Notice
	clicked  chan string      // receives the keys of the actions that were chosen
	screen   map[string]shown // by the key of the notice; used by the goroutine of run only
	record   string           // the file that says which notifications are on the screen
	recorded []uint32
	log      *slog.Logger
	done     chan struct{}
}

// NewNotifier starts a Notifier that uses a bus connection until ctx ends. record is the path of a
// file that lists the notifications on the screen; "" for none. If a tray is killed, the next one
// closes what is listed there.
func NewNotifier(ctx context.Context, conn *bus.Conn, record string, log *slog.Logger) *Notifier {
	n := &Notifier{conn: conn, queue: make(chan Notice, 64), clicked: make(chan string, 8), screen: make(map[string]shown),
		record: record, log: log, done: make(chan struct{})}
	go n.run(ctx)
	return n
}

// Done is closed when ctx has ended and the notifications are closed, or when the bus is gone.
func (n *Notifier) Done() <-chan struct{} { return n.done }

// Show shows, replaces or closes a notice. It does not block.
func (n *Notifier) Show(notice Notice) {
	select {
	case n.queue <- notice:
	default:
		n.log.Warn("a notification is dropped: the desktop does not take them", "title", notice.Title)
	}
}

// shown is a notice on the screen, or a lasting one that waits for a notification server.
type shown struct {
	notice Notice
	id     uint32        // the server's number for it; 0: not on the screen
	asOf   dbus.Sequence // sequence of the server's reply
}

func (n *Notifier) run(ctx context.Context) {
	defer close(n.done)
	n.closeRecorded(ctx)
	signals, stop, err := n.conn.Signals(ctx, bus.Match{Sender: notifyName, Path: notifyPath, Interface: notifyInterface}, bus.OwnerChanges(notifyName))
	if err != nil {
		n.log.Warn("clicks on notifications will not be heard", "err", err)
		stop = func() {}
	}
	defer stop()
	for {
		select {
		case <-ctx.Done():
			n.closeRecorded(context.WithoutCancel(ctx))
			return
		case notice := <-n.queue:
			n.show(ctx, notice)
		case signal, ok := <-signals:
			if !ok {
				return // the bus is gone
			}
			n.take(ctx, signal)
		}
		n.write()
	}
}

// onScreen is the notifications of one server that are on the screen.
type onScreen struct {
	Server string   `json:"server"` // its unique name: another server has numbers of its own
	IDs    []uint32 `json:"ids"`
}

// write records what is on the screen.
func (n *Notifier) write() {
	now := onScreen{Server: n.conn.Owner(notifyName)}
	for _, s := range n.screen {
		if s.id != 0 {
			now.IDs = append(now.IDs, s.id)
		}
	}
	slices.Sort(now.IDs)
	if slices.Equal(now.IDs, n.recorded) {
		return
	}
	n.recorded = now.IDs
	if err := save(n.record, now); err != nil {
		n.log.Debug("it is not recorded what is on the screen", "err", err)
	}
}

// closeRecorded closes the notifications in the record, if their server still runs.
func (n *Notifier) closeRecorded(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, notifyTime)
	defer cancel()
	var before onScreen
	var server string
	if load(n.record, &before) != nil || len(before.IDs) == 0 ||
		n.conn.BusObject().CallWithContext(ctx, bus.Name+".GetNameOwner", 0, notifyName).Store(&server) != nil || server != before.Server {
		return
	}
	for _, id := range before.IDs {
		n.conn.Object(notifyName, notifyPath).CallWithContext(ctx, notifyInterface+".CloseNotification", 0, id)
	}
	_ = save(n.record, onScreen{})
}

func (n *Notifier) show(ctx context.Context, notice Notice) {
	ctx, cancel := context.WithTimeout(ctx, notifyTime)
	defer cancel()
	server := n.conn.Object(notifyName, notifyPath)
	old := n.screen[notice.Key]
	delete(n.screen, notice.Key)
	if notice.Title == "" {
		if old.id != 0 {
			server.CallWithContext(ctx, notifyInterface+".CloseNotification", 0, old.id)
		}
		return
	}
	if notice.Lasting {
		n.screen[notice.Key] = shown{notice: notice, id: old.id}
	}
	var capabilities []string
	if err := server.CallWithContext(ctx, notifyInterface+".GetCapabilities", 0).Store(&capabilities); err != nil {
		n.log.Debug("no notifications here", "err", err)
		return
	}
	body := notice.Body
	if slices.Contains(capabilities, "body-markup") {
		body = html.EscapeString(body)
	}
	actions := []string{}
	if slices.Contains(capabilities, "actions") {
		for i, a := range notice.Actions {
			if i == 0 { // some servers make the whole notification a button for this action
				actions = append(actions, defaultAction, a.Label)
			}
			actions = append(actions, a.Key, a.Label)
		}
	} else if len(notice.Actions) > 0 {
		if _, tunnel, ok := strings.Cut(notice.Actions[0].Key, " "); ok {
			body = strings.TrimLeft(body+"\nMore: holdfast status "+tunnel, "\n")
		}
	}
	hints := map[string]dbus.Variant{
		"urgency":       dbus.MakeVariant(map[bool]byte{false: 1, true: 2}[notice.Urgent]), // normal, critical
		"desktop-entry": dbus.MakeVariant("holdfast-tray"),
		"category":      dbus.MakeVariant("network"),
	}
	var id uint32
	call := server.CallWithContext(ctx, notifyInterface+".Notify", 0, "Holdfast", old.id, "holdfast", notice.Title, body, actions, hints, int32(-1))
	if err := call.Store(&id); err != nil {
		n.log.Warn("notification not shown", "title", notice.Title, "err", err)
		return
	}
	n.screen[notice.Key] = shown{notice, id, call.ResponseSequence}
}

// take handles a signal of the notification server, or that its owner has changed.
func (n *Notifier) take(ctx context.Context, signal *dbus.Signal) {
	var id uint32
	switch signal.Name {
	case bus.Name + ".NameOwnerChanged":
		if _, owner, ok := bus.OwnerChange(signal); ok {
			n.otherServer(ctx, signal.Sequence, owner != "")
		}
	case notifyInterface + ".ActionInvoked":
		var action string
		if dbus.Store(signal.Body, &id, &action) == nil {
			for _, s := range n.screen {
				if s.id == id {
					n.click(s.notice, action)
				}
			}
		}
	case notifyInterface + ".NotificationClosed":
		var reason uint32
		if dbus.Store(signal.Body, &id, &reason) == nil {
			maps.DeleteFunc(n.screen, func(_ string, s shown) bool { return s.id == id })
		}
	}
}

// click passes on that a person chose an action.
func (n *Notifier) click(notice Notice, action string) {
	for i, a := range notice.Actions {
		if a.Key == action || i == 0 && action == defaultAction {
			select {
			case n.clicked <- a.Key:
			default: // nobody clicks that fast
			}
			return
		}
	}
}

// otherServer handles that the notification server went away at that moment, or that another one
// started (there). Each server numbers from 1, so an old number may be that of another program's
// notification.
func (n *Notifier) otherServer(ctx context.Context, at dbus.Sequence, there bool) {
	for key, s := range n.screen {
		switch {
		case s.id != 0 && s.asOf > at:
		case !s.notice.Lasting:
			delete(n.screen, key)
		default:
			s.id = 0
			n.screen[key] = s
			if there {
				n.show(ctx, s.notice)
			}
		}
	}
}
