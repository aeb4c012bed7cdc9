package tray

import (
	"slices"
	"time"

	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/tunnelfile"
)

// Pause is a time in which all tunnels are stopped. Afterwards they start by themselves.
type Pause struct {
	Since   time.Time `json:"since"`   // zero: no pause
	Until   time.Time `json:"until"`   // zero: until a person ends it
	Tunnels []string  `json:"tunnels"` // those to start afterwards
	Down    bool      `json:"down"`    // all of them have been seen stopped
}

// Active says whether there is a pause.
func (p Pause) Active() bool { return !p.Since.IsZero() }

// Over reports whether a pause has reached its end.
func (p Pause) Over(now time.Time) bool {
	return p.Active() && !p.Until.IsZero() && !now.Before(p.Until)
}

// after returns the pause after a snapshot. The pause is over if somebody has started all of its
// tunnels.
func (p Pause) after(s dbusapi.Snapshot) Pause {
	if !p.Active() || !s.Running {
		return p
	}
	up, down := 0, 0
	for _, t := range s.Tunnels {
		switch {
		case !slices.Contains(p.Tunnels, t.Name):
		case t.State == tunnelfile.Inactive:
			down++
		default:
			up++
		}
	}
	switch {
	case p.Down && down == 0:
		return Pause{}
	case up == 0 && down > 0:
		p.Down = true
	}
	return p
}

// nextByClock returns when the menu changes although nothing happens: at the end of a pause, and at
// midnight, when a time of today becomes one of yesterday.
func nextByClock(p Pause, now time.Time) time.Time {
	next := time.Date(now.Year(), now.Month(), now.Day()+1, 0, 0, 0, 0, now.Location())
	if p.Active() && !p.Until.IsZero() && p.Until.Before(next) {
		next = p.Until
	}
	return next
}

func (p Pause) label(now time.Time) string {
	if p.Until.IsZero() {
		return "since " + clock(p.Since, now)
	}
	return "until " + clock(p.Until, now)
}

// pauseChoice is one way to pause.
type pauseChoice struct {
	verb, label string
	until       time.Time // zero: open end
}

// pausesAt returns the ways to pause at this time.
func pausesAt(now time.Time) []pauseChoice {
	now = now.Round(0) // drop the monotonic clock, which does not advance while the machine sleeps
	// After midnight, "in the morning" means the same day.
	morning := time.Date(now.Year(), now.Month(), now.Day(), 8, 0, 0, 0, now.Location())
	if !morning.After(now) {
		morning = morning.AddDate(0, 0, 1)
	}
	return []pauseChoice{
		{"15m", "Pause for 15 minutes", now.Add(15 * time.Minute)},
		{"1h", "Pause for an hour", now.Add(time.Hour)},
		{"morning", "Pause until 8:00 in the morning", morning},
		{"open", "Pause until I say so", time.Time{}},
	}
}
