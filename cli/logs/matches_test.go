package logs

import (
	"slices"
	"testing"
)

// TestMatchesSocket: why a listener failed stands in the journal of the socket unit.
func TestMatchesSocket(t *testing.T) {
	for system, want := range map[bool]string{false: "USER_UNIT=holdfast-tunnel@db.socket", true: "UNIT=holdfast-tunnel@db.socket"} {
		if terms := (Query{Names: []string{"db"}, System: system}).matches(); !slices.Contains(terms, want) {
			t.Errorf("system %v: no %s in %q", system, want, terms)
		}
	}
}
