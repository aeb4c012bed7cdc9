package tray

import (
	"slices"
	"time"

	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/tunnelfile"
)

// Pause is a while in which all tunnels are down, and are to come up again by themselves.
type Pause struct {
	Since   time.Time `json:"since"`   // zero: there is none
	Until   time.Time `json:"until"`   // zero: until somebody says so
	Tunnels []string  `json:"tunnels"` // those that are to come up again
	Down    bool      `json:"down"`    // all of them have been seen down
}

// Active says whether there is a pause.
func (p Pause) Active() bool { return !p.Since.IsZero() }

// Over says whether a pause has come to its end.
func (p Pause) Over(now time.Time) bool {
	return p.Active() && !p.Until.IsZero() && !now.Before(p.Until)
}

// after is what becomes of a pause with what is seen: it is over when somebody has started
// all of its tunnels again.
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

// nextByClock is when what is shown has to change though nothing happens: at the end of a
// pause, and at midnight, for what was today is yesterday then.
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

// pausesAt is the ways to pause.
func pausesAt(now time.Time) []pauseChoice {
	now = now.Round(0) // by the clock on the wall, which goes on while the machine sleeps
	// Who works after midnight means the same morning.
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
