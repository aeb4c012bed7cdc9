package tunnelfile

import (
	"slices"
	"strings"
	"time"
)

// Effect is what a changed key does to a tunnel that is up. The words are for scripts,
// see holdfast(1), show --changes.
type Effect string

// Effects, the gentlest first.
const (
	EffectAtOnce   Effect = "at-once"
	EffectAdded    Effect = "added"
	EffectDropped  Effect = "dropped"
	EffectTarget   Effect = "target" // the listener stays, and its target changes
	EffectRedial   Effect = "redial"
	EffectMayStop  Effect = "may-stop"
	EffectRestarts Effect = "restarts"
)

var effectSentences = map[Effect]string{
	EffectAtOnce:   "applied at once",
	EffectAdded:    "added, others untouched",
	EffectDropped:  "dropped: nothing new comes in, open connections go on; others untouched",
	EffectTarget:   "new connections go to the new target, open ones go on; others untouched",
	EffectRedial:   "new SSH connection, made before the old one is let go",
	EffectMayStop:  "applied at once; a tunnel that may not run any more is stopped: open connections are cut",
	EffectRestarts: "restarts the unit: open connections are cut",
}

// String is the effect for people.
func (e Effect) String() string { return effectSentences[e] }

// Change is one key, or one forward, that differs between two texts of a tunnel file.
type Change struct {
	Section, Key string
	Old, New     string // several values have a newline between them; "" if not written
	Effect       Effect
}

// Changes says, key by key, what happens to a tunnel that is up when the second text replaces the
// first. The daemon acts on keys that are neither in SettingsHash nor in a unit's settings.
func Changes(before, now Tunnel) []Change {
	var changes []Change
	if before.Path != now.Path {
		// The path is on the unit's command line.
		changes = append(changes, Change{"", "file", before.Path, now.Path, EffectRestarts})
	}
	for _, t := range []*Tunnel{&before, &now} {
		if t.Description == t.Destination {
			t.Description = "" // it was not written
		}
	}
	for _, key := range tunnelKeys {
		if isForward(key.name) {
			changes = append(changes, forwardChanges(ForwardKind(key.name), before, now)...)
			continue
		}
		if was, is := key.format(before), key.format(now); !slices.Equal(was, is) {
			changes = append(changes, Change{SectionTunnel, key.name, lines(was), lines(is), effectOf(key.name, before, now)})
		}
	}
	changes = append(changes, settingChanges(SectionSSH, before.SSH, now.SSH, EffectRedial)...)
	changes = append(changes, settingChanges(SectionUnit, before.Unit, now.Unit, EffectRestarts)...)
	return append(changes, settingChanges(SectionService, before.Service, now.Service, EffectRestarts)...)
}

// A unit that starts more often than this gives up: five crashes in a minute.
const (
	StartInterval = time.Minute
	CrashBurst    = 5
)

// StartBurst is how many starts a tunnel's unit may have within StartInterval. A tunnel that starts
// on demand and ends when idle may have more: those starts follow no crash.
func StartBurst(t Tunnel) int {
	if t.Start != StartOnDemand {
		return CrashBurst
	}
	return CrashBurst + int(StartInterval/max(t.IdleTimeout, time.Second))
}

// effectOf is the effect of a changed key of [Tunnel] other than a forward.
func effectOf(key string, before, now Tunnel) Effect {
	switch key {
	case "Destination", "Transport", "NoDelay":
		return EffectRedial
	case "Start", "IdleTimeout":
		switch {
		case StartBurst(before) != StartBurst(now):
			return EffectRestarts // both are in the unit's StartLimitBurst=
		case key == "Start" && now.Start == StartManual:
			return EffectMayStop // no person has started it
		}
	case "Metered", "OnlyOn", "NeverOn":
		return EffectMayStop
	}
	return EffectAtOnce
}

// forwardChanges is the forwards of one kind that are added, dropped or get another target.
func forwardChanges(kind ForwardKind, before, now Tunnel) []Change {
	var changes []Change
	add := func(was, is string, e Effect) {
		changes = append(changes, Change{SectionTunnel, string(kind), was, is, e})
	}
	came := forwardsBeside(kind, now, before)
	for _, f := range forwardsBeside(kind, before, now) {
		at := listeningOf(f, before)
		i := slices.IndexFunc(came, func(g Forward) bool { return listeningOf(g, now) == at })
		if i < 0 {
			add(f.Text, "", EffectDropped)
			continue
		}
		add(f.Text, came[i].Text, EffectTarget)
		came = slices.Delete(came, i, i+1)
	}
	for _, f := range came {
		add("", f.Text, EffectAdded)
	}
	return changes
}

// forwardsBeside is the forwards of one kind that one tunnel has and the other has not.
func forwardsBeside(kind ForwardKind, t, other Tunnel) []Forward {
	return slices.DeleteFunc(slices.Clone(t.Forwards), func(f Forward) bool {
		return f.Kind != kind || slices.ContainsFunc(other.Forwards, func(g Forward) bool {
			return g.Kind == kind && g.Target == f.Target && listeningOf(g, other) == listeningOf(f, t)
		})
	})
}

// listening is what two forwards have in common if they have the same listener.
type listening struct {
	at         Address
	everywhere bool // GatewayPorts, where it matters
}

func listeningOf(f Forward, t Tunnel) listening {
	return listening{f.Listen, f.Kind != RemoteForward && !f.Listen.Bind && t.Yes("GatewayPorts")}
}

// settingChanges is the keys of a section other than [Tunnel] whose values differ. If only their
// order differs, which may matter too, it is one Change of the whole section.
func settingChanges(section string, before, now []Setting, e Effect) []Change {
	var changes []Change
	seen := make(map[string]bool)
	for _, s := range slices.Concat(before, now) {
		if seen[s.Key] {
			continue
		}
		seen[s.Key] = true
		if was, is := valuesOf(s.Key, before), valuesOf(s.Key, now); !slices.Equal(was, is) {
			changes = append(changes, Change{section, s.Key, lines(was), lines(is), e})
		}
	}
	if changes == nil && !slices.EqualFunc(before, now, func(a, b Setting) bool { return a.Key == b.Key && a.Value == b.Value }) {
		return []Change{{Section: section, Effect: e}}
	}
	return changes
}

func valuesOf(key string, settings []Setting) []string {
	var values []string
	for _, s := range settings {
		if s.Key == key {
			values = append(values, s.Value)
		}
	}
	return values
}

func isForward(key string) bool {
	switch ForwardKind(key) {
	case LocalForward, RemoteForward, DynamicForward:
		return true
	}
	return false
}

func lines(values []string) string { return strings.Join(values, "\n") }
