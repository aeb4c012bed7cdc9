package checkup

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/holdfast/holdfast/sshlink"
	"github.com/holdfast/holdfast/sshlink/wire"
	"github.com/holdfast/holdfast/tunnelfile"
)

// negotiated examines the algorithms that the two sides agreed on.
func (x *examination) negotiated(link sshlink.Link) {
	info := link.Info()
	switch {
	case info.Kex == "": // not known with the user's own ControlMaster
	case info.PostQuantum:
		x.OK(tunnelfile.SubjectKeyExchange, "the key exchange is post-quantum: %s", info.Kex)
	default:
		mend, why := x.postQuantumMend(info)
		x.Hint(tunnelfile.SubjectKeyExchange, mend,
			"the key exchange is %s: who records it today may read it with a quantum computer one day; %s", info.Kex, why)
	}
	for _, a := range []string{info.Cipher, info.MAC, info.Kex} {
		if isWeak(a) {
			x.Hint(tunnelfile.SubjectAlgorithms, "on the server: apt upgrade openssh-server", "%s was agreed on, which is weak: the server has nothing better, or the settings allow nothing better", a)
		}
	}
	if !isWeak(info.Cipher) && !isWeak(info.MAC) && info.Cipher != "" {
		x.OK(tunnelfile.SubjectAlgorithms, "%s", strings.Join(strings.Fields(info.Cipher+" "+info.MAC), ", "))
	}
}

// version reads a version of OpenSSH: 902 for 9.2; 0 if it is not OpenSSH.
func version(text string) int {
	var major, minor int
	_, after, _ := strings.Cut(text, "OpenSSH_")
	_, _ = fmt.Sscanf(after, "%d.%d", &major, &minor)
	return major*100 + minor
}

// Versions of OpenSSH that first offered a post-quantum key exchange by default.
const (
	hasSNTRUP = 900 // sntrup761x25519-sha512; on this side only ssh itself has it
	hasMLKEM  = 909 // mlkem768x25519-sha256
)

// postQuantumMend says how to get a post-quantum key exchange: the command, and the reason.
func (x *examination) postQuantumMend(info wire.Info) (mend, why string) {
	server := version(info.ServerVersion)
	chosen := x.writtenAt("KexAlgorithms")
	switch {
	case chosen != "":
		return "holdfast explain " + x.tunnel.Name, "KexAlgorithms" + chosen + " decides; put mlkem768x25519-sha256 first there"
	case server >= hasMLKEM:
		return "on the server: sshd -T | grep -i kexalgorithms", "the server's OpenSSH has mlkem768x25519-sha256, but its KexAlgorithms does not allow it"
	case server >= hasSNTRUP && info.Transport == tunnelfile.TransportNative && x.sshSpeaks("sntrup761x25519-sha512@openssh.com"):
		return x.setCommand("Transport=openssh"), "the server's OpenSSH should have sntrup761x25519-sha512, which the openssh transport speaks; mlkem768x25519-sha256 comes with 9.9"
	}
	return "on the server: apt upgrade openssh-server", "mlkem768x25519-sha256 comes with OpenSSH 9.9"
}

// sshSpeaks says whether the system's ssh program has a key exchange (ssh -Q kex).
func (x *examination) sshSpeaks(kex string) bool {
	ctx, cancel := context.WithTimeout(x.ctx, 5*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "ssh", "-Q", "kex").Output()
	return err == nil && strings.Contains(string(out), kex)
}
