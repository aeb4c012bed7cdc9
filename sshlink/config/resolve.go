package config

import (
	"context"
	"errors"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/tunnelfile"
)

// maxHops limits a chain of ProxyJump hosts, which ssh_config could make endless.
const maxHops = 16

// Resolve asks ssh what its configuration means for the destination. If a setting is wrong, the
// error's reason is Settings.
func Resolve(ctx context.Context, s Source) (*Options, error) { return resolve(ctx, s, maxHops) }

func resolve(ctx context.Context, s Source, hops int) (*Options, error) {
	if hops == 0 {
		return nil, fault.New(fault.Settings, "ProxyJump: more than %d hosts one behind the other; does a host jump through itself?", maxHops)
	}
	dest, err := parseDestination(s.Destination)
	if err != nil {
		return nil, err
	}
	stamp := s.Stamp()
	res, err := askSSH(ctx, s, dest)
	noSSH := errors.Is(err, errNoSSH)
	if noSSH {
		s.log().Warn("no ssh program here: only the tunnel file's own [SSH] section and the defaults apply, not ssh_config(5)")
		res, err = withoutSSH(s, dest)
	}
	if err != nil {
		return nil, err
	}
	o := &Options{Source: s, resolution: res, stamp: stamp, NoSSH: noSSH}
	if err := o.read(); err != nil {
		return nil, err
	}
	o.Log = withLogLevel(s.log(), o.LogLevel)
	if err := o.resolveJump(ctx, hops); err != nil {
		return nil, err
	}
	return o, nil
}

// read fills the fields from what ssh printed.
func (o *Options) read() error {
	values := o.resolution.values
	for _, s := range o.Defaults() {
		values[strings.ToLower(s.Key)] = []string{s.Value}
	}
	for _, keyword := range []string{"identityfile", "certificatefile"} { // ssh -G checks the others
		for _, value := range values[keyword] {
			if name := unsetVariable(value); name != "" {
				spelled, _ := tunnelfile.SSHKeyword(keyword)
				return fault.New(fault.Settings, "%s %s: the environment here has no %s", spelled, value, name)
			}
		}
	}
	p := valueParser{options: o}
	o.HostName = strings.Trim(o.Written("hostname"), "[]")
	o.User = o.Written("user")
	o.Port = p.number("port")
	o.ServerAliveInterval = p.seconds("serveraliveinterval")
	o.ServerAliveCountMax = p.number("serveralivecountmax")
	o.ConnectTimeout = p.seconds("connecttimeout")
	o.ExitOnForwardFailure = o.Yes("exitonforwardfailure")
	o.GatewayPorts = o.Yes("gatewayports")
	o.StreamLocalBindUnlink = o.Yes("streamlocalbindunlink")
	o.StreamLocalBindMask = p.mask("streamlocalbindmask")
	if v := o.Written("permitremoteopen"); v != "any" {
		o.PermitRemoteOpen = strings.Fields(v)
	}
	var err error
	if o.ChannelTimeout, err = parseChannelTimeouts(o.Option("channeltimeout")); err != nil {
		return err
	}
	if !o.Yes("clearallforwardings") {
		o.Forwards = parseForwards(values)
	}
	if !o.Unset("loglevel") {
		o.LogLevel = o.Written("loglevel")
	}
	if p.err != nil {
		return p.err
	}
	if why := tunnelfile.CheckHostName(o.HostName); why != "" {
		return fault.New(fault.Settings, "HostName %q %s", o.HostName, why)
	}
	if o.Own("remotecommand") {
		o.RemoteCommand = o.Expand(o.Option("remotecommand"))
	}
	return nil
}

// resolveJump reads ProxyJump and ProxyCommand.
func (o *Options) resolveJump(ctx context.Context, hops int) error {
	v := o.Expand(o.Option("proxyjump"))
	if v == "" {
		o.ProxyCommand = o.Expand(o.Option("proxycommand"))
		return nil
	}
	// The last host of the list is directly before this one. It is reached through the others.
	hop := o.Source // with its unfiltered log, because each host has its own LogLevel
	hop.Settings, hop.Transport = nil, tunnelfile.TransportNative
	if i := strings.LastIndexByte(v, ','); i >= 0 {
		hop.Settings = []tunnelfile.Setting{{Key: "ProxyJump", Value: v[:i]}}
		v = v[i+1:]
	}
	hop.Destination = jumpDestination(v)
	jump, err := resolve(ctx, hop, hops-1)
	if err != nil {
		return err
	}
	jump.JumpOf = o.Host()
	o.Jump = jump
	return nil
}

// jumpDestination turns an entry of ProxyJump, [user@]host[:port], into a destination. ssh -G
// prints the host in brackets.
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

// valueParser reads values that ssh has already checked. It keeps the first error.
type valueParser struct {
	options *Options
	err     error
}

// parse reads the value of a keyword with a function of strconv.
func parse[T any](p *valueParser, keyword string, read func(string) (T, error)) T {
	value, err := read(p.options.Written(keyword))
	if err != nil && p.err == nil {
		p.err = fault.New(fault.Settings, "%s: cannot read %q", keyword, p.options.Written(keyword))
	}
	return value
}

func (p *valueParser) number(keyword string) int { return parse(p, keyword, strconv.Atoi) }

// seconds reads a time in seconds. It returns 0 for "none" and for no value.
func (p *valueParser) seconds(keyword string) time.Duration {
	if p.options.Option(keyword) == "" {
		return 0
	}
	n := parse(p, keyword, func(s string) (uint64, error) { return strconv.ParseUint(s, 10, 32) })
	return time.Duration(n) * time.Second
}

func (p *valueParser) mask(keyword string) os.FileMode {
	if p.options.Written(keyword) == "" {
		return tunnelfile.StreamLocalBindMask
	}
	return os.FileMode(parse(p, keyword, func(s string) (uint64, error) { return strconv.ParseUint(s, 8, 32) }))
}

// isYes reads a flag. ssh -G prints some flags as yes and some as true.
func isYes(v string) bool { return v == "yes" || v == "true" }

// parseSize reads a number with an optional suffix K, M or G, as in ssh_config(5). It returns 0 if
// it cannot.
func parseSize(s string) uint64 {
	digits := strings.TrimRight(s, "KkMmGg")
	n, err := strconv.ParseUint(digits, 10, 33)
	if err != nil || len(s)-len(digits) > 1 {
		return 0
	}
	switch s[len(digits):] {
	case "K", "k":
		n <<= 10
	case "M", "m":
		n <<= 20
	case "G", "g":
		n <<= 30
	}
	return n
}
