//go:build cgo

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/dbusapi/apitest"
	"github.com/holdfast/holdfast/tunnelfile"
)

// lateBus is a library that has the first process that takes its marker away wait for its
// bus, but not for the news of a panel: that is GIO's own business.
const lateBus = `
#define _GNU_SOURCE
#include <dlfcn.h>
#include <gio/gio.h>
#include <stdlib.h>
#include <unistd.h>

typedef void (*get)(GBusType, GCancellable *, GAsyncReadyCallback, gpointer);
struct call { GBusType type; GCancellable *cancellable; GAsyncReadyCallback callback; gpointer data; };

static gboolean later(gpointer p) {
	struct call *c = p;
	((get)dlsym(RTLD_NEXT, "g_bus_get"))(c->type, c->cancellable, c->callback, c->data);
	free(c);
	return FALSE;
}

void g_bus_get(GBusType type, GCancellable *cancellable, GAsyncReadyCallback callback, gpointer data) {
	static gboolean late;
	struct call c = {type, cancellable, callback, data}, *kept = malloc(sizeof c);
	*kept = c;
	if (unlink(getenv("LATE_BUS")) == 0)
		late = TRUE;
	if (late)
		g_timeout_add(500, later, kept);
	else
		later(kept);
}
`

// TestUnseen has the toolkit find the panel before it has the bus, after which it would
// never show its icon.
func TestUnseen(t *testing.T) {
	b := session(t)
	dir := os.Getenv("HOME")
	source, library, marker := filepath.Join(dir, "late.c"), filepath.Join(dir, "late.so"), filepath.Join(dir, "late")
	for path, text := range map[string]string{source: lateBus, marker: ""} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	flags, err := exec.Command("pkg-config", "--cflags", "--libs", "gio-2.0").Output()
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("gcc", append([]string{"-shared", "-fPIC", "-o", library, source}, strings.Fields(string(flags))...)...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	w, _ := watch(t)
	apitest.Serve(t, b)
	b.Put(tunnel("db", tunnelfile.Up, ""))
	t.Setenv("LD_PRELOAD", library)
	t.Setenv("LATE_BUS", marker)
	launch(t)
	shows(t, w.icon(t), want(t, b))
	if _, err := os.Stat(marker); err == nil {
		t.Error("nothing was late")
	}
}
