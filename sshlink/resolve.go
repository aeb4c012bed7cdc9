package sshlink

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/tunnelfile"
)

// Resolved is a destination with everything that ssh_config(5) and the tunnel file say
// about the way there. It can be dialled many times.
type Resolved struct {
	HostName string
	User     string
	Port     int

	ServerAliveInterval time.Duration // 0: no keepalives
	ServerAliveCountMax int
	ConnectTimeout      time.Duration // 0: none

	ExitOnForwardFailure  bool
	GatewayPorts          bool
	StreamLocalBindUnlink bool
	StreamLocalBindMask   os.FileMode
	PermitRemoteOpen      []string             // empty: any
	Forwards              []tunnelfile.Forward // of ssh_config(5), none where ClearAllForwardings=yes
	RemoteCommand         string               // of the [SSH] section, tokens expanded; ssh_config's is for who logs in, as with ssh -N
	LogLevel              string               // as ssh spells it; empty where nobody set it

	Transport tunnelfile.Transport // native or openssh, as it was when this was resolved; Dial looks again
	Reason    string               // why Transport is what it is
	NoSSH     bool                 // there is no ssh program here: ssh_config(5) was not read

	config     Config
	log        *slog.Logger // the one that was given, whatever LogLevel says
	resolution resolution
	jump       *Resolved // the host to go through, with its own jump in turn
	jumpOf     string    // the host whose jump this is; empty: the destination itself
	proxy      string    // ProxyCommand, tokens expanded

	fellBack atomic.Bool // only ssh itself could log in
}

// maxHops bounds a chain of ProxyJump hosts, which ssh_config could make endless.
const maxHops = 16

// Resolve asks ssh what its configuration makes of the destination. Its errors are
// Mistaken where a setting is wrong.
func Resolve(ctx context.Context, c Config) (*Resolved, error) {
	return resolve(ctx, c, maxHops)
}

func resolve(ctx context.Context, c Config, hops int) (*Resolved, error) {
	if hops == 0 {
		return nil, fault.New(fault.Settings, "ProxyJump: more than %d hosts one behind the other; does a host jump through itself?", maxHops)
	}
	dest, err := parseDestination(c.Destination)
	if err != nil {
		return nil, err
	}
	res, err := askSSH(ctx, c, dest)
	noSSH := errors.Is(err, errNoSSH)
	if noSSH {
		c.log().Warn("no ssh program here: only the tunnel file's own [SSH] section and the defaults apply, not ssh_config(5)")
		res, err = withoutSSH(c, dest)
	}
	if err != nil {
		return nil, err
	}
	r := &Resolved{config: c, log: c.Log, resolution: res, NoSSH: noSSH}
	if err := r.read(); err != nil {
		return nil, err
	}
	r.config.Log = withLogLevel(r.config.Log, r.LogLevel)
	if err := r.resolveJump(ctx, hops); err != nil {
		return nil, err
	}
	if r.Transport, r.Reason, err = r.chooseTransport(ctx); err != nil {
		return nil, err
	}
	return r, nil
}

// read fills the fields from what ssh printed.
func (r *Resolved) read() error {
	o := r.resolution.options
	for _, s := range holdfastDefaults {
		if keyword := strings.ToLower(s.Key); r.resolution.unset[keyword] {
			o[keyword] = []string{s.Value}
		}
	}
	for _, keyword := range []string{"identityfile", "certificatefile"} { // of others ssh -G says it itself
		for _, value := range o[keyword] {
			if name := unsetVariable(value); name != "" {
				return fault.New(fault.Settings, "%s %s: the environment here has no %s", spelling[keyword], value, name)
			}
		}
	}
	var p optionParser
	r.HostName = strings.Trim(o.first("hostname"), "[]")
	r.User = o.first("user")
	r.Port = p.number(o, "port")
	r.ServerAliveInterval = p.seconds(o, "serveraliveinterval")
	r.ServerAliveCountMax = p.number(o, "serveralivecountmax")
	r.ConnectTimeout = p.seconds(o, "connecttimeout")
	r.ExitOnForwardFailure = isYes(o.first("exitonforwardfailure"))
	r.GatewayPorts = isYes(o.first("gatewayports"))
	r.StreamLocalBindUnlink = isYes(o.first("streamlocalbindunlink"))
	r.StreamLocalBindMask = p.mask(o, "streamlocalbindmask")
	if v := o.first("permitremoteopen"); v != "" && v != "any" {
		r.PermitRemoteOpen = strings.Fields(v)
	}
	if !isYes(o.first("clearallforwardings")) {
		r.Forwards = parseForwards(o)
	}
	if !r.resolution.unset["loglevel"] {
		r.LogLevel = o.first("loglevel")
	}
	if p.err != nil {
		return p.err
	}
	if !safeWord(r.HostName) {
		return fault.New(fault.Settings, "HostName %q has characters that a host name cannot have", r.HostName)
	}
	if v := o.first("remotecommand"); v != "none" && r.ownSetting("remotecommand") {
		r.RemoteCommand = r.expand(v)
	}
	return nil
}

