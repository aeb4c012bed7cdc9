package worker

import (
	"fmt"
	"slices"
	"time"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/sshlink"
	"github.com/holdfast/holdfast/tunnelfile"
	"github.com/holdfast/holdfast/worker/keeper"
	"github.com/holdfast/holdfast/worker/pool"
)

// describe computes the tunnel's status from the status of its links and of its forwards. rtt is
// the round trip to show, 0 for none.
func describe(s pool.Status, forwards []tunnelfile.ForwardReport, rtt time.Duration) tunnelfile.Status {
	slow := slices.ContainsFunc(forwards, func(f tunnelfile.ForwardReport) bool { return f.Reason == fault.SlowAnswer })
	if s.State != tunnelfile.Up && !(s.State == tunnelfile.Connecting && s.Link != nil && slow) {
		return tunnelfile.Status{State: s.State, Reason: s.Reason, Text: s.Text}
	}
	if i := slices.IndexFunc(forwards, func(f tunnelfile.ForwardReport) bool { return f.State == tunnelfile.Degraded }); i >= 0 {
		bad := forwards[i]
		line := fmt.Sprintf("%s %s: %s", bad.Kind, bad.Text, bad.Message)
		if more := count(forwards, tunnelfile.Degraded) - 1; more > 0 {
			line += fmt.Sprintf(" (and %d more of %d forwards)", more, len(forwards))
		}
		return tunnelfile.Status{State: tunnelfile.Degraded, Reason: bad.Reason, Text: line}
	}
	if s.Problem != "" {
		return tunnelfile.Status{
			State: tunnelfile.Degraded, Reason: fault.Connections,
			Text: fmt.Sprintf("%d of %d connections, %s", s.Up, s.Wanted, s.Problem),
		}
	}
	line := text.Count(len(forwards), "forward")
	if waiting := count(forwards, tunnelfile.Retrying); waiting > 0 {
		line += fmt.Sprintf(", %d of them not there yet", waiting)
	}
	switch {
	case s.Up < s.Wanted:
		line += fmt.Sprintf(", %d of %d connections so far", s.Up, s.Wanted)
	case s.Refused != nil:
		line += ", " + text.Count(s.Wanted, "connection") + ", no further one to be had"
	case s.Wanted > 1:
		line += fmt.Sprintf(", %d connections", s.Wanted)
	}
	if rtt > 0 {
		line += ", rtt " + text.Milliseconds(rtt)
	}
	if i := slices.IndexFunc(forwards, func(f tunnelfile.ForwardReport) bool { return f.Failures > 0 }); i >= 0 {
		f := forwards[i]
		line += fmt.Sprintf("; %s %s: %s", f.Kind, f.Listen, f.Message) // the message names the target
	}
	return tunnelfile.Status{State: tunnelfile.Up, Text: line}
}

func count(forwards []tunnelfile.ForwardReport, state tunnelfile.State) (n int) {
	for _, f := range forwards {
		if f.State == state {
			n++
		}
	}
	return n
}

// allUp says whether the link and every forward are up.
func allUp(s keeper.Status, forwards []tunnelfile.ForwardReport) bool {
	return s.State == tunnelfile.Up && count(forwards, tunnelfile.Up) == len(forwards)
}

// transportNote names the transport of the link, if it is not the native one.
func transportNote(s keeper.Status) string {
	if link, ok := s.Link.(sshlink.Link); ok && link.Info().Transport == tunnelfile.TransportOpenSSH {
		return "openssh transport"
	}
	return ""
}

// steadyWithin is the difference up to which a new round trip is not shown, whatever the ratio:
// on a local network a busy machine turns 0.2 ms into 2 ms and back.
const steadyWithin = 10 * time.Millisecond

// steadyRTT returns the round trip to show. It changes only when the measured one is more than twice
// or less than half of the shown one, and differs by more than steadyWithin. A status that changed
// with each keepalive would wake up everybody who watches the unit, for nothing.
func steadyRTT(shown, measured time.Duration) time.Duration {
	if shown == 0 || measured == 0 {
		return measured
	}
	if differs := measured > 2*shown || measured < shown/2; differs && (measured-shown).Abs() > steadyWithin {
		return measured
	}
	return shown
}
