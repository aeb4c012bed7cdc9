package manager

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/holdfast/holdfast/internal/fault"
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
	h := Host{Scope: scope, Program: path, Locate: locate, Way: wayTo, SSHConfig: sshConfig}
	if scope == systemdctl.System {
		h.Locate, h.SSHConfig = locateForUser, sshConfigForUser
	}
	return h, err
}

// ofRoot says whether a tunnel of the system runs as root, as the daemon does. Another
// user's ssh_config(5) is a program of that user's, and root does not run it.
func ofRoot(t tunnelfile.Tunnel) bool { return t.User() == "root" || t.User() == "0" }

// sandboxKeywords are the keywords of ssh_config(5) that say which files and devices of this
// machine a worker needs.
var sandboxKeywords = []string{"IdentityAgent", "IdentityFile", "SecurityKeyProvider", "PKCS11Provider", "UserKnownHostsFile", "ControlPath", "ProxyCommand"}

// sshConfigForUser is sshConfig for the system's tunnels, whose sandbox depends on more. What
// the ssh_config(5) of another user says of how a tunnel listens its worker does by itself,
// without a socket unit.
func sshConfigForUser(ctx context.Context, t tunnelfile.Tunnel) (tunnelfile.Tunnel, error) {
	if !ofRoot(t) {
		return t, nil
	}
	t, err := sshConfig(ctx, t)
	if err != nil || !config.Mentions(slices.Clone(sandboxKeywords)...) {
		return t, err
	}
	o, err := resolved(ctx, t)
	if o == nil {
		return t, err
	}
	for _, key := range sandboxKeywords {
		for _, value := range o.Values(strings.ToLower(key)) {
			t.SSH = append(slices.Clip(t.SSH), tunnelfile.Setting{Key: key, Value: value})
		}
	}
	return t, nil
}

// locateForUser is locate for the system's tunnels: of another user's it sees the file alone.
func locateForUser(ctx context.Context, t tunnelfile.Tunnel) Server {
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

// locate asks ssh_config(5) for the first machine on the way to a tunnel's server.
func locate(ctx context.Context, t tunnelfile.Tunnel) Server { return locateBy(ctx, t, "") }

// locateBy is locate by a file in place of ssh's own, as ssh -F.
func locateBy(ctx context.Context, t tunnelfile.Tunnel, configFile string) Server {
	source := config.Of(t)
	source.ConfigFile = configFile
	o, err := config.Resolve(ctx, source)
	switch {
	case fault.ReasonOf(err) == fault.Settings:
		return Server{Host: "localhost"} // what is wrong its worker can say without a network
	case err != nil:
		return Server{}
	}
	host, _, err := net.SplitHostPort(o.Address())
	return Server{Host: host, Command: err != nil}
}

// sshConfig completes a tunnel with what ssh_config(5) says of how it listens. The worker goes
// by the same, and would listen beside its socket unit where the two differ.
func sshConfig(ctx context.Context, t tunnelfile.Tunnel) (tunnelfile.Tunnel, error) {
	listens := listensHere(t) && config.Mentions("GatewayPorts", "StreamLocalBindMask", "StreamLocalBindUnlink", "ExitOnForwardFailure")
	if !listens && (len(t.Forwards) > 0 || !config.Mentions("LocalForward", "DynamicForward")) {
		return t, nil
	}
	o, err := resolved(ctx, t)
	if o == nil {
		return t, err
	}
	if len(t.Forwards) == 0 {
		t.Forwards = o.Forwards
	}
	word := map[bool]string{true: "yes", false: "no"}
	t.SSH = append(slices.Clip(t.SSH), // behind the file's own: the first counts
		tunnelfile.Setting{Key: "GatewayPorts", Value: word[o.GatewayPorts]},
		tunnelfile.Setting{Key: "StreamLocalBindMask", Value: fmt.Sprintf("%#o", o.StreamLocalBindMask)},
		tunnelfile.Setting{Key: "StreamLocalBindUnlink", Value: word[o.StreamLocalBindUnlink]},
		tunnelfile.Setting{Key: "ExitOnForwardFailure", Value: word[o.ExitOnForwardFailure]})
	return t, nil
}

// resolved is what ssh_config(5) makes of a tunnel. It is nil where a setting is wrong, which
// its worker says, and where that is not known now, which the error says.
func resolved(ctx context.Context, t tunnelfile.Tunnel) (*config.Options, error) {
	o, err := config.Resolve(ctx, config.Of(t))
	if fault.ReasonOf(err) == fault.Settings {
		return nil, nil
	}
	return o, err
}
