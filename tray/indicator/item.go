//go:build cgo

package indicator

/*
#cgo pkg-config: ayatana-appindicator3-0.1
#cgo LDFLAGS: -Wl,--wrap=app_indicator_new -Wl,--wrap=app_indicator_set_icon_full -Wl,--wrap=app_indicator_set_attention_icon_full
#include <libayatana-appindicator/app-indicator.h>

// What the library says of the icon besides its picture. The wrappers below pass it on together
// with the picture, in GTK's own thread: two changes in one moment have crashed panels.
static const char *volatile holdfast_description = "Holdfast";
static volatile _Bool holdfast_attention;

static void holdfast_describe(const char *description, _Bool attention) {
	holdfast_description = description; // is never freed
	holdfast_attention = attention;
}

AppIndicator *__wrap_app_indicator_new(const char *id, const char *icon, AppIndicatorCategory category) {
	extern AppIndicator *__real_app_indicator_new(const char *, const char *, AppIndicatorCategory);
	g_set_application_name("Holdfast");
	AppIndicator *indicator = __real_app_indicator_new("holdfast", icon, category);
	app_indicator_set_title(indicator, "Holdfast");
	return indicator;
}

void __wrap_app_indicator_set_icon_full(AppIndicator *indicator, const char *icon, const char *description) {
	extern void __real_app_indicator_set_icon_full(AppIndicator *, const char *, const char *);
	__real_app_indicator_set_icon_full(indicator, icon, holdfast_description);
}

void __wrap_app_indicator_set_attention_icon_full(AppIndicator *indicator, const char *icon, const char *description) {
	extern void __real_app_indicator_set_attention_icon_full(AppIndicator *, const char *, const char *);
	__real_app_indicator_set_attention_icon_full(indicator, icon, holdfast_description);
	app_indicator_set_status(indicator, holdfast_attention ? APP_INDICATOR_STATUS_ATTENTION : APP_INDICATOR_STATUS_ACTIVE);
}
*/
import "C"

import "github.com/holdfast/holdfast/tray"

// descriptions are what a screen reader says of the icons shown so far. The C strings are never freed.
var descriptions = map[tray.Icon]*C.char{}

// describe sets the description of the next icon. systray names the icon "systray", gives it
// neither a title nor a description, and never asks for attention. So the linker wraps its calls to
// the library.
func describe(icon tray.Icon) {
	if descriptions[icon] == nil {
		descriptions[icon] = C.CString("Holdfast: " + icon.Description())
	}
	C.holdfast_describe(descriptions[icon], icon == tray.IconAttention)
}
