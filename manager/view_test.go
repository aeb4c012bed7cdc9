package manager

import (
	"reflect"
	"testing"
	"time"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/systemdctl"
	"github.com/holdfast/holdfast/tunnelfile"
)

func TestState(t *testing.T) {
	blocked := systemdctl.Unit{ActiveState: "failed", SubState: "failed", Result: "exit-code", ExecMainStatus: 77, Environment: ours}
	loop := systemdctl.Unit{ActiveState: "failed", SubState: "failed", Result: "exit-code", ExecMainStatus: 2, NRestarts: 5, Environment: ours}
	unready := crashed
	unready.Result, unready.ExecMainStatus = "exit-code", 0
	hopeless := loop
	hopeless.ExecMainStatus = 0
	killed := crashed
	killed.Result, killed.ExecMainStatus = "signal", 9
	taken := crashed // by a LocalForward of ssh_config, which no socket unit holds
	taken.StatusText = "failed: LocalForward 1: address already in use"
	gaveUp := loop
	gaveUp.StatusText = taken.StatusText
	spinning := badSocket
	spinning.Result = "trigger-limit-hit"
	for _, c := range []struct {
		name            string
		start           tunnelfile.StartMode
		service, socket systemdctl.Unit
		change          func(*row)
		obstacle        obstacle
		state           tunnelfile.State
		status          string
	}{
		{"up", tunnelfile.StartAuto, up, serving, nil, obstacle{}, tunnelfile.Up, "1 forward"},
		{"held", tunnelfile.StartAuto, held, serving, nil, obstacle{fault.Portal, "captive portal on 'Hotel'"}, tunnelfile.Offline, "captive portal on 'Hotel'"},
		{"not started for want of a network", tunnelfile.StartAuto, dead, listening, nil, obstacle{fault.Network, "no network"}, tunnelfile.Offline, "no network"},
		{"does not listen yet", tunnelfile.StartAuto, absent, absent, nil, obstacle{fault.Network, "no network"}, tunnelfile.Inactive, ""},
		{"forbidden", tunnelfile.StartAuto, absent, absent, nil, obstacle{fault.Rule, "NeverOn=Hotel: on 'Hotel' now"}, tunnelfile.Offline, "NeverOn=Hotel: on 'Hotel' now"},
		{"down, no network", tunnelfile.StartAuto, absent, absent, func(r *row) { r.down = true }, obstacle{fault.Network, "no network"}, tunnelfile.Inactive, ""},
		{"manual", tunnelfile.StartManual, absent, absent, nil, obstacle{}, tunnelfile.Inactive, ""},
		{"on demand", tunnelfile.StartOnDemand, dead, listening, nil, obstacle{}, tunnelfile.Listening, ""},
		{"going down", tunnelfile.StartAuto, ending, serving, func(r *row) { r.down = true }, obstacle{}, tunnelfile.Stopping, "1 forward"},
		{"port taken", tunnelfile.StartAuto, absent, absent, func(r *row) { r.failure = failure{fault.Listen, "LocalForward 1: address already in use"} }, obstacle{}, tunnelfile.Failed, "LocalForward 1: address already in use"},
		{"denied", tunnelfile.StartAuto, blocked, absent, nil, obstacle{}, tunnelfile.Blocked, "the server refused every way to authenticate"},
		{"crash loop", tunnelfile.StartAuto, loop, listening, nil, obstacle{}, tunnelfile.Failed, "gave up after 5 starts in a minute; the program last ended with exit status 2"},
		{"killed", tunnelfile.StartAuto, killed, serving, nil, obstacle{}, tunnelfile.Retrying, "its program ended (signal 9, killed) and is started again shortly"},
		{"port taken, no socket unit", tunnelfile.StartAuto, taken, absent, nil, obstacle{}, tunnelfile.Retrying, "LocalForward 1: address already in use; it is started again shortly"},
		{"port taken, no socket unit, gave up", tunnelfile.StartAuto, gaveUp, absent, nil, obstacle{}, tunnelfile.Failed, "gave up after 5 starts in a minute; LocalForward 1: address already in use"},
		{"ExecStartPre= fails", tunnelfile.StartAuto, unready, serving, nil, obstacle{}, tunnelfile.Retrying, preStartFailure + "; it is started again shortly"},
		{"ExecStartPre= fails on demand", tunnelfile.StartOnDemand, hopeless, spinning, func(r *row) { r.file.IdleTimeout = 10 * time.Second }, obstacle{}, tunnelfile.Failed, "gave up after 11 starts in a minute; " + preStartFailure},
		{"trigger limit", tunnelfile.StartOnDemand, dead, spinning, nil, obstacle{}, tunnelfile.Failed, "too many connections while the program could not take them"},
		{"stopped by hand", tunnelfile.StartAuto, absent, absent, func(r *row) { r.stoppedElsewhere = true }, obstacle{}, tunnelfile.Inactive, "stopped by systemctl"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.service.ActiveState == "deactivating" {
				c.service.StatusText = "up: 1 forward"
			}
			r := planRow(c.start, c.service, c.socket)
			if c.change != nil {
				c.change(r)
			}
			view := r.view(c.obstacle, time.Unix(1, 0))
			if view.State != c.state || view.Status != c.status {
				t.Errorf("%s: %s; want %s: %s", view.State, view.Status, c.state, c.status)
			}
		})
	}
}

// TestViewIsStable shows that bytes that flow are no change, and a new state is.
func TestViewIsStable(t *testing.T) {
	r := planRow(tunnelfile.StartAuto, up, serving)
	r.service.MainPID = 7
	since := time.Now()
	r.report = &tunnelfile.Report{State: tunnelfile.Up, StateSince: since, UpSince: since,
		Forwards: []tunnelfile.ForwardReport{{Kind: tunnelfile.LocalForward, BytesSent: 1}}}
	first := r.view(obstacle{}, time.Unix(1, 0))
	r.shown, r.isShown = first, true
	r.report = &tunnelfile.Report{State: tunnelfile.Up, StateSince: since, UpSince: since,
		Forwards: []tunnelfile.ForwardReport{{Kind: tunnelfile.LocalForward, BytesSent: 2}}}
	if second := r.view(obstacle{}, time.Unix(2, 0)); !reflect.DeepEqual(first, second) {
		t.Errorf("bytes made a change:\n%+v\n%+v", first, second)
	}
	if !first.StateSince.Equal(stamp(since)) || !first.UpSince.Equal(stamp(since)) {
		t.Errorf("since %v, up since %v; want %v", first.StateSince, first.UpSince, since)
	}
	r.service, r.report = unit{dead}, nil
	third := r.view(obstacle{}, time.Unix(3, 0))
	if third.State != tunnelfile.Listening || !third.StateSince.Equal(time.Unix(3, 0)) || !third.UpSince.IsZero() {
		t.Errorf("after its end: %+v", third)
	}
}
