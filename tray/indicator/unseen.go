//go:build cgo

package indicator

/*
#cgo pkg-config: glib-2.0
#include <glib.h>
#include <string.h>

extern void holdfastUnseen(void);

static void holdfast_critical(const gchar *domain, GLogLevelFlags level, const gchar *message, gpointer data) {
	g_log_default_handler(domain, level, message, data);
	if (strncmp(message, "g_dbus_proxy_new:", strlen("g_dbus_proxy_new:")) == 0)
		holdfastUnseen();
}

static void holdfast_watch_criticals(void) {
	g_log_set_handler("GLib-GIO", G_LOG_LEVEL_CRITICAL, holdfast_critical, NULL);
}
*/
import "C"

import (
	"errors"
	"sync/atomic"

	"github.com/getlantern/systray"
)

// ErrUnseen is returned by Run when no panel can ever know the icon.
//
// libayatana-appindicator connects to the bus and looks for a panel at the same time. If it finds
// the panel first, it makes a D-Bus proxy on a connection that does not exist yet. GLib reports
// this in a critical message, and the library never tries again. It happens once in some thousand
// starts, on a busy machine.
var ErrUnseen = errors.New("the panel was found before the bus was there")

var unseen atomic.Bool

// watchUnseen makes Run end when that happens. Call it before the library starts.
func watchUnseen() { C.holdfast_watch_criticals() }

//export holdfastUnseen
func holdfastUnseen() {
	unseen.Store(true)
	systray.Quit()
}
