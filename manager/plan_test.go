package manager

import (
	"syscall"
	"testing"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/manager/design"
	"github.com/holdfast/holdfast/systemdctl"
	"github.com/holdfast/holdfast/tunnelfile"
)

// Units in the states that plan tells apart. Marks are those of planRow's design.
var (
	ours      = []string{design.Mark{Service: "s", Socket: "l"}.String()}
	up        = systemdctl.Unit{ActiveState: "active", SubState: "running", MainPID: 7, StatusText: "up: 1 forward", Environment: ours}
	silent    = systemdctl.Unit{ActiveState: "activating", SubState: "start", MainPID: 7, Job: true, Environment: ours}
	held      = systemdctl.Unit{ActiveState: "active", SubState: "running", MainPID: 7, StatusText: "offline: no network", Environment: ours}
	crashed   = systemdctl.Unit{ActiveState: "activating", SubState: "auto-restart", Environment: ours}
	dead      = systemdctl.Unit{ActiveState: "inactive", SubState: "dead", Environment: ours}
	starting  = systemdctl.Unit{ActiveState: "inactive", SubState: "dead", Job: true, Environment: ours}
	ending    = systemdctl.Unit{ActiveState: "deactivating", SubState: "stop-sigterm", MainPID: 7, Environment: ours}
	failed    = systemdctl.Unit{ActiveState: "failed", SubState: "failed", Environment: ours}
	listening = systemdctl.Unit{ActiveState: "active", SubState: "listening"}
	serving   = systemdctl.Unit{ActiveState: "active", SubState: "running"}
	badSocket = systemdctl.Unit{ActiveState: "failed", SubState: "failed", Result: "resources"}
	absent    = systemdctl.Unit{}
)

func as(u systemdctl.Unit, environment ...string) systemdctl.Unit {
	u.Environment = environment
	return u
}

// planRow is a tunnel with a local listener, as its file wants it.
func planRow(start tunnelfile.StartMode, service, socket systemdctl.Unit) *row {
	return &row{
		name: "web",
		file: &file{
			Tunnel: tunnelfile.Tunnel{Name: "web", Start: start},
			design: design.Units{Socket: systemdctl.Transient{Name: "x.socket"}, Mark: design.Mark{Service: "s", Socket: "l"}},
			hash:   "h",
		},
		seen: seen{facts: facts{service: unit{service}, socket: unit{socket}}, known: true},
	}
}

