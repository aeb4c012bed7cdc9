package checkup

import (
	"context"
	"os/exec"
	"time"

	"github.com/holdfast/holdfast/tunnelfile"
)

// askTime is how long systemctl may take to answer.
const askTime = 2 * time.Second

// listens says whether systemd or a worker listens for the tunnel now. Then its own listeners use the ports.
func (x *examination) listens() bool {
	if x.running != nil {
		return true
	}
	ctx, cancel := context.WithTimeout(x.ctx, askTime)
	defer cancel()
	for _, scope := range []string{"--user", "--system"} {
		if exec.CommandContext(ctx, "systemctl", scope, "--quiet", "is-active", tunnelfile.SocketName(x.tunnel.Name)).Run() == nil {
			return true
		}
	}
	return false
}

// up says whether the tunnel has a link now.
func (x *examination) up() bool {
	return x.running != nil && (x.running.State == tunnelfile.Up || x.running.State == tunnelfile.Degraded)
}

// reported is what the running worker reports of a forward. A forward that is not in the report counts as up.
func (x *examination) reported(f tunnelfile.Forward) tunnelfile.ForwardReport {
	if x.running != nil {
		for _, r := range x.running.Forwards {
			if r.Kind == f.Kind && r.Text == f.Text {
				return r
			}
		}
	}
	return tunnelfile.ForwardReport{State: tunnelfile.Up}
}
