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

// prepare sets environment variables that the GUI toolkit reads when it starts. It returns the
// environment for other programs, without these variables.
func prepare() (tray.Environment, error) {
	if os.Getenv("DISPLAY") == "" && os.Getenv("WAYLAND_DISPLAY") == "" {
		return nil, errNoDesktop
	}
	runtime := os.Getenv("XDG_RUNTIME_DIR")
	if os.Getenv("DBUS_SESSION_BUS_ADDRESS") == "" {
		// Without an address the toolkit would start a private bus.
		socket := filepath.Join(runtime, "bus")
		if _, err := os.Stat(socket); runtime == "" || err != nil {
			return nil, fmt.Errorf("%w: DBUS_SESSION_BUS_ADDRESS is not set", dbusapi.ErrNoBus)
		}
		os.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path="+dbus.EscapeBusAddressValue(socket))
	}
	others := tray.Environment(os.Environ())
	os.Setenv("GDK_GL", "disable") // saves memory: 26 MB instead of 82 MB
	os.Setenv("NO_AT_BRIDGE", "1") // the panel draws the menus and makes them accessible
	if runtime != "" {
		// The icon's file is created there. Nobody else can replace it in a private folder.
		dir := filepath.Join(runtime, "holdfast")
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
		os.Setenv("TMPDIR", dir)
	}
	return others, nil
}

// removeIconFiles removes icon files of a tray that was killed. It is called once this is the only tray.
func removeIconFiles() {
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		old, _ := filepath.Glob(filepath.Join(dir, "holdfast/systray_*"))
		for _, file := range old {
			_ = os.Remove(file)
		}
	}
}

// trayName is the bus name of a session's only tray.
const trayName = "io.github.holdfast.Tray"

// connect opens two connections to the session bus: one for the daemon, one for the desktop. first says
// whether this is the session's first tray.
func connect(ctx context.Context) (client *dbusapi.Client, conn *bus.Conn, first bool, err error) {
	ctx, connected := context.WithTimeout(ctx, connectTime)
	defer connected() // now, because a pending deadline would wake the idle tray later
	if client, err = dbusapi.Dial(ctx, false); err != nil {
		return nil, nil, false, err
	}
	if conn, err = dbusapi.Connect(ctx, false); err != nil {
		return nil, nil, false, err
	}
	var reply uint32
	request := conn.BusObject().CallWithContext(ctx, bus.Name+".RequestName", 0, trayName, uint32(dbus.NameFlagDoNotQueue))
	if err = request.Store(&reply); err != nil {
		return nil, nil, false, fmt.Errorf("own %s: %w", trayName, err)
	}
	return client, conn, reply == uint32(dbus.RequestNameReplyPrimaryOwner), nil
}

// errBusGone is not dbusapi.ErrNoBus, because a restart of the tray helps: the next bus may already be there.
var errBusGone = errors.New("the message bus went away")

// alive says whether the bus answers. When the bus goes away, GIO ends the program with SIGTERM, which
// is also the signal for ending it. Only the bus tells the two apart.
func alive(conn *bus.Conn) bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return conn.BusObject().CallWithContext(ctx, "org.freedesktop.DBus.GetId", 0).Err == nil
}

// watcherName is the bus name of what manages icons: a panel, or a service of the desktop.
const watcherName = "org.kde.StatusNotifierWatcher"

// watcherGrace is how long a panel may take to appear after login.
const watcherGrace = 15 * time.Second

// reportNoPanel tells a person once if the desktop shows no icons.
func reportNoPanel(ctx context.Context, conn *bus.Conn, app *tray.App) {
	// The first look is at once: if a panel is there, no timer wakes the idle tray later.
	for _, wait := range []time.Duration{0, watcherGrace} {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
		if there, err := conn.HasOwner(ctx, watcherName); err != nil || there {
			return
		}
	}
	how := "Nothing on this desktop shows icons of programs (a StatusNotifierItem host). "
	if strings.Contains(os.Getenv("XDG_CURRENT_DESKTOP"), "GNOME") {
		how = "GNOME shows icons with the extension “AppIndicator and KStatusNotifierItem Support”. "
	}
	app.ShowOnce(tray.Notice{Key: "no-tray", Title: "Holdfast's icon is not shown",
		Body: how + "Notifications and dialogs work without it.", Actions: []tray.NoticeAction{{Key: "status", Label: "Show status"}}})
}

// followPanels tells the tray when a panel starts, because some panels show the icon only after a change.
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

// commandLine is the path of holdfast beside this program, since terminals may not have it in $PATH.
func commandLine() string {
	if self, err := os.Executable(); err == nil {
		beside := filepath.Join(filepath.Dir(self), "holdfast")
		if info, err := os.Stat(beside); err == nil && info.Mode()&0o111 != 0 {
			return beside
		}
	}
	return "holdfast"
}

// beginAnew replaces this process with a new one, see execve(2).
func beginAnew(e tray.Environment) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	return unix.Exec(self, os.Args, e)
}
