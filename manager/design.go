package manager

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/holdfast/holdfast/internal/sockets"
	"github.com/holdfast/holdfast/netwatch"
	"github.com/holdfast/holdfast/systemdctl"
	"github.com/holdfast/holdfast/tunnelfile"
)

// Host is what there is to know of the machine besides tunnel files and units.
type Host struct {
	Scope   systemdctl.Scope
	Program string // path of holdfast-tunnel

	// Locate is the first machine on the way to a tunnel's server, as ssh_config(5) has it.
	Locate func(context.Context, tunnelfile.Tunnel) Server
	// Way is how this machine gets there on such a network.
	Way func(context.Context, Server, netwatch.State) Way

	// SSHConfig completes a tunnel with what ssh_config(5) says of how it listens here:
	// settings, behind those of its own [SSH], and forwards, where it names none. It may run
	// ssh. An error says that it cannot be known now. It is nil if ssh_config has nothing to add.
	SSHConfig func(context.Context, tunnelfile.Tunnel) (tunnelfile.Tunnel, error)
}

// design is what a tunnel's units are to be.
type design struct {
	service  systemdctl.Transient
	socket   systemdctl.Transient // no name: the tunnel does not listen here
	forwards []tunnelfile.Forward // of the file, or else of ssh_config(5)
	listen   []listener
	unlink   bool // StreamLocalBindUnlink: a stale socket may be replaced
	needsAll bool // ExitOnForwardFailure
	mode     os.FileMode
	mark     mark

	leftOut []*sockets.Error // addresses that somebody else has; only where not all are needed
	whole   mark             // what mark is with these
	unknown error            // why ssh_config(5) is not known; nil: it is

	unresolved error // why a bind address is not known; nil: all are
}

// partial says whether the tunnel has to do without some of its addresses.
func (d *design) partial() bool { return len(d.leftOut) > 0 }

// designOf turns a tunnel into its units as this machine is now. Problems are
// settings that systemd would not take, and bind addresses that are not known.
func designOf(ctx context.Context, t tunnelfile.Tunnel, h Host) (design, tunnelfile.Problems) {
	own := len(t.Forwards) > 0
	var d design
	if h.SSHConfig != nil {
		t, d.unknown = h.SSHConfig(ctx, t)
	}
	d.forwards = t.Forwards
	d.unlink, d.needsAll = t.Yes("StreamLocalBindUnlink"), t.Yes("ExitOnForwardFailure")
	var problems tunnelfile.Problems
	d.listen, problems, d.unresolved = listenersOf(ctx, t)
	if !own { // else the file's reader has looked
		problems = append(problems, t.CheckOnDemand()...)
	}
	var err error
	if d.mode, err = socketMode(t); err != nil {
		problems = append(problems, tunnelfile.Problem{Path: t.Path, Key: "StreamLocalBindMask", Message: err.Error()})
	}
	problems = append(problems, d.makeUnits(t, h)...)
	d.whole = d.mark
	return d, problems
}

// leaveOut has the units do without addresses that somebody else has.
func (d *design) leaveOut(taken []*sockets.Error, t tunnelfile.Tunnel, h Host) {
	d.leftOut = taken
	d.listen = slices.DeleteFunc(slices.Clone(d.listen), func(l listener) bool {
		// One that would listen in one family alone is left out whole: who comes by the other would meet somebody else.
		return slices.ContainsFunc(taken, func(e *sockets.Error) bool { return e.Forward.Listen == l.forward.Listen })
	})
	d.makeUnits(t, h)
}

