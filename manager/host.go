package manager

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/holdfast/holdfast/sshlink/config"
	"github.com/holdfast/holdfast/systemdctl"
	"github.com/holdfast/holdfast/tunnelfile"
)

// program runs one tunnel; each service unit runs it.
const program = "holdfast-tunnel"

// ThisHost is the machine that a daemon for this scope runs on. The program is taken from beside
// the daemon's own, else from PATH.
func ThisHost(scope systemdctl.Scope) (Host, error) {
	path, err := findProgram()
	h := Host{Scope: scope, Program: path, Locate: locate, SSHConfig: sshConfig}
	if scope == systemdctl.System {
		h.Locate, h.SSHConfig = locateForUser, sshConfigForUser
	}
	return h, err
}

// ofRoot says whether a tunnel of the system runs as root, as the daemon does. Another
// user's ssh_config(5) is a program of that user's, and root does not run it.
func ofRoot(t tunnelfile.Tunnel) bool { return t.User() == "root" || t.User() == "0" }

// sshConfigForUser is sshConfig for the system's tunnels. What the ssh_config(5) of another
// user says of how a tunnel listens its worker does by itself, without a socket unit.
func sshConfigForUser(ctx context.Context, t tunnelfile.Tunnel) tunnelfile.Tunnel {
	if !ofRoot(t) {
		return t
	}
	return sshConfig(ctx, t)
}

// locateForUser is locate for the system's tunnels: of another user's it sees the file alone.
func locateForUser(ctx context.Context, t tunnelfile.Tunnel) netip.Addr {
	if !ofRoot(t) {
		return locateBy(ctx, t, "none")
	}
	return locate(ctx, t)
}

func findProgram() (string, error) {
	self, err := os.Executable()
	if err == nil {
		path := filepath.Join(filepath.Dir(self), program)
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	path, err := exec.LookPath(program)
	if err != nil {
		return "", fmt.Errorf("%s is neither beside holdfastd nor in PATH", program)
	}
	return filepath.Abs(path)
}

// locate asks ssh_config(5) for the first machine on the way to a tunnel's server. A
// name that needs the DNS is not looked up: without a network there is none.
func locate(ctx context.Context, t tunnelfile.Tunnel) netip.Addr { return locateBy(ctx, t, "") }

// locateBy is locate by a file in place of ssh's own, as ssh -F.
func locateBy(ctx context.Context, t tunnelfile.Tunnel, configFile string) netip.Addr {
	source := config.Of(t)
	source.ConfigFile = configFile
	r, err := config.Resolve(ctx, source)
	if err != nil {
		return netip.IPv6Loopback() // what is wrong its worker can say without a network
	}
	host, _, err := net.SplitHostPort(r.Address())
	if err != nil {
		return netip.Addr{} // a ProxyCommand
	}
	if strings.EqualFold(host, "localhost") {
		return netip.IPv6Loopback()
	}
	addr, _ := netip.ParseAddr(host)
	return addr
}

// sshConfig completes a tunnel with what ssh_config(5) says of how it listens. The worker goes
// by the same, and would listen beside its socket unit where the two differ.
func sshConfig(ctx context.Context, t tunnelfile.Tunnel) tunnelfile.Tunnel {
	listens := listensHere(t) && config.Mentions("GatewayPorts", "StreamLocalBindMask", "StreamLocalBindUnlink")
	if !listens && (len(t.Forwards) > 0 || !config.Mentions("LocalForward", "DynamicForward")) {
		return t
	}
	r, err := config.Resolve(ctx, config.Of(t))
	if err != nil {
		return t // what is wrong its worker says
	}
	if len(t.Forwards) == 0 {
		t.Forwards = r.Forwards
	}
	word := map[bool]string{true: "yes", false: "no"}
	t.SSH = append(slices.Clip(t.SSH), // behind the file's own: the first counts
		tunnelfile.Setting{Key: "GatewayPorts", Value: word[r.GatewayPorts]},
		tunnelfile.Setting{Key: "StreamLocalBindMask", Value: fmt.Sprintf("%#o", r.StreamLocalBindMask)},
		tunnelfile.Setting{Key: "StreamLocalBindUnlink", Value: word[r.StreamLocalBindUnlink]})
	return t
}
