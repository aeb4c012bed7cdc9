package config

import (
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast/holdfast/tunnelfile"
)

// Options are a destination with everything that ssh_config(5) and the tunnel file say about the
// way there. They do not change after Resolve.
type Options struct {
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
	PermitRemoteOpen      []string // empty: any
	ChannelTimeout        ChannelTimeouts
	Forwards              []tunnelfile.Forward // of ssh_config(5); none if ClearAllForwardings=yes
	RemoteCommand         string               // of [SSH] only, tokens expanded; ssh -N ignores that of ssh_config
	LogLevel              string               // as ssh spells it; empty if nobody set it
	ProxyCommand          string               // tokens expanded

	Jump   *Options // the host to go through, which may have a Jump too; nil: none
	JumpOf string   // the host whose Jump this is; empty: the destination itself

	NoSSH  bool // there is no ssh program here: ssh_config(5) was not read
	Source Source
	Log    *slog.Logger // filtered by LogLevel; never nil

	resolution resolution
	stamp      string // of the configuration, taken before ssh read it
}

// Option is the value of a keyword as ssh -G prints it. It is empty if there is none or it is
// "none". The keyword must be in lower case.
func (o *Options) Option(keyword string) string {
	if v := o.Written(keyword); v != "none" {
		return v
	}
	return ""
}

// Written is Option, but it returns the word "none" as it is.
func (o *Options) Written(keyword string) string { return o.resolution.values.first(keyword) }

// Yes says whether a keyword is switched on.
func (o *Options) Yes(keyword string) bool { return isYes(o.Option(keyword)) }

// Off says whether a keyword that is on by default is switched off.
func (o *Options) Off(keyword string) bool {
	v := o.Option(keyword)
	return v == "no" || v == "false"
}

// Number is a keyword's value as a number, or 0 if it is not a number.
func (o *Options) Number(keyword string) int {
	var n int
	fmt.Sscan(o.Option(keyword), &n)
	return n
}

// List are the words of a value that is separated by commas.
func (o *Options) List(keyword string) []string { return SplitList(o.Option(keyword)) }

// SplitList splits a list at its commas.
func SplitList(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}

// Values are all values of a keyword that may be given several times, without "none".
func (o *Options) Values(keyword string) []string {
	return slices.DeleteFunc(slices.Clone(o.resolution.values[keyword]), func(value string) bool { return value == "none" })
}

// Files are the paths of a keyword that lists several in one value.
func (o *Options) Files(keyword string) []string {
	var files []string
	for _, f := range splitFiles(o.Option(keyword)) {
		files = append(files, o.Path(f))
	}
	return files
}

// Unset says whether nobody set a keyword. It is always false for keywords that are not in
// sentinels.
func (o *Options) Unset(keyword string) bool { return o.resolution.unset[keyword] }

// SSHDefault is ssh's value for a keyword if there is no file.
func (o *Options) SSHDefault(keyword string) string { return o.resolution.bare.first(keyword) }

// Own says whether the tunnel file's [SSH] section has a keyword.
func (o *Options) Own(keyword string) bool {
	return slices.ContainsFunc(o.Source.Settings, func(s tunnelfile.Setting) bool { return strings.EqualFold(s.Key, keyword) })
}

// Host is the destination as ssh was given it, without user and port.
func (o *Options) Host() string {
	if d, err := parseDestination(o.Source.Destination); err == nil {
		return d.host
	}
	return o.HostName
}

// HostPort is "host:port" of the server.
func (o *Options) HostPort() string { return net.JoinHostPort(o.HostName, strconv.Itoa(o.Port)) }

// Way is HostPort, followed by the ProxyCommand's program if there is one, for people.
func (o *Options) Way() string {
	if o.ProxyCommand == "" {
		return o.HostPort()
	}
	return o.HostPort() + " through " + strings.TrimPrefix(o.Proxy(), "ProxyCommand ")
}

// Proxy is "ProxyCommand" and the name of its program, for people. The arguments are left out,
// because they may contain secrets.
func (o *Options) Proxy() string {
	for word := range strings.FieldsSeq(o.ProxyCommand) {
		if word != "exec" {
			return "ProxyCommand " + filepath.Base(strings.Trim(word, `"'`))
		}
	}
	return "ProxyCommand"
}

// Account is "user@host", for people.
func (o *Options) Account() string { return o.User + "@" + o.HostName }

// Address is "host:port" of the first machine on the way, or the ProxyCommand if there is one.
// Tunnels with the same Address share the limits on attempts to reach it.
func (o *Options) Address() string {
	switch {
	case o.Jump != nil:
		return o.Jump.Address()
	case o.ProxyCommand != "":
		return o.ProxyCommand
	}
	return o.HostPort()
}

// RekeyLimit is the number of bytes after which the keys are renewed, 0 for the cipher's own limit.
// byTime says whether they are also renewed after a time. ssh -G prints bytes and seconds.
func (o *Options) RekeyLimit() (amount uint64, byTime bool) {
	size, seconds, _ := strings.Cut(o.Option("rekeylimit"), " ")
	return parseSize(size), seconds != "" && seconds != "0"
}

// Defaults are Holdfast's own defaults, for the keywords that nobody set.
func (o *Options) Defaults() []tunnelfile.Setting {
	return slices.DeleteFunc(slices.Clone(tunnelfile.SSHDefaults), func(s tunnelfile.Setting) bool { return !o.Unset(strings.ToLower(s.Key)) })
}

// Underneath are those of the Defaults that differ from ssh's own.
func (o *Options) Underneath() []tunnelfile.Setting {
	return slices.DeleteFunc(o.Defaults(), func(s tunnelfile.Setting) bool { return plainDefaults[strings.ToLower(s.Key)] == s.Value })
}

// Shares says whether an ssh to the destination would share a connection (ControlMaster): its own
// with others, or that of another ssh.
func (o *Options) Shares() bool {
	v := o.Option("controlmaster")
	return v != "" && v != "no" && v != "false"
}

// Arguments are the arguments for an ssh that connects to the destination with these options.
// Settings in first win over all others. Holdfast's defaults are given only for keywords that
// nobody set.
func (o *Options) Arguments(first ...tunnelfile.Setting) []string {
	var args []string
	if o.Source.ConfigFile != "" {
		args = append(args, "-F", o.Source.ConfigFile)
	}
	args = append(args, settingArgs(slices.Concat(first, o.Source.Settings, o.Defaults()))...)
	d, _ := parseDestination(o.Source.Destination) // no error: Resolve has parsed it
	return append(args, d.args()...)
}
