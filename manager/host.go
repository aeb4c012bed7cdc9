package manager

import (
	"context"
	"net"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/manager/design"
	"github.com/holdfast/holdfast/netwatch"
	"github.com/holdfast/holdfast/sshlink/config"
	"github.com/holdfast/holdfast/systemdctl"
	"github.com/holdfast/holdfast/tunnelfile"
)

// Host is what the manager needs to know of the machine besides tunnel files and units.
type Host struct {
	design.Host

	// Locate is the first machine on the way to a tunnel's server, as ssh_config(5) has it.
	Locate func(context.Context, tunnelfile.Tunnel) Server
	// Way is how this machine gets there on such a network.
	Way func(context.Context, Server, netwatch.State) Way
}

// ThisHost is the machine that a daemon for this scope runs on.
func ThisHost(scope systemdctl.Scope) (Host, error) {
	units, err := design.ThisHost(scope)
	h := Host{Host: units, Locate: locate, Way: wayTo}
	if scope == systemdctl.System {
		h.Locate = locateForUser
	}
	return h, err
}

// locateForUser is locate for the system's tunnels. For a tunnel of another user it goes by the
// tunnel file alone: that user's ssh_config(5) can run programs.
func locateForUser(ctx context.Context, t tunnelfile.Tunnel) Server {
	if !design.OfRoot(t) {
		return locateBy(ctx, t, "none")
	}
	return locate(ctx, t)
}

// locate asks ssh_config(5) for the first machine on the way to a tunnel's server.
func locate(ctx context.Context, t tunnelfile.Tunnel) Server { return locateBy(ctx, t, "") }

// locateBy is locate with this configuration file, as ssh -F takes it; "" is ssh's own files.
func locateBy(ctx context.Context, t tunnelfile.Tunnel, configFile string) Server {
	source := config.Of(t)
	source.ConfigFile = configFile
	o, err := config.Resolve(ctx, source)
	switch {
	case fault.ReasonOf(err) == fault.Settings:
		return Server{Host: "localhost"} // its worker can say what is wrong without a network
	case err != nil:
		return Server{}
	}
	host, _, err := net.SplitHostPort(o.Address())
	return Server{Host: host, Command: err != nil}
}
