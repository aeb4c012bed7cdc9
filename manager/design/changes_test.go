package design

import (
	"slices"
	"testing"

	"github.com/holdfast/holdfast/tunnelfile"
)

// What show --changes calls a restart is what the units' marks make one, and what the
// worker has to hear of is in SettingsHash.
func TestChangesTellWhatMarksDo(t *testing.T) {
	texts := []string{
		"", "Description=x", "Start=manual", "Start=on-demand\nLocalForward=1:h:1", "Start=on-demand\nLocalForward=1:h:1\nIdleTimeout=1s",
		"LocalForward=1:h:1", "LocalForward=1:h:2", "RemoteForward=1:h:1", "MaxHeld=1", "OnlyOn=home", "Transport=openssh", "IdleTimeout=1s",
		"[SSH]\nPort=2", "[Service]\nMemoryMax=64M", "[Service]\nMemoryMax=32M", "[Unit]\nStartLimitBurst=9",
	}
	for _, a := range texts {
		for _, b := range texts {
			before, now := parse(t, a), parse(t, b)
			old, _ := Of(t.Context(), before, testHost)
			new, _ := Of(t.Context(), now, testHost)
			changes := tunnelfile.Changes(before, now)
			restarts := slices.ContainsFunc(changes, func(c tunnelfile.Change) bool { return c.Effect == tunnelfile.EffectRestarts })
			if marks := old.Mark.Service != new.Mark.Service; marks != restarts {
				t.Errorf("%q to %q: restarts %v, but the marks differ: %v", a, b, restarts, marks)
			}
			if len(changes) == 0 && tunnelfile.SettingsHash(before) != tunnelfile.SettingsHash(now) {
				t.Errorf("%q to %q: no change is told, but the worker reads its file again", a, b)
			}
		}
	}
}
