package checkup

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/holdfast/holdfast/internal/asking"
	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/sshlink/login"
	"github.com/holdfast/holdfast/tunnelfile"
)

const (
	fewTries     = 6    // the default MaxAuthTries of sshd_config(5); each offered key counts
	shortRSA     = 2048 // bits
	certificates = "-cert-v01@openssh.com"
)

// agent examines the ssh-agent that a login would use.
func (x *examination) agent() {
	a := login.Agent(x.ctx, x.server.Options)
	switch {
	case a.Wanted != "":
		x.Hint(tunnelfile.SubjectAgent, "systemctl --user unset-environment SSH_AUTH_SOCK", "nobody answers at %s, where SSH_AUTH_SOCK or IdentityAgent says that the ssh-agent is", text.Tilde(a.Wanted))
	case a.Socket == "":
		x.OK(tunnelfile.SubjectAgent, "there is no ssh-agent; keys come from their files")
	case len(a.Keys) >= fewTries && x.server.Option("identitiesonly") != "yes":
		x.Hint(tunnelfile.SubjectAgent, x.nameOneKey(),
			"the agent at %s offers %s, and servers hang up after %d (MaxAuthTries): name the one that is meant", text.Tilde(a.Socket), text.Count(len(a.Keys), "key"), fewTries)
	default:
		x.OK(tunnelfile.SubjectAgent, "the agent at %s holds %s", text.Tilde(a.Socket), text.Count(len(a.Keys), "key"))
	}
}

// nameOneKey is the command line that makes the tunnel offer one key only.
func (x *examination) nameOneKey() string {
	path := "~/.ssh/id_ed25519"
	for _, k := range login.Keys(x.ctx, x.server.Options) {
		if !k.Missing && (k.Err == nil || k.Agent) {
			path = k.Path
			break
		}
	}
	return x.setCommand("SSH.IdentityFile="+tildeWord(path), "SSH.IdentitiesOnly=yes")
}

// keys examines the key files that a login would use, including those for the hosts of ProxyJump. Only the
// login shows whether the server accepts one.
func (x *examination) keys() {
	for _, k := range x.allKeys() {
		x.key(k)
	}
}

// allKeys are the key files for the server and the hosts of ProxyJump, each once.
func (x *examination) allKeys() []login.KeyState {
	var all []login.KeyState
	for _, server := range append(x.server.Hops(), x.server) {
		for _, k := range login.Keys(x.ctx, server.Options) {
			if !slices.ContainsFunc(all, func(o login.KeyState) bool { return o.File == k.File }) {
				all = append(all, k)
			}
		}
	}
	return all
}

// isCredential says whether a key is a credential of systemd, which exists only while the tunnel's unit runs.
func isCredential(k login.KeyState) bool {
	dir := os.Getenv("CREDENTIALS_DIRECTORY")
	return dir != "" && filepath.Dir(k.File) == dir
}

// keyNotLoaded says whether a key is missing now because it is such a credential.
func (x *examination) keyNotLoaded() bool {
	return slices.ContainsFunc(x.allKeys(), func(k login.KeyState) bool { return k.Missing && isCredential(k) })
}

// lockedKey is the first key file that has a passphrase and is not in the agent.
func (x *examination) lockedKey() string {
	for _, k := range x.allKeys() {
		if k.Encrypted && !k.Agent {
			return k.Path
		}
	}
	return ""
}

// remembered says whether the key's passphrase can be had without a person.
func (x *examination) remembered(k login.KeyState) bool {
	if x.ask == nil {
		return false
	}
	answer, err := x.ask.Ask(x.ctx, asking.PassphraseQuestion(k.File))
	clear(answer)
	return err == nil
}

// key examines one key file.
func (x *examination) key(k login.KeyState) {
	switch {
	case k.Missing && !k.Written:
	case k.Missing && isCredential(k):
		x.Hint(tunnelfile.SubjectKey, "holdfast up "+x.tunnel.Name, "IdentityFile %s: systemd hands it over while the tunnel runs; the login is not tried without it", k.Path)
	case k.Missing:
		x.Hint(tunnelfile.SubjectKey, "ssh-keygen -t ed25519 -f "+tunnelfile.ShellWord(k.File), "IdentityFile %s: there is no such file", k.Path)
	case k.Agent:
		x.OK(tunnelfile.SubjectKey, "%s is in the agent", k.Path)
	case errors.Is(k.Err, login.ErrTooOpen):
		x.Problem(tunnelfile.SubjectKey, "chmod 600 "+tunnelfile.ShellWord(k.File), "%s may be read by others, so ssh does not use it", k.Path)
	case k.OnlySSH && x.server.Transport == tunnelfile.TransportOpenSSH:
		x.OK(tunnelfile.SubjectKey, "%s is a key that ssh itself uses, which the openssh transport runs", k.Path)
	case k.Err != nil:
		x.Hint(tunnelfile.SubjectKey, "", "%s cannot be used: %v", k.Path, k.Err)
	case k.Encrypted && x.remembered(k):
		x.OK(tunnelfile.SubjectKey, "%s takes a passphrase, which a credential or the keyring has", k.Path)
	case k.Encrypted:
		x.Hint(tunnelfile.SubjectKey, "ssh-add "+tunnelfile.ShellWord(k.File), "%s takes a passphrase, and no agent holds it", k.Path)
	case strings.TrimSuffix(k.Type, certificates) == "ssh-dss", k.Bits > 0 && k.Bits < shortRSA:
		x.Hint(tunnelfile.SubjectKey, "ssh-keygen -t ed25519", "%s is too weak a key (%s, %d bits)", k.Path, k.Type, k.Bits)
	default:
		x.OK(tunnelfile.SubjectKey, "%s can be used without anybody's help", k.Path)
	}
}
