package tray

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/holdfast/holdfast/dbusapi/apitest"
	"github.com/holdfast/holdfast/internal/bus"
	"github.com/holdfast/holdfast/testbed"
)

// server is a notification server on a bus of the test's own.
type server struct {
	conn         *dbus.Conn
	capabilities atomic.Pointer[[]string]
	calls        chan string
	next         uint32
}

// GetCapabilities is org.freedesktop.Notifications.
func (s *server) GetCapabilities() ([]string, *dbus.Error) { return *s.capabilities.Load(), nil }

// Notify is org.freedesktop.Notifications.
func (s *server) Notify(app string, replaces uint32, icon, summary, body string, actions []string, hints map[string]dbus.Variant, _ int32) (uint32, *dbus.Error) {
	id := replaces
	if id == 0 {
		s.next++
		id = s.next
	}
	s.calls <- fmt.Sprintf("%s|%d|%s|%s|%s|%v", app, replaces, summary, body, strings.Join(actions, ","), hints["urgency"].Value())
	return id, nil
}

// CloseNotification is org.freedesktop.Notifications.
func (s *server) CloseNotification(id uint32) *dbus.Error {
	s.calls <- fmt.Sprintf("close %d", id)
	return nil
}

func (s *server) expect(t *testing.T, want string) {
	t.Helper()
	select {
	case got := <-s.calls:
		if got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	case <-time.After(10 * time.Second):
		t.Fatalf("nothing came; want %s", want)
	}
}

