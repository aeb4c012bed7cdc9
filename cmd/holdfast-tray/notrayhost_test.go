//go:build cgo

package main

import (
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/holdfast/holdfast/dbusapi/apitest"
)

// TestNoIcons has a desktop that shows no icons: a person is told so, once in a life.
func TestNoIcons(t *testing.T) {
	if testing.Short() {
		t.Skip("waits twice for a panel that never comes")
	}
	b := session(t)
	t.Setenv("XDG_CURRENT_DESKTOP", "XFCE")
	told, _ := serveNotifications(t)
	apitest.Serve(t, b)
	first := launch(t)
	select {
	case title := <-told:
		if !strings.Contains(title, "icon is not shown") {
			t.Errorf("told %q", title)
		}
	case <-time.After(watcherGrace + 10*time.Second):
		t.Fatal("nothing was told")
	}
	_ = first.Process.Kill()
	<-first.done
	launch(t)
	select {
	case title := <-told:
		t.Errorf("told again: %q", title)
	case <-time.After(watcherGrace + 2*time.Second):
	}
}

// notifications is a notification server that tells the titles.
type notifications struct{ titles chan string }

// GetCapabilities is org.freedesktop.Notifications.
func (notifications) GetCapabilities() ([]string, *dbus.Error) {
	return []string{"actions", "body"}, nil
}

// Notify is org.freedesktop.Notifications.
func (n notifications) Notify(_ string, _ uint32, _, summary, _ string, _ []string, _ map[string]dbus.Variant, _ int32) (uint32, *dbus.Error) {
	select {
	case n.titles <- summary:
	default:
	}
	return 1, nil
}

// CloseNotification is org.freedesktop.Notifications.
func (notifications) CloseNotification(uint32) *dbus.Error { return nil }

// serveNotifications returns the titles that are shown, and what chooses a button.
func serveNotifications(t *testing.T) (titles <-chan string, choose func(action string)) {
	t.Helper()
	n := notifications{make(chan string, 16)}
	conn := apitest.Connect(t)
	const name = "org.freedesktop.Notifications"
	if err := conn.Export(n, "/org/freedesktop/Notifications", name); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.RequestName(name, dbus.NameFlagReplaceExisting); err != nil {
		t.Fatal(err)
	}
	return n.titles, func(action string) {
		if err := conn.Emit("/org/freedesktop/Notifications", name+".ActionInvoked", uint32(1), action); err != nil {
			t.Error(err)
		}
	}
}
