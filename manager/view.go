package manager

import (
	"cmp"
	"fmt"
	"syscall"
	"time"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/systemdctl"
	"github.com/holdfast/holdfast/tunnelfile"
)

// view is what a row publishes. It is computed from the row, never stored.
func (r *row) view(o obstacle, now time.Time) listing.Tunnel {
	t := listing.Tunnel{Name: r.name, Unit: tunnelfile.ServiceName(r.name)}
	if f := r.file; f != nil {
		t.Description, t.Destination = f.Description, f.Destination
		t.FilePath, t.Text, t.StartMode, t.Tags = f.Path, f.Text, f.Start, f.Tags
		t.LocalForward, t.RemoteForward = f.Written(tunnelfile.LocalForward), f.Written(tunnelfile.RemoteForward)
		t.DynamicForward = f.Written(tunnelfile.DynamicForward)
	} else {
		t.Description = r.service.Description
	}
	s := r.status(o)
	t.State, t.Reason, t.Status = s.State, s.Reason, s.Text
	if r.report != nil && r.service.MainPID != 0 {
		t.WorkerVersion = r.report.Version
		t.UpSince, t.NextTry = stamp(r.report.UpSince), stamp(r.report.NextTry)
		for _, f := range r.report.Forwards {
			// Counters change with each byte, so they are for Statistics alone.
			f.ChannelsOpen, f.ChannelsTotal, f.Refused, f.BytesSent, f.BytesReceived = 0, 0, 0, 0, 0
			t.Forwards = append(t.Forwards, f)
		}
	} else {
		t.Forwards = r.idleForwards(t.State)
	}
	t.StateSince = r.since(t.State, now)
	return t
}

// status is the state of the tunnel, with its reason and a text for people.
func (r *row) status(o obstacle) tunnelfile.Status {
	service := r.serviceStatus()
	switch {
	case r.service.running() || r.service.ending():
		if service.State == tunnelfile.Offline && o.blocks() {
			service.Reason, service.Text = o.why, o.text // the daemon knows more of the network than the worker
		}
		return service
	case r.failure != (failure{}):
		return tunnelfile.Status{State: tunnelfile.Failed, Reason: r.failure.reason, Text: r.failure.text}
	case (r.service.failed() || r.socket.failed()) && r.retryNow && r.wanted():
		return tunnelfile.Status{State: tunnelfile.Connecting}
	case r.service.failed():
		return service
	case r.socket.failed():
		return socketFailure(r.socket)
	case r.wanted() && o.blocks() && !r.stoppedElsewhere && (o.why == fault.Rule || !r.listens() || r.socket.running()):
		return tunnelfile.Status{State: tunnelfile.Offline, Reason: o.why, Text: o.text}
	case r.stoppedElsewhere && !r.socket.running():
		return tunnelfile.Status{State: tunnelfile.Inactive, Text: "stopped by systemctl"}
	}
	switch {
	case r.socket.ending(), r.socket.running() && (r.stopping || !r.wanted() && !r.broken):
		return tunnelfile.Status{State: tunnelfile.Stopping}
	case r.socket.running() && r.file != nil && r.file.design.Partial():
		return tunnelfile.Status{State: tunnelfile.Listening, Reason: fault.Listen, Text: r.file.design.LeftOut[0].Error()}
	case r.socket.running():
		return tunnelfile.Status{State: tunnelfile.Listening}
	}
	return tunnelfile.Status{State: tunnelfile.Inactive}
}

// serviceStatus is the status by the service unit alone.
func (r *row) serviceStatus() tunnelfile.Status {
	u := r.service
	line := u.StatusText
	if line == "" && u.failed() {
		line = tunnelfile.ExitText(tunnelfile.ExitStatus(u.ExecMainStatus))
	}
	s := tunnelfile.ParseStatus(line)
	s.State = tunnelfile.StateOf(u.ActiveState, u.SubState, line)
	switch {
	case u.waits() && u.preStartFailed():
		s.Reason, s.Text = fault.Crashed, preStartFailure+"; it is started again shortly"
	case u.waits() && u.lastWords().Text != "":
		last := u.lastWords()
		s.Reason, s.Text = last.Reason, last.Text+"; it is started again shortly"
	case u.waits():
		s.Reason, s.Text = fault.Crashed, "its program ended ("+howEnded(u)+") and is started again shortly"
	case s.State == tunnelfile.Failed:
		return r.serviceFailure()
	}
	return s
}

