package tray

import (
	"fmt"
	"time"

	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/internal/text"
)

// Traffic is what went through a tunnel between two readings of its statistics.
type Traffic struct {
	At         time.Time
	Statistics dbusapi.Statistics
	In, Out    float64 // bytes a second; negative: not known yet
}

// next returns the traffic after another reading.
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

// String is one line for people.
func (t Traffic) String() string {
	in, out := text.Bytes(t.Statistics.BytesReceived), text.Bytes(t.Statistics.BytesSent)
	if t.In >= 0 {
		in, out = text.Bytes(uint64(t.In))+"/s", text.Bytes(uint64(t.Out))+"/s"
	}
	line := fmt.Sprintf("↓ %s  ↑ %s", in, out)
	if rtt := t.Statistics.RoundTripTime; rtt > 0 {
		line += " · rtt " + text.Milliseconds(rtt)
	}
	return line + " · " + text.Count(int(t.Statistics.ChannelsOpen), "connection")
}
