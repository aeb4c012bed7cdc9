package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
	"golang.org/x/sys/unix"

	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/internal/bus"
	"github.com/holdfast/holdfast/tray"
)

var errNoDesktop = errors.New("no desktop here: neither DISPLAY nor WAYLAND_DISPLAY is set")

// prepare sets what the toolkit reads from the environment before it starts. It returns
// the environment for others, in which that is not set.
func prepare() (tray.Environment, error) {
	if os.Getenv("DISPLAY") == "" && os.Getenv("WAYLAND_DISPLAY") == "" {
		return nil, errNoDesktop
	}
	runtime := os.Getenv("XDG_RUNTIME_DIR")
	if os.Getenv("DBUS_SESSION_BUS_ADDRESS") == "" {
		// Without an address the toolkit would start a bus that nobody else is on.
		socket := filepath.Join(runtime, "bus")
		if _, err := os.Stat(socket); runtime == "" || err != nil {
			return nil, fmt.Errorf("%w: DBUS_SESSION_BUS_ADDRESS is not set", dbusapi.ErrNoBus)
		}
		os.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path="+dbus.EscapeBusAddressValue(socket))
	}
	others := tray.Environment(os.Environ())
	os.Setenv("GDK_GL", "disable") // 26 MB instead of 82 MB
	os.Setenv("NO_AT_BRIDGE", "1") // menus are read out by the panel, which draws them
	if runtime != "" {
		// The icon's file lands there, where nobody else can put one in its place.
		dir := filepath.Join(runtime, "holdfast")
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
		os.Setenv("TMPDIR", dir)
	}
	return others, nil
}

// removeIconFiles removes those of a tray that was killed. No other runs.
func removeIconFiles() {
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		old, _ := filepath.Glob(filepath.Join(dir, "holdfast/systray_*"))
		for _, file := range old {
			_ = os.Remove(file)
		}
	}
}

// trayName is owned by the one tray of a session.
const trayName = "io.github.holdfast.Tray"

// ownName says whether this is the session's first tray.
func ownName(ctx context.Context, conn *bus.Conn) (first bool, err error) {
	var reply uint32
	err = conn.BusObject().CallWithContext(ctx, "org.freedesktop.DBus.RequestName", 0, trayName, uint32(dbus.NameFlagDoNotQueue)).Store(&reply)
	if err != nil {
		return false, fmt.Errorf("own %s: %w", trayName, err)
	}
	return reply == uint32(dbus.RequestNameReplyPrimaryOwner), nil
}

// connect connects to the session bus: for the daemon, and for the desktop. First says
// whether this is the session's first tray.
func connect(ctx context.Context) (client *dbusapi.Client, conn *bus.Conn, first bool, err error) {
	ctx, connected := context.WithTimeout(ctx, connectTime)
	defer connected() // at once: the deadline would wake the tray when it has long been idle
	if client, err = dbusapi.Dial(ctx, false); err != nil {
		return nil, nil, false, err
	}
	if conn, err = dbusapi.Connect(ctx, false); err != nil {
		return nil, nil, false, err
	}
	first, err = ownName(ctx, conn)
	return client, conn, first, err
}

// errBusGone is no dbusapi.ErrNoBus: the next bus may be there already, so to start the
// tray again does help.
var errBusGone = errors.New("the message bus went away")

// alive says whether the bus answers. GIO ends a program whose bus goes away with the
// very signal that asks it to end: only the bus tells the two apart.
func alive(conn *bus.Conn) bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return conn.BusObject().CallWithContext(ctx, "org.freedesktop.DBus.GetId", 0).Err == nil
}

// watcherName is owned by what keeps the icons of a desktop, a panel or a service of its own.
const watcherName = "org.kde.StatusNotifierWatcher"

// watcherGrace is how long a panel may take to appear after login.
const watcherGrace = 15 * time.Second

// tellWhereNoTray tells a person once whose desktop shows no icons.
func tellWhereNoTray(ctx context.Context, conn *bus.Conn, app *tray.App) {
	if there, err := conn.HasOwner(ctx, watcherName); err != nil || there {
		return // and nothing wakes the tray later
	}
	select {
	case <-time.After(watcherGrace):
	case <-ctx.Done():
		return
	}
	there, err := conn.HasOwner(ctx, watcherName)
	if err != nil || there {
		return
	}
	how := "Nothing on this desktop shows icons of programs (a StatusNotifierItem host). "
	if strings.Contains(os.Getenv("XDG_CURRENT_DESKTOP"), "GNOME") {
		how = "GNOME shows icons with the extension “AppIndicator and KStatusNotifierItem Support”. "
	}
	app.TellOnce(tray.Notice{Key: "no-tray", Title: "Holdfast's icon is not shown",
		Body: how + "Notifications and dialogs work without it.", Actions: []tray.NoticeAction{{Key: "status", Label: "Show status"}}})
}

// followPanels tells the tray when a panel starts: some take in the icon only when it changes.
func followPanels(ctx context.Context, conn *bus.Conn, app *tray.App) {
	signals, stop, err := conn.Signals(ctx, bus.OwnerChanges(watcherName))
	if err != nil {
		app.Log.Warn("a panel that starts later may not show the icon", "err", err)
		return
	}
	defer stop()
	for signal := range signals {
		if _, owner, ok := bus.OwnerChange(signal); ok && owner != "" {
			app.PanelCame()
		}
	}
}

// commandLine is the holdfast beside this program: terminals need not have it in $PATH.
func commandLine() string {
	if self, err := os.Executable(); err == nil {
		beside := filepath.Join(filepath.Dir(self), "holdfast")
		if info, err := os.Stat(beside); err == nil && info.Mode()&0o111 != 0 {
			return beside
		}
	}
	return "holdfast"
}

// beginAnew replaces this process by a fresh one.
func beginAnew(e tray.Environment) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	return unix.Exec(self, os.Args, e)
}
