//go:build cgo

package indicator

import (
	"bytes"
	"os"
	"testing"
)

// TestTheme holds what GTK reads against its source, which it contains as it is.
func TestTheme(t *testing.T) {
	css, err := os.ReadFile("theme/gtk.css")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(theme, css) {
		t.Error("theme.gresource is not made of this gtk.css: run glib-compile-resources theme.gresource.xml in tray/indicator/theme")
	}
}
