package manager

import (
	"fmt"
	"reflect"
	"syscall"
	"time"

	"github.com/holdfast/holdfast/systemdctl"
	"github.com/holdfast/holdfast/tunnelfile"
)

// view is what a row shows, computed from its facts and stored nowhere.
func (r *row) view(o obstacle, now time.Time) Tunnel {
	t := Tunnel{Name: r.name, Unit: tunnelfile.ServiceName(r.name)}
	if f := r.file; f != nil {
		t.Description, t.Destination = f.Description, f.Destination
		t.FilePath, t.Text, t.StartMode = f.Path, f.Text, f.Start
		for _, forward := range f.Forwards {
			switch forward.Kind {
			case tunnelfile.LocalForward:
				t.LocalForward = append(t.LocalForward, forward.Text)
			case tunnelfile.RemoteForward:
				t.RemoteForward = append(t.RemoteForward, forward.Text)
			case tunnelfile.DynamicForward:
				t.DynamicForward = append(t.DynamicForward, forward.Text)
			}
		}
	} else {
		t.Description = r.service.Description
	}
	t.State, t.Status = r.state(o)
	if r.report != nil && r.service.MainPID != 0 {
		t.UpSince, t.NextTry = stamp(r.report.UpSince), stamp(r.report.NextTry)
		for _, f := range r.report.Forwards {
			// Counters change with each byte; they are for Statistics.
			f.ChannelsOpen, f.ChannelsTotal, f.BytesSent, f.BytesReceived = 0, 0, 0, 0
			t.Forwards = append(t.Forwards, f)
		}
	} else {
		t.Forwards = r.idleForwards(t.State)
	}
	t.StateSince = r.since(t.State, now)
	return t
}

// state is the state of the tunnel and one line for people.
func (r *row) state(o obstacle) (tunnelfile.State, string) {
	word, rest := r.serviceState()
	switch {
	case r.service.running() || r.service.ending():
		if word == tunnelfile.Offline && o.reason != "" {
			rest = o.reason // the daemon knows better than the worker why
		}
		return word, rest
	case r.problem != "":
		return tunnelfile.Failed, r.problem
	case (r.service.failed() || r.socket.failed()) && r.retry && r.wanted():
		return tunnelfile.Connecting, ""
	case r.service.failed():
		return word, rest
	case r.socket.failed():
		return tunnelfile.Failed, socketFailure(r.socket)
	case r.wanted() && o.reason != "" && !r.alone && (o.rule || !r.listens() || r.socket.running()):
		return tunnelfile.Offline, o.reason
	case r.alone && !r.socket.running():
		return tunnelfile.Inactive, "stopped by systemctl"
	}
	switch {
	case r.socket.ending(), r.socket.running() && (r.stopping || !r.wanted() && !r.broken):
		return tunnelfile.Stopping, ""
	case r.socket.running():
		return tunnelfile.Listening, ""
	}
	return tunnelfile.Inactive, ""
}

func (r *row) serviceState() (tunnelfile.State, string) {
	s := r.service
	text := s.StatusText
	if text == "" && s.failed() {
		text = tunnelfile.ExitText(tunnelfile.ExitStatus(s.ExecMainStatus))
	}
	state := tunnelfile.StateOf(s.ActiveState, s.SubState, text)
	_, rest := tunnelfile.SplitStatus(text)
	switch {
	case s.waits() && s.besideFailed():
		rest = besideFailed + "; it is started again shortly"
	case s.waits() && s.lastWords() != "":
		rest = s.lastWords() + "; it is started again shortly"
	case s.waits():
		rest = "its program ended (" + howEnded(s) + ") and is started again shortly"
	case state == tunnelfile.Failed:
		rest = r.serviceFailure()
	}
	return state, rest
}

// serviceFailure says why a service unit gave up.
func (r *row) serviceFailure() string {
	s := r.service
	why := "the program last ended with " + howEnded(s)
	if said := s.lastWords(); said != "" {
		why = said
	}
	if s.besideFailed() {
		why = besideFailed
	}
	if s.Result != "start-limit-hit" && s.NRestarts == 0 {
		return why
	}
	burst := tunnelfile.CrashBurst
	if r.file != nil {
		burst = tunnelfile.StartBurst(*r.file)
	}
	return fmt.Sprintf("gave up after %d starts in a minute; %s", burst, why)
}

const besideFailed = "a command that comes before the program, as of ExecStartPre=, failed"

// besideFailed says whether not the program but another command of the unit failed.
func (u unit) besideFailed() bool { return u.Result == "exit-code" && u.ExecMainStatus == 0 }

// lastWords is why the program ended, as it said itself; empty where it did not.
func (u unit) lastWords() string {
	if word, why := tunnelfile.SplitStatus(u.StatusText); word == tunnelfile.Failed {
		return why
	}
	return ""
}

// howEnded is how a service's program ended last, for people.
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
	// Whether the number is a status or a signal only Result tells, and a start limit hides that.
	if s.Result == "signal" || s.Result == "core-dump" {
		return fmt.Sprintf("signal %d, %v", s.ExecMainStatus, syscall.Signal(s.ExecMainStatus))
	}
	return systemdctl.ExitStatusText(s.ExecMainStatus)
}

// socketFailure says why a socket unit failed when nothing better is known.
func socketFailure(s unit) string {
	switch s.Result {
	case "service-start-limit-hit":
		return "gave up: the program could not be started"
	case "trigger-limit-hit":
		return "too many connections while the program could not take them"
	case "resources":
		return "a local address could not be listened on"
	}
	return "its socket unit failed: " + s.Result
}

// idleForwards is what is known of the forwards while no worker tells.
func (r *row) idleForwards(s tunnelfile.State) []tunnelfile.ForwardReport {
	if r.file == nil {
		return nil
	}
	var list []tunnelfile.ForwardReport
	for _, f := range r.design.forwards {
		report := tunnelfile.ForwardReport{Kind: f.Kind, Text: f.Text, Listen: f.ListenText(), Target: f.TargetText(), State: tunnelfile.Inactive}
		if r.socket.running() && f.Kind != tunnelfile.RemoteForward {
			report.State = tunnelfile.Listening
		}
		list = append(list, report)
	}
	return list
}

// since is when the tunnel came into its state: as the worker says, else since the
// table first saw it so.
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

// stamp is a time as the bus carries it: whole µs, so that equal times compare equal.
func stamp(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return time.UnixMicro(t.UnixMicro())
}

func same(a, b Tunnel) bool { return reflect.DeepEqual(a, b) }
