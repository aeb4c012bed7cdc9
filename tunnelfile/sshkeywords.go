package tunnelfile

import (
	"slices"
	"strings"

	"github.com/holdfast/holdfast/internal/text"
)

// sshKeywords are the keywords of ssh_config(5) that a tunnel may set, OpenSSH 10's and
// the GSSAPI ones that Debian and Fedora add. Which of them matter to a tunnel, and which
// the installed ssh knows, is not decided here.
var sshKeywords = []string{
	"AddKeysToAgent", "AddressFamily", "BatchMode", "BindAddress", "BindInterface",
	"CASignatureAlgorithms", "CanonicalDomains", "CanonicalizeFallbackLocal", "CanonicalizeHostname",
	"CanonicalizeMaxDots", "CanonicalizePermittedCNAMEs", "CertificateFile", "ChannelTimeout",
	"CheckHostIP", "Ciphers", "ClearAllForwardings", "Compression", "ConnectTimeout",
	"ConnectionAttempts", "ControlMaster", "ControlPath", "ControlPersist",
	"EnableEscapeCommandline", "EnableSSHKeysign", "EscapeChar", "ExitOnForwardFailure",
	"FingerprintHash", "ForkAfterAuthentication", "ForwardAgent", "ForwardX11",
	"ForwardX11Timeout", "ForwardX11Trusted", "GSSAPIAuthentication", "GSSAPIClientIdentity",
	"GSSAPIDelegateCredentials", "GSSAPIKexAlgorithms", "GSSAPIKeyExchange",
	"GSSAPIRenewalForcesRekey", "GSSAPIServerIdentity", "GSSAPITrustDns", "GatewayPorts",
	"GlobalKnownHostsFile", "HashKnownHosts", "HostKeyAlgorithms", "HostKeyAlias",
	"HostbasedAcceptedAlgorithms", "HostbasedAuthentication", "Hostname", "IPQoS",
	"IdentitiesOnly", "IdentityAgent", "IdentityFile", "IgnoreUnknown",
	"KbdInteractiveAuthentication", "KbdInteractiveDevices", "KexAlgorithms",
	"KnownHostsCommand", "LocalCommand", "LogLevel", "LogVerbose", "MACs",
	"NoHostAuthenticationForLocalhost", "NumberOfPasswordPrompts", "ObscureKeystrokeTiming",
	"PKCS11Provider", "PasswordAuthentication", "PermitLocalCommand", "PermitRemoteOpen", "Port",
	"PreferredAuthentications", "ProxyCommand", "ProxyJump", "ProxyUseFdpass",
	"PubkeyAcceptedAlgorithms", "PubkeyAuthentication", "RefuseConnection", "RekeyLimit",
	"RemoteCommand", "RequestTTY", "RequiredRSASize", "RevokedHostKeys", "SecurityKeyProvider",
	"SendEnv", "ServerAliveCountMax", "ServerAliveInterval", "SessionType", "SetEnv", "StdinNull",
	"StreamLocalBindMask", "StreamLocalBindUnlink", "StrictHostKeyChecking", "SyslogFacility",
	"TCPKeepAlive", "Tag", "Tunnel", "TunnelDevice", "UpdateHostKeys", "User",
	"UserKnownHostsFile", "VerifyHostKeyDNS", "VersionAddendum", "VisualHostKey",
	"WarnWeakCrypto", "XAuthLocation",
}

// sshAliases are older spellings that ssh still takes.
var sshAliases = map[string]string{
	"challengeresponseauthentication": "KbdInteractiveAuthentication",
	"dsaauthentication":               "PubkeyAuthentication",
	"hostbasedkeytypes":               "HostbasedAcceptedAlgorithms",
	"keepalive":                       "TCPKeepAlive",
	"pubkeyacceptedkeytypes":          "PubkeyAcceptedAlgorithms",
	"smartcarddevice":                 "PKCS11Provider",
	"tisauthentication":               "KbdInteractiveAuthentication",
}

// sshGone are keywords that ssh once had and now skips with a warning.
var sshGone = []string{
	"Cipher", "CompressionLevel", "FallBackToRsh", "GlobalKnownHostsFile2", "Protocol",
	"RSAAuthentication", "RhostsAuthentication", "RhostsRSAAuthentication",
	"UsePrivilegedPort", "UseRoaming", "UseRsh", "UserKnownHostsFile2",
}

// sshElsewhere are keywords that make no sense in [SSH], and why.
var sshElsewhere = map[string]string{
	"Host":           "has no place here: this section is for this tunnel's host alone",
	"Match":          "has no place here: this section is for this tunnel alone; conditions belong in ~/.ssh/config",
	"Include":        "has no place here: ~/.ssh/config is read anyway and may include files; a drop-in adds to this one",
	"LocalForward":   "belongs in [Tunnel]",
	"RemoteForward":  "belongs in [Tunnel]",
	"DynamicForward": "belongs in [Tunnel]",
}

// sshLists are keywords that ssh collects; of all others it takes one value.
var sshLists = []string{"CertificateFile", "IdentityFile", "SendEnv"}

// sshCommands are keywords whose value is a command line: ";" and quotes in it are the
// shell's.
var sshCommands = []string{"KnownHostsCommand", "LocalCommand", "ProxyCommand", "RemoteCommand"}

// SSHKeyword is a keyword as ssh_config(5) spells it today, whatever its letter case and
// whatever older name it was written by; false: [SSH] takes no such keyword.
func SSHKeyword(written string) (spelled string, ok bool) { return keyword(written) }

// keyword is the keyword as ssh_config(5) spells it. Letter case does not matter to ssh.
func keyword(written string) (spelled string, ok bool) {
	if spelled, ok := sshAliases[strings.ToLower(written)]; ok {
		return spelled, true
	}
	return sameButCase(written, sshKeywords)
}

func sameButCase(written string, words []string) (word string, ok bool) {
	i := slices.IndexFunc(words, func(w string) bool { return strings.EqualFold(w, written) })
	if i < 0 {
		return "", false
	}
	return words[i], true
}

// isKeyword says whether ssh_config(5) has this keyword, here or elsewhere.
func isKeyword(written string) bool {
	_, known := keyword(written)
	return known || elsewhere(written) != ""
}

// elsewhere says why a keyword of ssh_config(5) is not for [SSH]; empty: it is none, or it is.
func elsewhere(written string) string {
	for word, why := range sshElsewhere {
		if strings.EqualFold(word, written) {
			return why
		}
	}
	return ""
}

// checkKeyword says what is wrong with a keyword in [SSH]; empty: nothing.
func checkKeyword(written string) string {
	if _, ok := keyword(written); ok {
		return ""
	}
	if why := elsewhere(written); why != "" {
		return why
	}
	if _, gone := sameButCase(written, sshGone); gone {
		return "is a keyword that ssh has no more: leave it out"
	}
	if name, ok := sameButCase(written, tunnelKeyNames()); ok {
		return "is a key of [Tunnel], spelled " + name + " there"
	}
	return "is not a keyword of ssh_config(5)" + text.DidYouMean(written, sshKeywords)
}
