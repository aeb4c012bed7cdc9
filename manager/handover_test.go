package manager

import (
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/holdfast/holdfast/systemdctl"
	"github.com/holdfast/holdfast/tunnelfile"
)

// renewing is a table in which tunnels of version 1 run, and the daemon is version 2.
func renewing(t *testing.T, status string, names ...string) *Manager {
	t.Helper()
	m := New(Config{Version: "2", RollingRestart: true, Log: slog.New(slog.DiscardHandler)})
	m.ctx = t.Context()
	for i, name := range names {
		r := m.row(name)
		r.service = unit{systemdctl.Unit{ActiveState: "active", SubState: "running", MainPID: uint32(100 + i), StatusText: status}}
		r.report = &tunnelfile.Report{Version: "1", HandsOver: true}
	}
	return m
}

// look is what a reading of all units makes of handovers.
func look(m *Manager) (begun []string) {
	for _, name := range m.names() {
		m.seeHandOver(m.rows[name])
		m.renew(m.rows[name])
	}
	m.startHandOvers()
	for _, name := range m.names() {
		if m.rows[name].handOver {
			begun = append(begun, name)
		}
	}
	return begun
}

func TestRenewing(t *testing.T) {
	var names []string
	for i := range 10 {
		names = append(names, fmt.Sprintf("t%d", i))
	}
	m := renewing(t, "up: 1 forward", names...)
	want := func(what string, names ...string) {
		t.Helper()
		if got := look(m); !slices.Equal(got, names) {
			t.Errorf("%s: %v are handed over, want %v", what, got, names)
		}
	}
	want("at first", "t0", "t1", "t2", "t3")
	want("nothing has happened", "t0", "t1", "t2", "t3")

	taken := m.rows["t1"]
	taken.service.MainPID, taken.report = 1001, &tunnelfile.Report{Version: "2", HandsOver: true}
	want("one was taken over", "t0", "t2", "t3", "t4")

	m.rows["t0"].report = &tunnelfile.Report{Version: "1", HandsOver: true, NotHandedOver: "why", NotHandedOverAt: time.Now()}
	want("one goes on with the program it has", "t2", "t3", "t4", "t5")

	m.rows["t2"].service.StatusText = "retrying [lost]: in 2 s"
	want("one has lost its connection", "t3", "t4", "t5", "t6")

	late := m.handOvers.underWay["t3"]
	late.until = time.Now()
	m.handOvers.underWay["t3"] = late
	want("one says nothing", "t4", "t5", "t6", "t7")

	delete(m.handOvers.underWay, "t4")
	delete(m.rows, "t4")
	want("one was removed", "t5", "t6", "t7", "t8")

	for _, name := range []string{"t5", "t6", "t7", "t8"} {
		m.rows[name].report = &tunnelfile.Report{Version: "2", HandsOver: true}
		m.rows[name].service.MainPID += 1000
	}
	want("four were taken over", "t9")
	m.rows["t2"].service.StatusText = "up: 1 forward"
	want("it is up again", "t2", "t9")
	m.rows["t0"].report.NotHandedOverAt = time.Now()
	want("what failed is not tried again", "t2", "t9")
}

// TestNotRenewed: who waits for a person, or cannot hand over, is left alone.
func TestNotRenewed(t *testing.T) {
	for status, change := range map[string]func(*row){
		"degraded [passphrase]: 1 of 2 connections": nil,
		"blocked [denied]: it refuses":              nil,
		"retrying [unreachable]: in 8 s":            nil,
		"up: 1 forward":                             func(r *row) { r.report.HandsOver = false },
		"up: 2 forwards":                            func(r *row) { r.report.Version = "2" },
		"up: 3 forwards":                            func(r *row) { r.report = nil },
	} {
		m := renewing(t, status, "a")
		if change != nil {
			change(m.rows["a"])
		}
		if got := look(m); len(got) > 0 {
			t.Errorf("%s: it is handed over", status)
		}
	}
	m := renewing(t, "degraded [remote-listen]: RemoteForward 9090", "a")
	if got := look(m); len(got) != 1 {
		t.Error("a tunnel that is degraded, and needs nobody, is not handed over")
	}
	m = renewing(t, "up: 1 forward", "a")
	m.RollingRestart = false
	if got := look(m); len(got) > 0 {
		t.Error("it is handed over although nobody asked")
	}
}
