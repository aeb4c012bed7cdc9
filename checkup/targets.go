package checkup

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/holdfast/holdfast/sshlink"
	"github.com/holdfast/holdfast/tunnelfile"
	"github.com/holdfast/holdfast/worker/forward"
)

// targetTime is how long a target may take to answer.
const targetTime = 10 * time.Second

// targets opens and closes a channel to the target of each local forward. That shows what the server
// allows and whether the target answers. All are tried at the same time. The findings are in the order
// of the file.
func (x *examination) targets(link sshlink.Link) {
	var local []tunnelfile.Forward
	for _, f := range x.forwards.Forwards {
		if f.Kind != tunnelfile.RemoteForward {
			local = append(local, f)
		}
	}
	errs := make([]error, len(local))
	var wg sync.WaitGroup
	for i, f := range local {
		network, addr := forward.Target(f)
		if f.SOCKS() { // clients choose the target; the server's SSH port shows whether they may connect at all
			network, addr = "tcp", "localhost:"+strconv.Itoa(x.server.Port)
		}
		wg.Go(func() { errs[i] = open(x.ctx, link, network, addr) })
	}
	wg.Wait()
	for i, f := range local {
		x.target(f, errs[i])
	}
}

// open opens and closes a channel.
func open(ctx context.Context, link sshlink.Link, network, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, targetTime)
	defer cancel()
	c, err := link.DialContext(ctx, network, addr)
	if err == nil {
		c.Close()
	}
	return err
}

// target reports the result for one forward.
func (x *examination) target(f tunnelfile.Forward, err error) {
	name := string(f.Kind) + " " + f.Listen.String()
	_, addr := forward.Target(f)
	switch {
	case forward.Prohibited(err) && f.Target.Unix != "":
		x.Problem(tunnelfile.SubjectTarget, "on the server, in sshd_config: AllowStreamLocalForwarding yes; then systemctl reload ssh",
			"%s: %s", name, forward.Reason(addr, err))
	case forward.Prohibited(err) && f.SOCKS():
		x.Problem(tunnelfile.SubjectTarget, allowTCP, "%s: the server does not let clients connect anywhere (AllowTcpForwarding, PermitOpen)", name)
	case forward.Prohibited(err):
		x.Problem(tunnelfile.SubjectTarget, allowTCP, "%s: %s", name, forward.Reason(addr, err))
	case f.SOCKS() && (err == nil || forward.TurnedDown(err)):
		x.OK(tunnelfile.SubjectTarget, "%s: the server lets clients connect", name)
	case err == nil:
		x.OK(tunnelfile.SubjectTarget, "%s: %s takes connections", name, addr)
	case f.Target.Unix != "": // sshd gives one answer for all reasons
		x.Problem(tunnelfile.SubjectTarget, "on the server: ls -l "+tunnelfile.ShellWord(addr)+"; ss -xl src "+tunnelfile.ShellWord(addr),
			"%s: the server cannot open %s: nobody listens there, %s may not, or AllowStreamLocalForwarding forbids it", name, addr, x.server.User)
	default:
		x.Problem(tunnelfile.SubjectTarget, "on the server: nc -vz "+tunnelfile.ShellWord(f.Target.Host)+" "+strconv.Itoa(f.Target.Port),
			"%s: %s, as the server sees it", name, forward.Reason(addr, err))
	}
}

// allowTCP is the advice for a server that does not allow forwards.
const allowTCP = "on the server, in sshd_config: AllowTcpForwarding yes (and PermitOpen any); then systemctl reload ssh"
