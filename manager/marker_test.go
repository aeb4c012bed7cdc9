package manager

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/tunnelfile"
)

func TestDownMarkers(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run", "down")
	now, before := downMarkers{dir, 2}, downMarkers{dir, 1}
	if down, err := now.all(); err != nil || len(down) > 0 {
		t.Fatalf("in the beginning: %v, %v", down, err)
	}
	for _, c := range []struct {
		in   downMarkers
		name string
		down bool
	}{{before, "stale", true}, {now, "a", true}, {now, "b", true}, {now, "b", false}, {now, "c", false}} {
		if err := c.in.set(c.name, c.down); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		down, err := now.all()
		if names := slices.Sorted(maps.Keys(down)); err != nil || !slices.Equal(names, []string{"a"}) {
			t.Errorf("down are %v, %v; want a", names, err)
		}
	}
	if down, _ := before.all(); len(down) > 0 {
		t.Errorf("a stale marker stayed: %v", down)
	}
}

// A full disk leaves no half marker behind.
func TestDownMarkerOnFullDisk(t *testing.T) {
	d := downMarkers{t.TempDir(), 1}
	if err := os.Symlink("/dev/full", d.path("web")); err != nil {
		t.Fatal(err)
	}
	if err := d.set("web", true); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("writing ended with %v, want ENOSPC", err)
	}
	if _, err := os.Lstat(d.path("web")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a marker is left: %v", err)
	}
}

// Who stops a tunnel hears that the next daemon will not know, each time until it is written.
func TestStopCannotBeRemembered(t *testing.T) {
	b := newTable(t)
	b.add("web", remote)
	b.awaitState("web", tunnelfile.Up)
	if err := os.MkdirAll(b.m.markers.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := os.Symlink("/dev/full", b.m.markers.path("web")); err != nil {
			t.Fatal(err)
		}
		err := b.m.Stop(t.Context(), []string{"web"})
		if !errors.Is(err, listing.ErrNotStored) || !strings.Contains(err.Error(), "web is stopped, but this cannot be remembered: ") {
			t.Errorf("Stop: %v", err)
		}
		b.awaitState("web", tunnelfile.Inactive)
	}
	if err := b.m.Stop(t.Context(), []string{"web"}); err != nil {
		t.Errorf("when there is space again: %v", err)
	}
}
