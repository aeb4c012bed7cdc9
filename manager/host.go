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
	locate := func(ctx context.Context, t tunnelfile.Tunnel) Server {
		source := config.Of(t)
		if scope == systemdctl.System && !design.OfRoot(t) {
			source.ConfigFile = "none" // the ssh_config(5) of another user can run programs
		}
		return firstServer(ctx, source)
	}
	return Host{Host: units, Locate: locate, Way: wayTo}, err
}

// firstServer asks ssh_config(5) for the first machine on the way to a tunnel's server.
func firstServer(ctx context.Context, source config.Source) Server {
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