// makeUnits makes both units, of the addresses in d.listen.
func (d *design) makeUnits(t tunnelfile.Tunnel, h Host) tunnelfile.Problems {
	d.mark = mark{service: digest(h.Program, t.Path, fmt.Sprint(settingsOf(t.Unit)), fmt.Sprint(settingsOf(t.Service)), fmt.Sprint(tunnelfile.StartBurst(t)))}
	service := systemdctl.Service{
		Description:              description(t),
		Slice:                    tunnelfile.Slice,
		ExecStart:                []string{h.Program, literal(t.Path)},
		Type:                     "notify",
		NotifyAccess:             "main",
		KillMode:                 "control-group",
		Restart:                  "always",
		RestartPreventExitStatus: []int32{int32(tunnelfile.ExitOK), int32(tunnelfile.ExitDistrusted), int32(tunnelfile.ExitDenied), int32(tunnelfile.ExitMistaken)},
		TimeoutStart:             tunnelfile.Infinity, // READY=1 comes when the server can be reached, be it tomorrow
		FileDescriptorStoreMax:   64,
	}
	if d.socket = d.makeSocket(t, h); d.socket.Name != "" {
		// The worker gets its listeners from the socket unit, which therefore comes first.
		service.Requires = []string{d.socket.Name}
		service.After = []string{d.socket.Name}
	}
	service.Environment = []string{d.mark.String()}
	if h.Scope == systemdctl.System {
		service.RuntimeDirectory = tunnelfile.UserRuntimeDir(t.User())
		service.After = append(service.After, "network.target") // and down before it
	}

	props := service.Properties()
	var problems tunnelfile.Problems
	for _, section := range []struct {
		name     string
		settings []tunnelfile.Setting
		base     []systemdctl.Setting
	}{{"Unit", t.Unit, unitBase(t)}, {"Service", t.Service, d.serviceBase(t, h.Scope)}} {
		own, errs := systemdctl.Properties(h.Scope, section.name, settingsOf(section.settings))
		for i, err := range errs {
			if err != nil {
				s := section.settings[i]
				problems = append(problems, tunnelfile.Problem{Path: s.Path, Line: s.Line, Key: s.Key, Message: err.Error()})
			}
		}
		base, _ := systemdctl.Properties(h.Scope, section.name, missing(section.base, section.settings))
		props = append(append(props, base...), own...)
	}
	d.service = systemdctl.Transient{Name: tunnelfile.ServiceName(t.Name), Properties: props}
	return append(problems, d.checkFiles(t)...)
}

// makeSocket is the socket unit; without a name if there is nothing to listen on.
func (d *design) makeSocket(t tunnelfile.Tunnel, h Host) systemdctl.Transient {
	if len(d.listen) == 0 {
		return systemdctl.Transient{}
	}
	streams := make([]string, len(d.listen))
	for i, l := range d.listen {
		streams[i] = l.stream()
	}
	d.mark.socket = digest(append(streams, d.mode.String())...)
	socket := systemdctl.Socket{
		Description:          description(t) + " (listening sockets)",
		Slice:                tunnelfile.Slice,
		ListenStream:         streams,
		SocketMode:           d.mode,
		FileDescriptorName:   "holdfast",
		RemoveOnStop:         true,
		Backlog:              4096,
		TriggerLimitInterval: 2 * time.Second,
		TriggerLimitBurst:    20,
	}
	if h.Scope == systemdctl.System {
		// Unix sockets belong to the user that serves them, as they would without a socket unit.
		socket.User, socket.Group = t.User(), lastOf(t.Service, "Group")
		d.mark.socket = digest(d.mark.socket, socket.User, socket.Group)
	}
	return systemdctl.Transient{Name: tunnelfile.SocketName(t.Name), Properties: socket.Properties()}
}

// missing is the settings of base that own does not have. What a tunnel writes to is added to
// what own says: without it nothing works.
func missing(base []systemdctl.Setting, own []tunnelfile.Setting) []systemdctl.Setting {
	has := make(map[string]bool)
	for _, s := range own {
		has[s.Key] = true
	}
	var rest []systemdctl.Setting
	for _, s := range base {
		if !has[s.Key] || s.Key == "ReadWritePaths" {
			rest = append(rest, s)
		}
	}
	return rest
}

// lastOf is the value that counts of a setting that is no list; empty: there is none.
func lastOf(list []tunnelfile.Setting, key string) string {
	value := ""
	for _, s := range list {
		if s.Key == key {
			value = s.Value
		}
	}
	return value
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

// literal keeps systemd from replacing $NAME in an argument.
func literal(arg string) string { return strings.ReplaceAll(arg, "$", "$$") }

// mark is kept in the service's own Environment=, and tells with which unit-level
// settings it was made. A new version of Holdfast that would make it otherwise is no
// reason to restart it; what a person wrote is.
type mark struct {
	service string // of the command line, [Unit] and [Service]
	socket  string // of the addresses; empty: none
}

const markVariable = "HOLDFAST_UNIT="

func (m mark) String() string { return markVariable + m.service + "." + m.socket }

// markOf is the inverse of mark.String, among the lines of a unit's Environment=.
// False: the unit is none of ours.
func markOf(environment []string) (mark, bool) {
	for _, line := range environment {
		if value, ok := strings.CutPrefix(line, markVariable); ok {
			service, socket, ok := strings.Cut(value, ".")
			return mark{service, socket}, ok
		}
	}
	return mark{}, false
}

func digest(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}