func TestPlan(t *testing.T) {
	const auto, onDemand, manual = tunnelfile.StartAuto, tunnelfile.StartOnDemand, tunnelfile.StartManual
	var (
		free      = obstacle{}
		noNetwork = obstacle{fault.Network, "no network"}
		rule      = obstacle{fault.Rule, "NeverOn=Hotel"}
		taken     = failure{fault.Listen, "in use"}
	)
	do := func(v Verb) Action { return Action{Verb: v} }
	send := func(s syscall.Signal) Action { return Action{SendSignal, s} }
	remoteOnly := func(r *row) { r.file.design.Socket.Name = ""; r.file.design.Mark.Socket = "" }
	for _, c := range []struct {
		name            string
		start           tunnelfile.StartMode
		service, socket systemdctl.Unit
		change          func(*row)
		obstacle        obstacle
		want            Action
	}{
		{"auto, nothing there", auto, absent, absent, nil, free, do(MakeService)},
		{"auto, no listeners", auto, absent, absent, remoteOnly, free, do(MakeService)},
		{"auto, no network", auto, absent, absent, nil, noNetwork, do(MakeSocket)},
		{"auto, no network, no listeners", auto, absent, absent, remoteOnly, noNetwork, Action{}},
		{"auto, the network is back", auto, dead, listening, nil, free, do(StartService)},
		{"auto, forbidden here", auto, absent, absent, nil, rule, Action{}},
		{"auto, up", auto, up, serving, nil, free, Action{}},
		{"auto, up, forbidden here", auto, up, serving, nil, rule, do(StopUnits)},
		{"auto, about to start", auto, starting, listening, nil, free, do(Wait)},
		{"auto, stopped by hand", auto, dead, absent, func(r *row) { r.stoppedElsewhere = true }, free, Action{}},
		{"auto, stopped by hand, asked for", auto, dead, absent, func(r *row) { r.stoppedElsewhere, r.retryNow = false, true }, free, do(MakeService)},
		{"auto, down", auto, up, serving, func(r *row) { r.down = true }, free, do(StopUnits)},
		{"auto, down, on its way", auto, ending, listening, func(r *row) { r.down = true }, free, do(Wait)},
		{"auto, down, units left", auto, systemdctl.Unit{Name: "x", ActiveState: "inactive"}, absent, func(r *row) { r.down = true }, free, do(Unload)},
		{"auto, down, units stay", auto, systemdctl.Unit{Name: "x", ActiveState: "inactive"}, absent, func(r *row) { r.down, r.lingers = true, true }, free, Action{}},
		{"auto, down, about to start", auto, starting, listening, func(r *row) { r.down = true }, free, do(StopUnits)},
		{"auto, down already", auto, absent, absent, func(r *row) { r.down = true }, free, Action{}},
		{"auto, down, failed before", auto, failed, absent, func(r *row) { r.down = true }, free, do(FreeNames)},

		{"on demand, nothing there", onDemand, absent, absent, nil, free, do(MakeSocket)},
		{"on demand, no network", onDemand, absent, absent, nil, noNetwork, do(MakeSocket)},
		{"on demand, listening", onDemand, dead, listening, nil, free, Action{}},
		{"on demand, in use", onDemand, up, serving, nil, free, Action{}},
		{"on demand, service failed, asked for", onDemand, failed, listening, func(r *row) { r.retryNow = true }, free, do(FreeNames)},

		{"manual, nothing there", manual, absent, absent, nil, free, Action{}},
		{"manual, started", manual, absent, absent, func(r *row) { r.started = true }, free, do(MakeService)},
		{"manual, did its work", manual, dead, listening, nil, free, do(StopUnits)},

		{"gave up", auto, failed, listening, nil, free, Action{}},
		{"gave up, asked for", auto, failed, listening, func(r *row) { r.retryNow = true }, free, do(StartService)},
		{"both gave up, asked for", auto, failed, badSocket, func(r *row) { r.retryNow = true }, free, do(MakeService)},
		{"a port may be taken", auto, dead, badSocket, nil, free, do(Diagnose)},
		{"a port is taken", auto, dead, badSocket, func(r *row) { r.failure = taken }, free, Action{}},
		{"a port was taken a while ago", auto, dead, badSocket, func(r *row) { r.failure, r.diagnose = taken, true }, free, do(Diagnose)},
		{"a port was taken, down", auto, absent, badSocket, func(r *row) { r.down, r.diagnose = true, true }, free, do(FreeNames)},
		{"a port was taken", auto, absent, absent, func(r *row) { r.retryNow = true }, free, do(MakeService)},

		{"the file is gone", auto, up, serving, func(r *row) { r.file = nil }, free, do(StopUnits)},
		{"the file is broken", auto, up, serving, func(r *row) { r.broken = true }, free, Action{}},
		{"the file is broken, never ran", auto, absent, absent, func(r *row) { r.file, r.broken = nil, true }, free, Action{}},
		{"other unit settings", auto, as(up, design.Mark{Service: "old", Socket: "l"}.String()), serving, nil, free, do(StopUnits)},
		{"other unit settings, which systemd would not take", auto, as(up, design.Mark{Service: "old", Socket: "l"}.String()), serving, func(r *row) { r.refusedDesign = r.file.design.Mark }, free, Action{}},
		{"other unit settings, ended", auto, absent, absent, func(r *row) { r.retryNow = true }, free, do(MakeService)},
		{"other listeners, running", auto, as(up, design.Mark{Service: "s", Socket: "old"}.String()), serving, nil, free, Action{}},
		{"other listeners, idle", onDemand, as(dead, design.Mark{Service: "s", Socket: "old"}.String()), listening, nil, free, do(StopUnits)},
		{"other settings", auto, up, serving, func(r *row) { r.report = &tunnelfile.Report{Settings: "old"} }, free, send(syscall.SIGHUP)},
		{"other settings, told", auto, up, serving, func(r *row) {
			r.report, r.lastSignal = &tunnelfile.Report{Settings: "old"}, lastSignal{pid: 7, file: "h"}
		}, free, Action{}},
		{"other settings, told, and changed back", auto, up, serving, func(r *row) {
			r.report, r.lastSignal = &tunnelfile.Report{Settings: "h"}, lastSignal{pid: 7, file: "wrong"}
		}, free, send(syscall.SIGHUP)},
		{"other settings, an earlier process was told", auto, up, serving, func(r *row) {
			r.report, r.lastSignal = &tunnelfile.Report{Settings: "old"}, lastSignal{pid: 6, file: "h"}
		}, free, send(syscall.SIGHUP)},

		{"up, the network goes", auto, up, serving, nil, noNetwork, send(syscall.SIGUSR2)},
		{"up, the network went", auto, up, serving, func(r *row) { r.lastSignal = lastSignal{pid: 7, suspend: true} }, noNetwork, Action{}},
		{"held, the network is back", auto, held, serving, func(r *row) { r.lastSignal = lastSignal{pid: 7, suspend: true} }, free, send(syscall.SIGUSR1)},
		{"held by an earlier daemon, the network is back", auto, held, serving, nil, free, send(syscall.SIGUSR1)},
		{"held by an earlier daemon, no network still", auto, held, serving, nil, noNetwork, send(syscall.SIGUSR2)},
		{"up, the network moved", auto, up, serving, func(r *row) { r.probe = true }, free, send(syscall.SIGUSR1)},
		{"not ready for signals", auto, silent, serving, func(r *row) { r.probe = true }, noNetwork, Action{}},
		{"crashed", auto, crashed, serving, nil, free, Action{}},
		{"crashed, the network is back", auto, crashed, serving, func(r *row) { r.probe = true }, free, do(RestartService)},
		{"crashed, no network", auto, crashed, serving, func(r *row) { r.probe = true }, noNetwork, Action{}},
		{"broken file, the network goes", auto, up, serving, func(r *row) { r.broken = true }, noNetwork, send(syscall.SIGUSR2)},

		{"reconnect", auto, up, serving, func(r *row) { r.reconnect = true }, free, send(tunnelfile.SignalReconnect)},
		{"reconnect, no network", auto, up, serving, func(r *row) { r.reconnect, r.lastSignal = true, lastSignal{pid: 7, suspend: true} }, noNetwork, Action{}},
		{"restart", auto, up, serving, func(r *row) { r.restart, r.retryNow = true, true }, free, do(RestartService)},
		{"restart what does not run", auto, absent, absent, func(r *row) { r.restart, r.retryNow = true, true }, free, do(MakeService)},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := planRow(c.start, c.service, c.socket)
			if c.change != nil {
				c.change(r)
			}
			if got := plan(r, c.obstacle); got != c.want {
				t.Errorf("got %v %v, want %v %v", got.Verb, got.Signal, c.want.Verb, c.want.Signal)
			}
		})
	}
}