func TestNotifier(t *testing.T) {
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", apitest.Bus(t))
	s := &server{conn: apitest.Connect(t), calls: make(chan string, 8)}
	s.capabilities.Store(&[]string{"actions", "body", "body-markup"})
	if err := s.conn.Export(s, notifyPath, notifyInterface); err != nil {
		t.Fatal(err)
	}
	n := NewNotifier(t.Context(), apitest.Open(t), "", slog.New(slog.DiscardHandler))
	if _, err := s.conn.RequestName(notifyName, 0); err != nil {
		t.Fatal(err)
	}
	notice := Notice{Key: "db", Title: "db is down", Body: "a < b & c", Actions: actions("db", "log", "Show log")}
	n.Show(notice)
	const buttons = "default,Show log,log db,Show log,mute db,Mute"
	s.expect(t, "Holdfast|0|db is down|a &lt; b &amp; c|"+buttons+"|1")
	notice.Title, notice.Urgent = "db is up again", true
	n.Show(notice)
	s.expect(t, "Holdfast|1|db is up again|a &lt; b &amp; c|"+buttons+"|2")

	for sent, want := range map[string]string{"default": "log db", "mute db": "mute db"} {
		if err := s.conn.Emit(notifyPath, notifyInterface+".ActionInvoked", uint32(1), sent); err != nil {
			t.Fatal(err)
		}
		select {
		case got := <-n.clicked:
			if got != want {
				t.Errorf("a click on %q means %q, want %q", sent, got, want)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("a click on %q was not heard", sent)
		}
	}
	n.Show(Notice{Key: "db"})
	s.expect(t, "close 1")
	n.Show(Notice{Key: "db"}) // is closed already

	s.capabilities.Store(&[]string{"body"})
	n.Show(notice)
	s.expect(t, "Holdfast|0|db is up again|a < b & c\nMore: holdfast status db||2")
}

// TestNotifierServers: a notification server that comes late, and one that is replaced.
func TestNotifierServers(t *testing.T) {
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", apitest.Bus(t))
	serve := func() *server {
		s := &server{conn: apitest.Connect(t), calls: make(chan string, 8)}
		s.capabilities.Store(&[]string{"body"})
		if err := s.conn.Export(s, notifyPath, notifyInterface); err != nil {
			t.Fatal(err)
		}
		if _, err := s.conn.RequestName(notifyName, 0); err != nil {
			t.Fatal(err)
		}
		return s
	}
	n := NewNotifier(t.Context(), apitest.Open(t), "", slog.New(slog.DiscardHandler))
	n.Show(Notice{Key: "news", Title: "Could not start web"}) // that is old before anybody can see it
	n.Show(Notice{Key: "web", Title: "web is down", Lasting: true})
	n.Show(Notice{Key: "web"})
	n.Show(Notice{Key: "db", Title: "db needs you", Lasting: true, Actions: actions("db", "log", "Show log")})
	for len(n.queue) > 0 {
		runtime.Gosched()
	}
	first := serve()
	first.expect(t, "Holdfast|0|db needs you|More: holdfast status db||1")
	n.Show(Notice{Key: "news", Title: "news"})
	first.expect(t, "Holdfast|0|news|||1")
	first.conn.Close()

	next := serve()
	next.expect(t, "Holdfast|0|db needs you|More: holdfast status db||1")
	n.Show(Notice{Key: "news", Title: "more news"})
	next.expect(t, "Holdfast|0|more news|||1") // and not in the place of number 2, whosever that is
	n.Show(Notice{Key: "db"})
	next.expect(t, "close 1")
}

// TestHostileBusClicks holds that nobody but the notification server says what was clicked.
func TestHostileBusClicks(t *testing.T) {
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", apitest.Bus(t))
	s := &server{conn: apitest.Connect(t), calls: make(chan string, 8)}
	s.capabilities.Store(&[]string{"actions"})
	if err := s.conn.Export(s, notifyPath, notifyInterface); err != nil {
		t.Fatal(err)
	}
	if _, err := s.conn.RequestName(notifyName, 0); err != nil {
		t.Fatal(err)
	}
	ours, stranger := apitest.Open(t), apitest.Connect(t)
	n := NewNotifier(t.Context(), ours, "", slog.New(slog.DiscardHandler))
	n.Show(Notice{Key: "db", Title: "db is down", Actions: actions("db", "log", "Show log")})
	select {
	case <-s.calls:
	case <-time.After(10 * time.Second):
		t.Fatal("not shown")
	}
	for _, to := range []string{"", ours.UniqueName()} {
		testbed.Forge(t, stranger, to, notifyInterface+".ActionInvoked", notifyPath, uint32(1), "default")
		testbed.Forge(t, stranger, to, notifyInterface+".NotificationClosed", notifyPath, uint32(1), uint32(1))
	}
	// The answer comes after all that the stranger sent has gone out.
	if err := stranger.BusObject().Call("org.freedesktop.DBus.GetId", 0).Err; err != nil {
		t.Fatal(err)
	}
	if err := s.conn.Emit(notifyPath, notifyInterface+".ActionInvoked", uint32(1), "mute db"); err != nil {
		t.Fatal(err)
	}
	select {
	case got := <-n.clicked:
		if got != "mute db" {
			t.Errorf("a stranger clicked %s", got)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("a stranger closed the notification")
	}
}

// TestNoticesEndWithTray holds that no notification outlives the tray that shows it: one that was
// told to end closes its own, and one that was killed leaves that to the next.
func TestNoticesEndWithTray(t *testing.T) {
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", apitest.Bus(t))
	s := &server{conn: apitest.Connect(t), calls: make(chan string, 8)}
	s.capabilities.Store(&[]string{})
	if err := s.conn.Export(s, notifyPath, notifyInterface); err != nil {
		t.Fatal(err)
	}
	if _, err := s.conn.RequestName(notifyName, 0); err != nil {
		t.Fatal(err)
	}
	record := filepath.Join(t.TempDir(), "notices.json")
	start := func() (*Notifier, *bus.Conn, context.CancelFunc) {
		ctx, stop := context.WithCancel(t.Context())
		conn := apitest.Open(t)
		return NewNotifier(ctx, conn, record, slog.New(slog.DiscardHandler)), conn, stop
	}
	recorded := func(id string) {
		t.Helper()
		for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
			text, _ := os.ReadFile(record)
			if strings.Contains(string(text), `"ids":[`+id+`]`) {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("the record says %s, want notification %s", text, id)
			}
		}
	}
	notice := Notice{Key: "db", Title: "db is down", Lasting: true}

	first, _, stop := start()
	first.Show(notice)
	s.expect(t, "Holdfast|0|db is down|||1")
	recorded("1")
	stop()
	s.expect(t, "close 1")
	<-first.Done()

	killed, conn, _ := start()
	killed.Show(notice)
	s.expect(t, "Holdfast|0|db is down|||1")
	recorded("2")
	conn.Close()
	<-killed.Done()

	next, _, stop := start()
	s.expect(t, "close 2")
	stop()
	<-next.Done()
}
