package checkup

import (
	"context"
	"errors"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/holdfast/holdfast/internal/asking"
	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/sshlink"
	"github.com/holdfast/holdfast/sshlink/login"
	"github.com/holdfast/holdfast/tunnelfile"
)

// loginTime is how long the login may take, unless ConnectTimeout is longer.
const loginTime = 30 * time.Second

// login logs in once, as the tunnel does. It returns nil if the login fails, or if a key is missing now (see
// keyNotLoaded).
func (x *examination) login() sshlink.Link {
	if x.keyNotLoaded() {
		return nil
	}
	// Without ConnectTimeout the dial itself has no limit.
	ctx, cancel := context.WithTimeout(x.ctx, max(loginTime, x.server.ConnectTimeout+time.Second))
	defer cancel()
	link, err := x.server.Dial(ctx)
	if err != nil {
		x.refused(err)
		return nil
	}
	info := link.Info()
	address := x.server.HostName
	if host, _, err := net.SplitHostPort(info.Peer); err == nil && host == address {
		address = info.Peer
	} else if err == nil {
		address += " (" + info.Peer + ")"
	}
	x.OK(tunnelfile.SubjectAddress, "%s answers: %s", address, strings.TrimPrefix(info.ServerVersion, "SSH-2.0-"))
	x.OK(tunnelfile.SubjectHostKey, "its host key is trusted: %s", info.HostKey)
	x.OK(tunnelfile.SubjectLogin, "it lets in %s without anybody's help (transport %s)", x.server.User, info.Transport)
	return link
}

// refused reports why the login failed.
func (x *examination) refused(err error) {
	name := x.tunnel.Name
	text := err.Error()
	var dns *net.DNSError
	switch reason := fault.ReasonOf(err); {
	case reason.Class() == fault.ClassDistrusted:
		x.Problem(tunnelfile.SubjectHostKey, "holdfast trust "+name, "%s", text)
	case reason == fault.Passphrase:
		x.Problem(tunnelfile.SubjectLogin, "ssh-add "+tildeWord(x.lockedKey()), "%s, and nobody and nothing here gives it: not at boot either", text)
	case reason.WantsAnswer():
		x.Problem(tunnelfile.SubjectLogin, "ssh-copy-id "+x.copyID(), "%s. Only a person can answer that: use a key instead", text)
	case errors.Is(err, login.ErrTooManyTries):
		x.Problem(tunnelfile.SubjectLogin, x.nameOneKey(), "%s", text)
	case reason == fault.Denied:
		x.Problem(tunnelfile.SubjectLogin, "ssh-copy-id "+x.copyID(), "%s", text)
	case reason == fault.Settings:
		x.Problem(tunnelfile.SubjectSettings, "holdfast explain "+name, "%s", text)
	case reason == fault.TurnedAway:
		x.Problem(tunnelfile.SubjectPort, "on the server: journalctl -u ssh -n 20; MaxStartups and PerSourcePenalties in sshd_config(5), or fail2ban-client status sshd", "%s", text)
	case errors.As(err, &dns):
		x.Problem(tunnelfile.SubjectAddress, "getent ahosts "+tunnelfile.ShellWord(x.server.HostName), "%s", text)
	case errors.Is(err, syscall.ECONNREFUSED):
		x.Problem(tunnelfile.SubjectPort, "on the server: systemctl enable --now ssh", "%s: no SSH server listens there, or a firewall refuses in its place", text)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, asking.ErrTimeout), errors.Is(err, syscall.ETIMEDOUT):
		x.Problem(tunnelfile.SubjectPort, "nc -vz "+tunnelfile.ShellWord(x.server.HostName)+" "+strconv.Itoa(x.server.Port), "%s: the machine is off, or a firewall drops what is sent", text)
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		x.Problem(tunnelfile.SubjectAddress, "ip route get "+tunnelfile.ShellWord(x.server.HostName), "%s: there is no way there now, perhaps for want of a VPN", text)
	default:
		x.Problem(tunnelfile.SubjectLogin, "holdfast logs "+name+" -n 20", "%s", text)
	}
}

// copyID is the arguments for ssh-copy-id.
func (x *examination) copyID() string {
	var words []string
	if p := x.server.Port; p != 22 {
		words = append(words, "-p", strconv.Itoa(p))
	}
	return strings.Join(append(words, tunnelfile.ShellWord(x.server.User+"@"+x.server.HostName)), " ")
}

// tildeWord is tunnelfile.ShellWord for a path that may begin with ~/.
func tildeWord(path string) string {
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		return "~/" + tunnelfile.ShellWord(rest)
	}
	return tunnelfile.ShellWord(path)
}
