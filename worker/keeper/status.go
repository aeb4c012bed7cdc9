package keeper

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/tunnelfile"
)

// Status is the state of a keeper.
type Status struct {
	State      tunnelfile.State // Connecting, Up, Degraded (up, but suspect), Retrying, Offline (maybe with a link) or Blocked
	Reason     fault.Reason     // why the link is not well; None if State is Up or Connecting
	Text       string           // for people; empty if State is Up
	Err        error            // the last failure; nil if State is Up
	NextTry    time.Time        // zero: none planned
	Link       Link             // in use; nil: none
	UpSince    time.Time        // when the link in use was established
	RTT        time.Duration    // last measured; 0: not known
	Reconnects uint64           // how many links after the first
	Complete   bool             // the link in use has the forwards, and no other is wanted
}

// status computes the status.
func (k *Keeper) status() Status {
	s := k.describe()
	switch s.State {
	case tunnelfile.Offline:
		s.Reason = fault.Network
	case tunnelfile.Degraded:
		s.Reason = cmp.Or(fault.ReasonOf(s.Err), fault.Lost)
	case tunnelfile.Retrying:
		s.Reason = cmp.Or(fault.ReasonOf(k.lastErr), fault.Unreachable)
	case tunnelfile.Blocked:
		s.Reason = cmp.Or(fault.ReasonOf(k.lastErr), fault.Settings)
	}
	return s
}

// describe computes the status without its Reason.
func (k *Keeper) describe() Status {
	s := Status{Err: k.lastErr, Reconnects: k.reconnects}
	if m := k.link; m != nil {
		s.Link, s.UpSince, s.RTT, s.State = m.link, m.since, k.rtt, tunnelfile.Up
		s.Complete = m.used && !k.needs()
		switch {
		case !m.used && !slices.ContainsFunc(k.old, func(o *managedLink) bool { return o.used }):
			s.State, s.Text = tunnelfile.Connecting, "logged in, the forwards follow"
		case k.suspended:
			s.State, s.Text = tunnelfile.Offline, "no network, the connection is kept in case it comes back soon"
		case m.suspect:
			s.State, s.Text = tunnelfile.Degraded, "the server does not answer, connecting anew"
			if k.lastErr != nil {
				s.Text += ": " + k.lastErr.Error()
			}
		case k.wanted && k.lastErr != nil:
			s.State, s.Text = tunnelfile.Degraded, "a new connection cannot be made, the old one is kept: "+k.lastErr.Error()
		default:
			s.Err = nil
		}
		return s
	}
	switch {
	case k.blocked:
		s.State, s.Text, s.NextTry = tunnelfile.Blocked, k.lastErr.Error(), k.nextTry
		if !k.nextTry.IsZero() {
			s.Text += fmt.Sprintf(" (tried again every %s)", tunnelfile.FormatSpan(k.policy.RetryDenied))
		}
	case k.suspended:
		s.State, s.Text = tunnelfile.Offline, "no network"
	case k.lastErr != nil && k.rapid:
		// Attempts follow each other so fast that the time of the next one is not worth showing.
		s.State, s.Text = tunnelfile.Retrying, k.lastErr.Error()
	case k.attempt != nil || k.lastErr == nil:
		s.State, s.Text = tunnelfile.Connecting, k.policy.Address
	default:
		s.State, s.NextTry = tunnelfile.Retrying, k.nextTry
		s.Text = fmt.Sprintf("in %s, %s", seconds(k.plannedWait), k.lastErr)
	}
	return s
}

// seconds rounds a wait for people to whole seconds, at least one.
func seconds(d time.Duration) time.Duration { return max(d.Round(time.Second), time.Second) }

// differs says whether s must be published after t. A difference of Err alone does not count.
func (s Status) differs(t Status) bool {
	s.Err, t.Err = nil, nil
	return s != t
}
