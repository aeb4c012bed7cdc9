// Package design decides what the units of a tunnel are to be: from its file, from ssh_config(5),
// and from this machine as it is now.
//
// It looks at the machine and changes nothing; package manager makes the units.
package design

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/internal/sockets"
	"github.com/holdfast/holdfast/systemdctl"
	"github.com/holdfast/holdfast/tunnelfile"
)

// Host is what the units depend on besides the tunnel's file.
type Host struct {
	Scope   systemdctl.Scope
	Program string // path of holdfast-tunnel

	// SSHConfig completes a tunnel with what ssh_config(5) says of how it listens here:
	// settings, behind those of its own [SSH], and forwards, if it names none. It may run ssh.
	// An error says that this cannot be known now. It is nil if ssh_config has nothing to add.
	SSHConfig func(context.Context, tunnelfile.Tunnel) (tunnelfile.Tunnel, error)
}

// Units is the service and the socket of a tunnel as they are to be.
type Units struct {
	Service  systemdctl.Transient
	Socket   systemdctl.Transient // no name: the tunnel does not listen here
	Forwards []tunnelfile.Forward // of the file, or else of ssh_config(5)
	Listen   []Listener
	Mark     Mark

	LeftOut   []*sockets.Error // addresses that somebody else has; only if not all are needed
	WholeMark Mark             // the Mark with the addresses in LeftOut
	Unknown   error            // why ssh_config(5) is not known; nil if it is

	unresolved error // why a bind address is not known; nil if all are
	unlink     bool  // StreamLocalBindUnlink: a stale socket may be replaced
	needsAll   bool  // ExitOnForwardFailure
	mode       os.FileMode
}

// Partial says whether the tunnel has to do without some of its addresses.
func (u *Units) Partial() bool { return len(u.LeftOut) > 0 }

// Of returns the units of a tunnel as this machine is now. Problems are settings that systemd
// does not take, and bind addresses that do not exist.
func Of(ctx context.Context, t tunnelfile.Tunnel, h Host) (Units, tunnelfile.Problems) {
	ownForwards := len(t.Forwards) > 0
	var u Units
	if h.SSHConfig != nil {
		t, u.Unknown = h.SSHConfig(ctx, t)
	}
	u.Forwards = t.Forwards
	u.unlink, u.needsAll = t.Yes("StreamLocalBindUnlink"), t.Yes("ExitOnForwardFailure")
	var problems tunnelfile.Problems
	u.Listen, problems, u.unresolved = listenersOf(ctx, t)
	if !ownForwards { // those of the file were checked when it was read
		problems = append(problems, t.CheckOnDemand()...)
	}
	var err error
	if u.mode, err = socketMode(t); err != nil {
		problems = append(problems, tunnelfile.Problem{Path: t.Path, Key: "StreamLocalBindMask", Message: err.Error()})
	}
	problems = append(problems, u.build(t, h)...)
	u.WholeMark = u.Mark
	return u, problems
}

// Renewed is Of for a tunnel that had units before: addresses that are in use by somebody else,
// and were left out, stay left out.
func (u Units) Renewed(ctx context.Context, t tunnelfile.Tunnel, h Host) (Units, error) {
	now, problems := Of(ctx, t, h)
	switch {
	case len(problems) > 0:
		return u, fault.Wrap(fault.Settings, problems, "the tunnel file")
	case now.unresolved != nil:
		return u, now.unresolved
	case now.Unknown != nil:
		return u, nil
	}
	var taken []*sockets.Error
	for _, e := range u.LeftOut {
		if err := e.Address.Free(ctx, now.unlink); err != nil {
			taken = append(taken, sockets.Explain(e.Forward, e.Address, err))
		}
	}
	if len(taken) > 0 {
		now.leaveOut(taken, t, h)
	}
	return now, nil
}

// WithoutTaken returns the units without the addresses that somebody else has now. It is an
// error if the tunnel needs them all.
func (u Units) WithoutTaken(ctx context.Context, t tunnelfile.Tunnel, h Host) (Units, error) {
	var taken []*sockets.Error
	for _, l := range u.Listen {
		if err := l.free(ctx, u.unlink); err != nil {
			if u.needsAll {
				return u, err
			}
			taken = append(taken, err)
		}
	}
	if len(taken) > 0 {
		u.leaveOut(append(taken, u.LeftOut...), t, h)
	}
	return u, nil
}

// leaveOut makes the units without addresses that somebody else has.
func (u *Units) leaveOut(taken []*sockets.Error, t tunnelfile.Tunnel, h Host) {
	u.LeftOut = taken
	u.Listen = slices.DeleteFunc(slices.Clone(u.Listen), func(l Listener) bool {
		// A forward that could listen in one address family alone is left out whole: a client
		// that comes by the other family would meet somebody else.
		return slices.ContainsFunc(taken, func(e *sockets.Error) bool { return e.Forward.Listen == l.forward.Listen })
	})
	u.build(t, h)
}

// CheckPaths says why a unix socket cannot be made: a socket unit removes whatever lies at its
// path, even if a process listens there.
func (u *Units) CheckPaths(ctx context.Context) error {
	for _, l := range u.Listen {
		if l.Network != "unix" {
			continue
		}
		if err := l.free(ctx, u.unlink); err != nil {
			return err
		}
	}
	return nil
}

