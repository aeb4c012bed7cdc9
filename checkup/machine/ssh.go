package machine

import (
	"context"
	"net"
	"os/exec"
	"strings"
	"time"

	"github.com/holdfast/holdfast/tunnelfile"
)

// ssh examines the system's ssh program.
func (x *examination) ssh() {
	path, err := exec.LookPath("ssh")
	if err != nil {
		x.Hint(tunnelfile.SubjectSSH, "sudo apt install openssh-client", "there is no ssh program here: ssh_config(5) is not read, and Transport=openssh is not available")
		return
	}
	ctx, cancel := context.WithTimeout(x.ctx, commandTime)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, "-V").CombinedOutput() // ssh prints its version on standard error
	text, _, _ := strings.Cut(strings.TrimSpace(string(out)), ",")
	if err != nil || !strings.HasPrefix(text, "OpenSSH_") {
		x.Hint(tunnelfile.SubjectSSH, "", "%s is not OpenSSH's, or does not run (%s): what ssh_config(5) says may not count", path, text)
		return
	}
	x.OK(tunnelfile.SubjectSSH, "%s is %s", path, text)
}

// agent compares the SSH_AUTH_SOCK of the units with that of this terminal.
func (x *examination) agent() {
	if x.o.System || x.o.AuthSock == "" {
		return
	}
	inUnits := ""
	for _, variable := range Environment(x.ctx, false) {
		if value, ok := strings.CutPrefix(variable, "SSH_AUTH_SOCK="); ok {
			inUnits = value
		}
	}
	if inUnits == x.o.AuthSock {
		x.OK(tunnelfile.SubjectAgent, "tunnels have the ssh-agent of this terminal")
		return
	}
	conn, err := net.DialTimeout("unix", x.o.AuthSock, time.Second)
	if err != nil {
		return // this terminal has no agent either
	}
	conn.Close()
	what := "know of no ssh-agent by SSH_AUTH_SOCK"
	if inUnits != "" {
		what = "have another ssh-agent (" + inUnits + ")"
	}
	x.Hint(tunnelfile.SubjectAgent, "systemctl --user import-environment SSH_AUTH_SOCK", "tunnels %s, this terminal has %s", what, x.o.AuthSock)
}
