package systemdctl

import (
	"fmt"
	"slices"
	"testing"
)

// TestAddHint compares what a slow reader gets with what happened.
func TestAddHint(t *testing.T) {
	add := func(units ...string) (pending []string) {
		for _, unit := range units {
			pending = addHint(pending, unit)
		}
		return pending
	}
	if got, want := add("b", "a", "b", "b"), []string{"b", "a"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := add("a", "b", "", "a"), []string{""}; !slices.Equal(got, want) {
		t.Errorf("with a hint about all: got %q, want %q", got, want)
	}
	var many []string
	for i := range maxPending {
		many = append(many, fmt.Sprint(i))
	}
	if got := add(many...); len(got) != maxPending {
		t.Errorf("got %d hints, want %d", len(got), maxPending)
	}
	if got, want := add(append(many, "one more", "0")...), []string{""}; !slices.Equal(got, want) {
		t.Errorf("after too many: got %q, want %q", got, want)
	}
}
