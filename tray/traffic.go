package tray

import (
	"fmt"
	"time"

	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/internal/text"
)

// Traffic is what goes through a tunnel, between two looks at it.
type Traffic struct {
	At         time.Time
	Statistics dbusapi.Statistics
	In, Out    float64 // bytes a second; negative: not known yet
}

// next is the traffic after another look.
func (t Traffic) next(at time.Time, s dbusapi.Statistics) Traffic {
	n := Traffic{At: at, Statistics: s, In: -1, Out: -1}
	elapsed := at.Sub(t.At).Seconds()
	if t.At.IsZero() || elapsed <= 0 || s.BytesReceived < t.Statistics.BytesReceived || s.BytesSent < t.Statistics.BytesSent {
		return n
	}
	n.In = float64(s.BytesReceived-t.Statistics.BytesReceived) / elapsed
	n.Out = float64(s.BytesSent-t.Statistics.BytesSent) / elapsed
	return n
}

// still is the traffic when nobody looks any more: totals, and no rates that grow old.
func (t Traffic) still() Traffic {
	t.In, t.Out = -1, -1
	return t
}

// String is one line for people.
func (t Traffic) String() string {
	if t.At.IsZero() {
		return "↓ –  ↑ –"
	}
	in, out := amount(float64(t.Statistics.BytesReceived)), amount(float64(t.Statistics.BytesSent))
	if t.In >= 0 {
		in, out = amount(t.In)+"/s", amount(t.Out)+"/s"
	}
	line := fmt.Sprintf("↓ %s  ↑ %s", in, out)
	if rtt := t.Statistics.RoundTripTime; rtt > 0 {
		line += " · rtt " + text.Milliseconds(rtt)
	}
	return line + " · " + text.Count(int(t.Statistics.ChannelsOpen), "connection")
}

// amount is an amount for people, in powers of 1000 as networks count.
func amount(n float64) string {
	for _, unit := range []string{"B", "kB", "MB", "GB"} {
		if n < 999.5 {
			if n < 9.95 && unit != "B" {
				return fmt.Sprintf("%.1f %s", n, unit)
			}
			return fmt.Sprintf("%.0f %s", n, unit)
		}
		n /= 1000
	}
	return fmt.Sprintf("%.1f TB", n)
}
