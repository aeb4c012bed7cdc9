//go:build cgo

package indicator

/*
#cgo pkg-config: gio-2.0
#include <gio/gio.h>

static gboolean holdfast_register(gpointer data, gsize size) {
	GBytes *bytes = g_bytes_new_take(data, size);
	GResource *resource = g_resource_new_from_data(bytes, NULL);
	g_bytes_unref(bytes);
	if (resource == NULL)
		return FALSE;
	g_resources_register(resource); // takes a reference
	return TRUE;
}
*/
import "C"

import (
	_ "embed"
	"os"
)

//go:embed theme/theme.gresource
var theme []byte

// setTheme makes GTK use the small theme in this folder, unless the person has set GTK_THEME. Call
// it before GTK starts.
func setTheme() {
	if os.Getenv("GTK_THEME") == "" && C.holdfast_register(C.gpointer(C.CBytes(theme)), C.gsize(len(theme))) != 0 {
		os.Setenv("GTK_THEME", "holdfast")
	}
}