// build makes both units, from the addresses in u.Listen.
func (u *Units) build(t tunnelfile.Tunnel, h Host) tunnelfile.Problems {
	u.Mark = Mark{Service: digest(h.Program, t.Path, fmt.Sprint(settingsOf(t.Unit)), fmt.Sprint(settingsOf(t.Service)), fmt.Sprint(tunnelfile.StartBurst(t)))}
	service := systemdctl.Service{
		Description:              description(t),
		Slice:                    tunnelfile.Slice,
		ExecStart:                []string{h.Program, strings.ReplaceAll(t.Path, "$", "$$")}, // systemd replaces $NAME
		Type:                     "notify",
		NotifyAccess:             "main",
		KillMode:                 "control-group",
		Restart:                  "always",
		RestartPreventExitStatus: []int32{int32(tunnelfile.ExitOK), int32(tunnelfile.ExitDistrusted), int32(tunnelfile.ExitDenied), int32(tunnelfile.ExitMistaken)},
		TimeoutStart:             tunnelfile.Infinity, // READY=1 comes when the server can be reached, be it tomorrow
		FileDescriptorStoreMax:   64,
	}
	if u.Socket = u.socket(t, h); u.Socket.Name != "" {
		// The worker gets its listeners from the socket unit, which therefore comes first.
		service.Requires = []string{u.Socket.Name}
		service.After = []string{u.Socket.Name}
	}
	service.Environment = []string{u.Mark.String()}
	if h.Scope == systemdctl.System {
		service.RuntimeDirectory = tunnelfile.UserRuntimeDir(t.User())
		service.After = append(service.After, "network.target") // and stopped before it
	}

	props := service.Properties()
	var problems tunnelfile.Problems
	for _, section := range []struct {
		name     string
		settings []tunnelfile.Setting
		defaults []systemdctl.Setting
	}{{"Unit", t.Unit, unitDefaults(t)}, {"Service", t.Service, u.serviceDefaults(t, h.Scope)}} {
		own, errs := systemdctl.Properties(h.Scope, section.name, settingsOf(section.settings))
		for i, err := range errs {
			if err != nil {
				s := section.settings[i]
				problems = append(problems, tunnelfile.Problem{Path: s.Path, Line: s.Line, Key: s.Key, Message: err.Error()})
			}
		}
		defaults, _ := systemdctl.Properties(h.Scope, section.name, missing(section.defaults, section.settings))
		props = slices.Concat(props, defaults, own)
	}
	u.Service = systemdctl.Transient{Name: tunnelfile.ServiceName(t.Name), Properties: props}
	return append(problems, u.checkFiles(t)...)
}

// socket is the socket unit. It has no name if there is nothing to listen on.
func (u *Units) socket(t tunnelfile.Tunnel, h Host) systemdctl.Transient {
	if len(u.Listen) == 0 {
		return systemdctl.Transient{}
	}
	streams := make([]string, len(u.Listen))
	for i, l := range u.Listen {
		streams[i] = l.stream()
	}
	u.Mark.Socket = digest(append(streams, u.mode.String())...)
	socket := systemdctl.Socket{
		Description:          description(t) + " (listening sockets)",
		Slice:                tunnelfile.Slice,
		ListenStream:         streams,
		SocketMode:           u.mode,
		FileDescriptorName:   "holdfast",
		RemoveOnStop:         true,
		Backlog:              4096,
		TriggerLimitInterval: 2 * time.Second,
		TriggerLimitBurst:    20,
	}
	if h.Scope == systemdctl.System {
		// Unix sockets belong to the user that serves them, as they would without a socket unit.
		socket.User, socket.Group = t.User(), t.ServiceSetting("Group").Value
		u.Mark.Socket = digest(u.Mark.Socket, socket.User, socket.Group)
	}
	return systemdctl.Transient{Name: tunnelfile.SocketName(t.Name), Properties: socket.Properties()}
}

// unitDefaults is the settings of [Unit] that a tunnel file may replace.
func unitDefaults(t tunnelfile.Tunnel) []systemdctl.Setting {
	return lines("StartLimitIntervalSec=1min", "StartLimitBurst="+strconv.Itoa(tunnelfile.StartBurst(t)))
}

// missing returns the defaults that the file does not replace. ReadWritePaths of the file are added
// to ours: without the paths that a tunnel writes to, nothing works.
func missing(defaults []systemdctl.Setting, own []tunnelfile.Setting) []systemdctl.Setting {
	return slices.DeleteFunc(defaults, func(b systemdctl.Setting) bool {
		return b.Key != "ReadWritePaths" && slices.ContainsFunc(own, func(s tunnelfile.Setting) bool { return s.Key == b.Key })
	})
}

func settingsOf(list []tunnelfile.Setting) []systemdctl.Setting {
	settings := make([]systemdctl.Setting, len(list))
	for i, s := range list {
		settings[i] = systemdctl.Setting{Key: s.Key, Value: s.Value}
	}
	return settings
}

func description(t tunnelfile.Tunnel) string {
	if t.Description == "" || t.Description == t.Destination {
		return "SSH tunnel " + t.Name + " to " + t.Destination
	}
	return "SSH tunnel " + t.Name + ": " + t.Description
}

// Mark says with which unit-level settings a service was made; the service has it in its
// Environment=. Only what a person wrote counts: a new version of Holdfast that would make the
// unit in another way is no reason to restart it.
type Mark struct {
	Service string // of the command line, [Unit] and [Service]
	Socket  string // of the addresses; "" if there are none
}

const markVariable = "HOLDFAST_UNIT="

// String is the Mark as a line of Environment=.
func (m Mark) String() string { return markVariable + m.Service + "." + m.Socket }

// MarkOf is the inverse of Mark.String: it finds the Mark in a unit's Environment=. It is false
// if the unit is none of ours.
func MarkOf(environment []string) (Mark, bool) {
	for _, line := range environment {
		if value, ok := strings.CutPrefix(line, markVariable); ok {
			service, socket, ok := strings.Cut(value, ".")
			return Mark{service, socket}, ok
		}
	}
	return Mark{}, false
}

func digest(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}
