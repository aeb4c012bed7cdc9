package systemdctl

import (
	"fmt"
	"strings"
	"testing"
)

// TestWatchCoalesces holds what a slow reader is told against what happened.
func TestWatchCoalesces(t *testing.T) {
	told := func(w *watch) string {
		var list []string
		for {
			unit, ok := w.next()
			if !ok {
				return strings.Join(list, " ")
			}
			if unit == "" {
				unit = "ALL"
			}
			list = append(list, unit)
		}
	}
	w := &watch{match: func(unit string) bool { return strings.HasPrefix(unit, "mine") }, wake: make(chan struct{}, 1)}
	for _, unit := range []string{"mine-b", "other", "mine-a", "mine-b", "mine-b"} {
		w.add(unit)
	}
	if got, want := told(w), "mine-b mine-a"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	w.add("mine-b")
	if got, want := told(w), "mine-b"; got != want {
		t.Errorf("a hint after it was taken: got %q, want %q", got, want)
	}
	for i := range maxPending + 1 {
		w.add(fmt.Sprint("mine-", i))
	}
	w.add("mine-a")
	if got, want := told(w), "ALL"; got != want {
		t.Errorf("after too many: got %q, want %q", got, want)
	}
	w.add("mine-a")
	w.add("")
	if got, want := told(w), "ALL"; got != want {
		t.Errorf("after a hint about all: got %q, want %q", got, want)
	}
}
