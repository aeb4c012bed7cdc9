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

// Options are a destination with everything that ssh_config(5) and the tunnel file say about
// the way there. They do not change once they are resolved.
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
	Forwards              []tunnelfile.Forward // of ssh_config(5), none where ClearAllForwardings=yes
	RemoteCommand         string               // of the [SSH] section, tokens expanded; ssh_config's is for who logs in, as with ssh -N
	LogLevel              string               // as ssh spells it; empty where nobody set it
	ProxyCommand          string               // tokens expanded

	Jump   *Options // the host to go through, with its own Jump in turn; nil: none
	JumpOf string   // the host whose Jump this is; empty: the destination itself

	NoSSH  bool // there is no ssh program here: ssh_config(5) was not read
	Source Source
	Log    *slog.Logger // says as much as LogLevel asks for; never nil

	resolution resolution
	stamp      string // of the configuration, from before ssh read it
}

// Option is the value of a keyword, given in lower case, as ssh -G prints it; empty: none.
func (o *Options) Option(keyword string) string {
	if v := o.Written(keyword); v != "none" {
		return v
	}
	return ""
}

// Written is Option with the word none as it is.
func (o *Options) Written(keyword string) string { return o.resolution.values.first(keyword) }

// Yes says whether a keyword is switched on.
func (o *Options) Yes(keyword string) bool { return isYes(o.Option(keyword)) }

// Off says whether a keyword that is on by default is switched off.
func (o *Options) Off(keyword string) bool {
	v := o.Option(keyword)
	return v == "no" || v == "false"
}

// Number is a keyword's value as a number, 0 where it is none.
func (o *Options) Number(keyword string) int {
	var n int
	fmt.Sscan(o.Option(keyword), &n)
	return n
}

// List are the words of a value that has commas between them.
func (o *Options) List(keyword string) []string { return SplitList(o.Option(keyword)) }

// SplitList takes a list with commas apart.
func SplitList(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}

// Values are all values of a keyword that may be given several times, without none.
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

// Unset says of the keywords that Holdfast has a default of its own for whether nobody set it.
func (o *Options) Unset(keyword string) bool { return o.resolution.unset[keyword] }

// SSHDefault is the value that ssh has for a keyword where there is no file.
func (o *Options) SSHDefault(keyword string) string { return o.resolution.bare.first(keyword) }

// Own says whether the file's [SSH] section has a keyword.
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

// Way is HostPort, and how one comes there where no address is known, for people.
func (o *Options) Way() string {
	if o.ProxyCommand == "" {
		return o.HostPort()
	}
	return o.HostPort() + " through " + strings.TrimPrefix(o.Proxy(), "ProxyCommand ")
}

// Proxy is ProxyCommand with the name of its program, for people: its arguments may have secrets
// among them.
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

// Address is "host:port" of the first machine on the way: tunnels that share it share
// the courtesies due to it. Behind a ProxyCommand it is the command.
func (o *Options) Address() string {
	switch {
	case o.Jump != nil:
		return o.Jump.Address()
	case o.ProxyCommand != "":
		return o.ProxyCommand
	}
	return o.HostPort()
}

// RekeyLimit is the amount of data after which keys are renewed, 0 for the cipher's own limit,
// and whether they are renewed after a time, too. ssh -G prints bytes and seconds.
func (o *Options) RekeyLimit() (amount uint64, byTime bool) {
	size, seconds, _ := strings.Cut(o.Option("rekeylimit"), " ")
	return parseSize(size), seconds != "" && seconds != "0"
}

// Defaults are the settings that Holdfast has put in where nobody wrote others.
func (o *Options) Defaults() []tunnelfile.Setting {
	return slices.DeleteFunc(slices.Clone(tunnelfile.SSHDefaults), func(s tunnelfile.Setting) bool { return !o.Unset(strings.ToLower(s.Key)) })
}

// Underneath are those of the Defaults that ssh by itself would not have.
func (o *Options) Underneath() []tunnelfile.Setting {
	return slices.DeleteFunc(o.Defaults(), func(s tunnelfile.Setting) bool { return plainDefaults[strings.ToLower(s.Key)] == s.Value })
}

// Shares says whether an ssh to the destination would share its connection with others, or
// theirs with itself (ControlMaster).
func (o *Options) Shares() bool {
	v := o.Option("controlmaster")
	return v != "" && v != "no" && v != "false"
}

// Arguments are those of an ssh that goes to the destination by these options. What first has
// beats everything; Holdfast's defaults stand in only for what nobody has set.
func (o *Options) Arguments(first ...tunnelfile.Setting) []string {
	var args []string
	if o.Source.ConfigFile != "" {
		args = append(args, "-F", o.Source.ConfigFile)
	}
	args = append(args, settingArgs(slices.Concat(first, o.Source.Settings, o.Defaults()))...)
	d, _ := parseDestination(o.Source.Destination) // it did parse when it was resolved
	return append(args, d.args()...)
}