// serviceFailure is the status of a service unit that gave up.
func (r *row) serviceFailure() tunnelfile.Status {
	u := r.service
	s := tunnelfile.Status{State: tunnelfile.Failed, Reason: fault.Crashed, Text: "the program last ended with " + howEnded(u)}
	if last := u.lastWords(); last.Text != "" {
		s.Reason, s.Text = cmp.Or(last.Reason, fault.Crashed), last.Text
	}
	if u.preStartFailed() {
		s.Reason, s.Text = fault.Crashed, preStartFailure
	}
	if u.Result != "start-limit-hit" && u.NRestarts == 0 {
		return s
	}
	burst := tunnelfile.CrashBurst
	if r.file != nil {
		burst = tunnelfile.StartBurst(r.file.Tunnel)
	}
	s.Text = fmt.Sprintf("gave up after %d starts in a minute; %s", burst, s.Text)
	return s
}

const preStartFailure = "a command that comes before the program, as of ExecStartPre=, failed"

// preStartFailed says whether a command that runs before the program failed.
func (u unit) preStartFailed() bool { return u.Result == "exit-code" && u.ExecMainStatus == 0 }

// lastWords is why the program ended, by its own last status; the zero Status if it did not say.
func (u unit) lastWords() tunnelfile.Status {
	if s := tunnelfile.ParseStatus(u.StatusText); s.State == tunnelfile.Failed {
		return s
	}
	return tunnelfile.Status{}
}

// howEnded is how a service's program ended, for people.
func howEnded(s unit) string {
	switch s.Result {
	case "watchdog":
		return "no sign of life for WatchdogSec"
	case "oom-kill":
		return "no memory left for it"
	case "timeout":
		return "a timeout"
	case "resources":
		return "no resources to start it"
	}
	// Only Result says whether the number is a status or a signal. After a start limit was hit, it
	// does not.
	if s.Result == "signal" || s.Result == "core-dump" {
		return fmt.Sprintf("signal %d, %v", s.ExecMainStatus, syscall.Signal(s.ExecMainStatus))
	}
	return systemdctl.ExitStatusText(s.ExecMainStatus)
}

// socketFailure is the status of a socket unit that failed, if nothing better is known.
func socketFailure(u unit) tunnelfile.Status {
	s := tunnelfile.Status{State: tunnelfile.Failed, Reason: fault.Crashed}
	switch u.Result {
	case "service-start-limit-hit":
		s.Text = "gave up: the program could not be started"
	case "trigger-limit-hit":
		s.Text = "too many connections while the program could not take them"
	case "resources":
		s.Reason, s.Text = fault.Listen, "a local address could not be listened on"
	default:
		s.Text = "its socket unit failed: " + u.Result
	}
	return s
}

// idleForwards is what is known of the forwards while no worker reports.
func (r *row) idleForwards(s tunnelfile.State) []tunnelfile.ForwardReport {
	if r.file == nil {
		return nil
	}
	var list []tunnelfile.ForwardReport
	for _, f := range r.file.design.Forwards {
		report := tunnelfile.ForwardReport{Kind: f.Kind, Text: f.Text, Listen: f.ListenText(), Target: f.TargetText(), State: tunnelfile.Inactive}
		if r.socket.running() && f.Kind != tunnelfile.RemoteForward {
			report.State = tunnelfile.Listening
		}
		list = append(list, report)
	}
	return list
}

// since is when the tunnel came into its state: as the worker reports, else when the table first
// observed it.
func (r *row) since(s tunnelfile.State, now time.Time) time.Time {
	switch {
	case r.report != nil && r.service.MainPID != 0 && r.report.State == s && !r.report.StateSince.IsZero():
		return stamp(r.report.StateSince)
	case r.isShown && r.shown.State == s:
		return r.shown.StateSince
	case !r.isShown && !r.service.StateChange.IsZero():
		return stamp(r.service.StateChange)
	}
	return stamp(now)
}

// stamp is a time in whole µs, as the bus carries it, so that equal times compare equal.
func stamp(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return time.UnixMicro(t.UnixMicro())
}