// ownSetting says whether the file's [SSH] section has a keyword.
func (r *Resolved) ownSetting(keyword string) bool {
	return slices.ContainsFunc(r.config.Settings, func(s tunnelfile.Setting) bool { return strings.EqualFold(s.Key, keyword) })
}

// resolveJump reads ProxyJump and ProxyCommand.
func (r *Resolved) resolveJump(ctx context.Context, hops int) error {
	o := r.resolution.options
	if v := o.first("proxyjump"); v != "" && v != "none" {
		// The last host of the list is the one before us; it is reached through the others.
		v = r.expand(v)
		last, before := v, ""
		if i := strings.LastIndexByte(v, ','); i >= 0 {
			last, before = v[i+1:], v[:i]
		}
		hop := r.config
		hop.Log = r.log // LogLevel is each host's own
		hop.Destination = jumpDestination(last)
		hop.Settings = nil
		if before != "" {
			hop.Settings = []tunnelfile.Setting{{Key: "ProxyJump", Value: before}}
		}
		hop.Transport = tunnelfile.TransportNative
		jump, err := resolve(ctx, hop, hops-1)
		if err != nil {
			return err
		}
		jump.jumpOf = r.originalHost()
		r.jump = jump
		return nil
	}
	if v := o.first("proxycommand"); v != "" && v != "none" {
		r.proxy = r.expand(v)
	}
	return nil
}

// jumpDestination makes of ProxyJump's [user@]host[:port], which ssh -G prints with the host
// in brackets, a destination.
func jumpDestination(text string) string {
	if strings.HasPrefix(text, "ssh://") {
		return text
	}
	user, host := "", text
	if i := strings.LastIndexByte(text, '@'); i >= 0 {
		user, host = text[:i+1], text[i+1:]
	}
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		return user + strings.Trim(host, "[]")
	}
	if strings.Contains(name, ":") {
		name = "[" + name + "]"
	}
	return "ssh://" + user + name + ":" + port
}

// Address is "host:port" of the first machine on the way: tunnels that share it share
// the courtesies due to it. Behind a ProxyCommand it is the command.
func (r *Resolved) Address() string {
	if r.jump != nil {
		return r.jump.Address()
	}
	if r.proxy != "" {
		return r.proxy
	}
	return joinHostPort(r.HostName, r.Port)
}

// optionParser reads values that ssh has checked already; what it cannot read is kept
// as the first error.
type optionParser struct{ err error }

func (p *optionParser) fail(keyword, value string) {
	if p.err == nil {
		p.err = fault.New(fault.Settings, "%s: cannot read %q", keyword, value)
	}
}

func (p *optionParser) number(o options, keyword string) int {
	n, err := strconv.Atoi(o.first(keyword))
	if err != nil {
		p.fail(keyword, o.first(keyword))
	}
	return n
}

// seconds reads a time in seconds; "none" and absence are 0.
func (p *optionParser) seconds(o options, keyword string) time.Duration {
	v := o.first(keyword)
	if v == "" || v == "none" {
		return 0
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 0 {
		p.fail(keyword, v)
		return 0
	}
	return time.Duration(n) * time.Second
}

func (p *optionParser) mask(o options, keyword string) os.FileMode {
	v := o.first(keyword)
	if v == "" {
		return 0o177
	}
	n, err := strconv.ParseUint(v, 8, 32)
	if err != nil {
		p.fail(keyword, v)
	}
	return os.FileMode(n)
}

// isYes reads a flag: ssh -G prints some as yes and some as true.
func isYes(v string) bool { return v == "yes" || v == "true" }

// absolute is the path as seen from the root, since ssh takes a relative Include for one
// below ~/.ssh.
func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}