// TestTake shows what is made of what others do to the units.
func TestTake(t *testing.T) {
	type result struct{ stoppedElsewhere, started, stopping bool }
	for _, c := range []struct {
		name                  string
		start                 tunnelfile.StartMode
		service, socket       systemdctl.Unit
		newService, newSocket systemdctl.Unit
		change                func(*row)
		want                  result
	}{
		{"somebody stops it", tunnelfile.StartAuto, up, serving, dead, listening, nil, result{stoppedElsewhere: true}},
		{"somebody restarts it", tunnelfile.StartAuto, up, serving, starting, listening, nil, result{}},
		{"it fails", tunnelfile.StartAuto, up, serving, failed, listening, nil, result{}},
		{"it idles out", tunnelfile.StartOnDemand, up, serving, dead, listening, nil, result{}},
		{"somebody stops the socket", tunnelfile.StartOnDemand, dead, listening, absent, absent, nil, result{stoppedElsewhere: true}},
		{"it did its work", tunnelfile.StartManual, up, serving, dead, listening, func(r *row) { r.started = true }, result{}},
		{"somebody starts it", tunnelfile.StartManual, absent, absent, up, serving, nil, result{started: true}},
		{"we stop it", tunnelfile.StartAuto, up, serving, absent, absent, func(r *row) { r.stopping = true }, result{}},
		{"we stop it, it drains", tunnelfile.StartAuto, up, serving, ending, listening, func(r *row) { r.stopping = true }, result{stopping: true}},
		{"we stop it, it starts once more", tunnelfile.StartAuto, up, serving, up, serving, func(r *row) { r.stopping = true }, result{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := planRow(c.start, c.service, c.socket)
			if c.change != nil {
				c.change(r)
			}
			r.observe(facts{service: unit{c.newService}, socket: unit{c.newSocket}})
			if got := (result{r.stoppedElsewhere, r.started, r.stopping}); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}
