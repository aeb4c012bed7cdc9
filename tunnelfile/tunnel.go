package tunnelfile

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/holdfast/holdfast/internal/fault"
)

// Tunnel is one tunnel file, its drop-ins merged in and its defaults filled in.
type Tunnel struct {
	Name    string
	Path    string   // of the NAME.tunnel file; "" if parsed from text alone
	DropIns []string // paths of the drop-ins that were merged, in order
	Text    string   // of the NAME.tunnel file, unchanged

	Description string // one line for people; Destination if not given
	Destination string // what ssh(1) takes: alias, user@host, ssh://user@host:port
	Forwards    []Forward

	Start       StartMode
	IdleTimeout time.Duration
	HoldTimeout time.Duration
	MaxHeld     int
	AllowUsers  string   // "any" or "self"
	Connections int      // 0: auto, as many as are needed up to MaxAutoConnections
	Tags        []string // in the order written, each once
	GateTime    time.Duration
	RetryMax    time.Duration
	Transport   Transport
	ExecUp      [][]string // argv each
	ExecDown    [][]string
	Check       string        // "none" or "connect"
	MaxChannels int           // 0 for as many as LimitNOFILE= allows
	RetryDenied time.Duration // 0 for never
	NoDelay     bool          // the server is to send small packets at once
	Metered     bool
	OnlyOn      []string // globs over NetworkManager connection ids
	NeverOn     []string

	SSH     []Setting // [SSH]: any ssh_config(5) keyword, in the order written
	Unit    []Setting // [Unit], handed on to the transient units
	Service []Setting // [Service], handed on to the transient service

	written []Setting // the assignments in [Tunnel] that count, for InForce
}

// ServiceSetting returns the line of [Service] that counts for a key that has one value: the last
// one; the zero Setting if there is none.
func (t Tunnel) ServiceSetting(key string) Setting {
	for _, s := range slices.Backward(t.Service) {
		if s.Key == key {
			return s
		}
	}
	return Setting{}
}

// User is the user that a tunnel of the system runs as: User= of its [Service], or root.
func (t Tunnel) User() string { return cmp.Or(t.ServiceSetting("User").Value, "root") }

// Written are the forwards of one kind, as the file spells them.
func (t Tunnel) Written(kind ForwardKind) []string {
	var texts []string
	for _, f := range t.Forwards {
		if f.Kind == kind {
			texts = append(texts, f.Text)
		}
	}
	return texts
}

// Setting is one KEY=VALUE line, with its path and line for messages.
type Setting struct {
	Key, Value string
	Path       string
	Line       int
}

// ForwardKind is a forward's key, spelled as in ssh_config(5).
type ForwardKind string

// The three kinds of forward.
const (
	LocalForward   ForwardKind = "LocalForward"
	RemoteForward  ForwardKind = "RemoteForward"
	DynamicForward ForwardKind = "DynamicForward"
)

// Forward is one LocalForward, RemoteForward or DynamicForward.
type Forward struct {
	Kind   ForwardKind
	Listen Address // here for LocalForward and DynamicForward, on the server for RemoteForward
	Target Address // zero for DynamicForward and for a RemoteForward that is a SOCKS proxy
	Text   string  // the value as written
	Path   string
	Line   int
}

// SOCKS says whether the forward's listener speaks SOCKS instead of having one target.
func (f Forward) SOCKS() bool { return f.Target == Address{} }

// Address is one end of a forward: a TCP host and port, or the path of a unix socket.
type Address struct {
	Unix string // path of a unix socket; if set, the other fields are zero
	Host string // without brackets; may be empty, "*", "localhost", an address or a name
	Port int
	Bind bool // a bind address was written, even an empty one ("*" and "" mean all interfaces; without one it is loopback)
}

// StartMode is the Start= key.
type StartMode string

// Start modes.
const (
	StartAuto     StartMode = "auto"
	StartOnDemand StartMode = "on-demand"
	StartManual   StartMode = "manual"
)

// Transport is the Transport= key.
type Transport string

// Transports.
const (
	TransportAuto    Transport = "auto"
	TransportNative  Transport = "native"
	TransportOpenSSH Transport = "openssh"
)

// Problem is one thing that is wrong with a tunnel file. Line is 0 if no single line is wrong.
type Problem struct {
	Path    string
	Line    int
	Key     string
	Message string
}

// Reason says why a tunnel with this problem is not well.
func (p Problem) Reason() fault.Reason { return fault.Settings }

// Error is "path:line: key: message", without the parts that are not known.
func (p Problem) Error() string {
	var b strings.Builder
	if p.Path != "" {
		b.WriteString(p.Path)
		if p.Line > 0 {
			fmt.Fprintf(&b, ":%d", p.Line)
		}
		b.WriteString(": ")
	} else if p.Line > 0 {
		fmt.Fprintf(&b, "line %d: ", p.Line)
	}
	if p.Key != "" {
		b.WriteString(p.Key + ": ")
	}
	b.WriteString(p.Message)
	return b.String()
}

// Problems is all that is wrong with a file. As an error it has one line for each problem.
type Problems []Problem

// Reason says why a tunnel with these problems is not well.
func (ps Problems) Reason() fault.Reason { return fault.Settings }

func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}
