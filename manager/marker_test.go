package manager

import (
	"maps"
	"path/filepath"
	"slices"
	"testing"
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
