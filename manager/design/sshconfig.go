package design

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/sshlink/config"
	"github.com/holdfast/holdfast/tunnelfile"
)

// OfRoot says whether a tunnel of the system runs as root, as the daemon does. The ssh_config(5) of
// another user can run programs of that user, and root does not run them.
func OfRoot(t tunnelfile.Tunnel) bool { return t.User() == "root" || t.User() == "0" }

// sandboxKeywords are the keywords of ssh_config(5) that say which files and devices of this
// machine a worker needs.
var sandboxKeywords = []string{"IdentityAgent", "IdentityFile", "SecurityKeyProvider", "PKCS11Provider", "UserKnownHostsFile", "ControlPath", "ProxyCommand"}

// sshConfigForUser is sshConfig for the system's tunnels, whose sandbox depends on more keywords.
// Forwards in the ssh_config(5) of another user are served by the worker alone, without a socket
// unit.
func sshConfigForUser(ctx context.Context, t tunnelfile.Tunnel) (tunnelfile.Tunnel, error) {
	if !OfRoot(t) {
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

// sshConfig completes a tunnel with what ssh_config(5) says of how it listens. The worker reads the
// same: if the two differed, it would listen in addition to its socket unit.
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

// resolved is what a tunnel resolves to by ssh_config(5). It is nil if a setting is wrong, which
// the worker reports, and if it cannot be known now, which the error says.
func resolved(ctx context.Context, t tunnelfile.Tunnel) (*config.Options, error) {
	o, err := config.Resolve(ctx, config.Of(t))
	if fault.ReasonOf(err) == fault.Settings {
		return nil, nil
	}
	return o, err
}
