package manager

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/holdfast/holdfast/systemdctl"
	"github.com/holdfast/holdfast/tunnelfile"
)

// Host is what there is to know of the machine besides tunnel files and units.
type Host struct {
	Scope   systemdctl.Scope
	Program string // path of holdfast-tunnel

	// Locate is the address of a tunnel's server, zero where only the DNS knows it.
	Locate func(context.Context, tunnelfile.Tunnel) netip.Addr

	// SSHConfig completes a tunnel with what ssh_config(5) says of how it listens here:
	// settings, behind those of its own [SSH], and forwards, where it names none. It may run
	// ssh. Nil: it says nothing.
	SSHConfig func(context.Context, tunnelfile.Tunnel) tunnelfile.Tunnel
}

// design is what a tunnel's units are to be.
type design struct {
	service  systemdctl.Transient
	socket   systemdctl.Transient // no name: the tunnel does not listen here
	forwards []tunnelfile.Forward // of the file, or else of ssh_config(5)
	listen   []listener
	unlink   bool // StreamLocalBindUnlink: a stale socket may be replaced
	mark     mark
}

// defaults are the settings of each service unit that [Unit] and [Service] of a tunnel
// file may replace.
var defaults = map[string][]systemdctl.Setting{
	"Unit": {
		{Key: "StartLimitIntervalSec", Value: "1min"},
	},
	"Service": {
		{Key: "RestartSec", Value: "5s"},
		{Key: "TimeoutStopSec", Value: "15s"}, // the worker lets open channels drain for 10 s
		{Key: "WatchdogSec", Value: "30s"},
		// With SIGABRT, systemd's own choice, a stopped worker runs on until it has died, and may
		// take along clients that came meanwhile.
		{Key: "WatchdogSignal", Value: "SIGKILL"},
	},
}

// sandbox is what a worker can do without, and so can ssh, a ProxyCommand, an agent
// and a command of ExecUp=: nothing here hides a file or forbids a program. In a user
// unit each of these implies NoNewPrivileges=, so none is set where a tunnel file says
// NoNewPrivileges=no, as a ProxyCommand with sudo(8) needs it.
var sandbox = []systemdctl.Setting{
	{Key: "NoNewPrivileges", Value: "yes"},
	{Key: "LockPersonality", Value: "yes"},
	{Key: "RestrictRealtime", Value: "yes"},
	{Key: "RestrictSUIDSGID", Value: "yes"},
	{Key: "RestrictAddressFamilies", Value: "AF_UNIX AF_INET AF_INET6 AF_NETLINK AF_VSOCK"},
}

// designOf turns a tunnel into its units as this machine is now. Problems are
// settings that systemd would not take, and bind addresses that are not known.
func designOf(ctx context.Context, t tunnelfile.Tunnel, h Host) (design, tunnelfile.Problems) {
	own := len(t.Forwards) > 0
	if h.SSHConfig != nil {
		t = h.SSHConfig(ctx, t)
	}
	d := design{forwards: t.Forwards, unlink: sshSetting(t, "StreamLocalBindUnlink") == "" || yes(sshSetting(t, "StreamLocalBindUnlink"))}
	var problems tunnelfile.Problems
	d.listen, problems = listenersOf(ctx, t)
	if !own { // else the file's reader has looked
		problems = append(problems, t.CheckOnDemand()...)
	}
	mode, err := socketMode(t)
	if err != nil {
		problems = append(problems, tunnelfile.Problem{Path: t.Path, Key: "StreamLocalBindMask", Message: err.Error()})
	}

	socketName := tunnelfile.SocketName(t.Name)
	streams := make([]string, len(d.listen))
	for i, l := range d.listen {
		streams[i] = l.stream()
	}
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
		TimeoutStart:             systemdctl.Infinity, // READY=1 comes when the server can be reached, be it tomorrow
		FileDescriptorStoreMax:   64,
	}
	if len(streams) > 0 {
		d.mark.socket = digest(append(streams, mode.String())...)
		socket := systemdctl.Socket{
			Description:          description(t) + " (listening sockets)",
			Slice:                tunnelfile.Slice,
			ListenStream:         streams,
			SocketMode:           mode,
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
		d.socket = systemdctl.Transient{Name: socketName, Properties: socket.Properties()}
		// The worker gets its listeners from the socket unit, which therefore comes first.
		service.Requires = []string{socketName}
		service.After = []string{socketName}
	}
	service.Environment = []string{d.mark.String()}
	if h.Scope == systemdctl.System {
		service.RuntimeDirectory = tunnelfile.UserRuntimeDir(t.User())
		service.After = append(service.After, "network.target") // and down before it
	}

	props := service.Properties()
	for _, section := range []struct {
		name     string
		settings []tunnelfile.Setting
	}{{"Unit", t.Unit}, {"Service", t.Service}} {
		own, errs := systemdctl.Properties(h.Scope, section.name, settingsOf(section.settings))
		for i, err := range errs {
			if err != nil {
				s := section.settings[i]
				problems = append(problems, tunnelfile.Problem{Path: s.Path, Line: s.Line, Key: s.Key, Message: err.Error()})
			}
		}
		base, _ := systemdctl.Properties(h.Scope, section.name, missing(baseOf(section.name, t, h.Scope), section.settings))
		props = append(append(props, base...), own...)
	}
	d.service = systemdctl.Transient{Name: tunnelfile.ServiceName(t.Name), Properties: props}
	return d, problems
}

// baseOf is the settings of a section that are in force when the file has none of its own.
func baseOf(section string, t tunnelfile.Tunnel, scope systemdctl.Scope) []systemdctl.Setting {
	base := append([]systemdctl.Setting(nil), defaults[section]...)
	switch section {
	case "Unit":
		base = append(base, systemdctl.Setting{Key: "StartLimitBurst", Value: fmt.Sprint(tunnelfile.StartBurst(t))})
	case "Service":
		if scope == systemdctl.System {
			base = append(base, systemdctl.Setting{Key: "User", Value: t.User()}) // so that HOME is set
		}
		for _, s := range t.Service {
			if s.Key == "NoNewPrivileges" && !yes(s.Value) {
				return base
			}
		}
		base = append(base, sandbox...)
	}
	return base
}

// missing is the settings of base that own does not have.
func missing(base []systemdctl.Setting, own []tunnelfile.Setting) []systemdctl.Setting {
	has := make(map[string]bool)
	for _, s := range own {
		has[s.Key] = true
	}
	var rest []systemdctl.Setting
	for _, s := range base {
		if !has[s.Key] {
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
