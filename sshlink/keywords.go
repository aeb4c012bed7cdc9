package sshlink

import "strings"

// standing is what a keyword of ssh_config(5) means to the native transport.
type standing int

const (
	honoured    standing = iota // does what ssh_config(5) says
	resolved                    // has done its work when ssh -G has printed its answer
	irrelevant                  // about terminals, X11, agents over there: nothing a tunnel has
	onlyOpenSSH                 // needs the openssh transport when it is switched on
	unprintable                 // steers the reading of files; ssh -G never prints it
)

func (s standing) String() string {
	return [...]string{"honoured", "resolved by ssh", "not about tunnels", "needs the openssh transport", "resolved by ssh"}[s]
}

// keywordTable is every keyword that `ssh -G` prints, as ssh_config(5) spells it, and what
// becomes of it. A test holds it against the ssh of the machine.
var keywordTable = []struct {
	name     string
	standing standing
}{
	{"AddKeysToAgent", irrelevant}, // keys that are decrypted here stay here
	{"AddressFamily", honoured},
	{"BatchMode", honoured},
	{"BindAddress", honoured},
	{"BindInterface", honoured},
	{"CanonicalDomains", resolved},
	{"CanonicalizeFallbackLocal", resolved},
	{"CanonicalizeHostname", resolved},
	{"CanonicalizeMaxDots", resolved},
	{"CanonicalizePermittedCNAMEs", resolved},
	{"CASignatureAlgorithms", honoured},
	{"CertificateFile", honoured},
	{"ChallengeResponseAuthentication", resolved}, // the old name of KbdInteractiveAuthentication
	{"ChannelTimeout", irrelevant},                // sessions' and forwards' idleness; a tunnel's channels may be idle
	{"CheckHostIP", irrelevant},                   // a warning for people who watch
	{"Ciphers", honoured},
	{"ClearAllForwardings", honoured},
	{"Compression", onlyOpenSSH},
	{"ConnectionAttempts", honoured},
	{"ConnectTimeout", honoured},
	{"ControlMaster", irrelevant}, // a tunnel has a connection of its own
	{"ControlPath", honoured},     // where a master already runs, auto may use it
	{"ControlPersist", irrelevant},
	{"DynamicForward", honoured},
	{"EnableEscapeCommandline", irrelevant},
	{"EnableSSHKeysign", onlyOpenSSH},
	{"EscapeChar", irrelevant},
	{"ExitOnForwardFailure", honoured},
	{"FingerprintHash", irrelevant}, // fingerprints are shown as SHA-256
	{"ForkAfterAuthentication", irrelevant},
	{"ForwardAgent", irrelevant},
	{"ForwardX11", irrelevant},
	{"ForwardX11Timeout", irrelevant},
	{"ForwardX11Trusted", irrelevant},
	{"GatewayPorts", honoured},
	{"GlobalKnownHostsFile", honoured},
	{"GSSAPIAuthentication", onlyOpenSSH}, // and a ticket: Debian switches it on for everybody
	{"GSSAPIClientIdentity", onlyOpenSSH},
	{"GSSAPIDelegateCredentials", irrelevant},
	{"GSSAPIKexAlgorithms", irrelevant},
	{"GSSAPIKeyExchange", onlyOpenSSH},
	{"GSSAPIRenewalForcesRekey", irrelevant},
	{"GSSAPIServerIdentity", irrelevant},
	{"GSSAPITrustDns", irrelevant},
	{"HashKnownHosts", honoured},
	{"Host", resolved},
	{"HostbasedAcceptedAlgorithms", irrelevant},
	{"HostbasedAuthentication", onlyOpenSSH},
	{"HostKeyAlgorithms", honoured},
	{"HostKeyAlias", honoured},
	{"HostName", honoured},
	{"IdentitiesOnly", honoured},
	{"IdentityAgent", honoured},
	{"IdentityFile", honoured},
	{"IgnoreUnknown", resolved},
	{"IPQoS", honoured},
	{"KbdInteractiveAuthentication", honoured},
	{"KbdInteractiveDevices", irrelevant}, // the server chooses
	{"KexAlgorithms", honoured},
	{"KnownHostsCommand", honoured},
	{"LocalCommand", irrelevant}, // ExecUp is the tunnel's own word for it
	{"LocalForward", honoured},
	{"LogLevel", honoured},
	{"LogVerbose", irrelevant},
	{"MACs", honoured},
	{"NoHostAuthenticationForLocalhost", honoured},
	{"NumberOfPasswordPrompts", honoured},
	{"ObscureKeystrokeTiming", irrelevant},
	{"PasswordAuthentication", honoured},
	{"PermitLocalCommand", irrelevant},
	{"PermitRemoteOpen", honoured},
	{"PKCS11Provider", onlyOpenSSH},
	{"Port", honoured},
	{"PreferredAuthentications", honoured},
	{"ProxyCommand", honoured},
	{"ProxyJump", honoured},
	{"ProxyUseFdpass", honoured},
	{"PubkeyAcceptedAlgorithms", honoured},
	{"PubkeyAuthentication", honoured},
	{"RefuseConnection", honoured},
	{"RekeyLimit", honoured}, // its amount; with a time, auto takes openssh
	{"RemoteCommand", honoured},
	{"RemoteForward", honoured},
	{"RequestTTY", irrelevant},
	{"RequiredRSASize", honoured},
	{"RevokedHostKeys", honoured},
	{"SecurityKeyProvider", onlyOpenSSH}, // an agent signs for security keys, or else ssh does
	{"SendEnv", irrelevant},
	{"ServerAliveCountMax", honoured},
	{"ServerAliveInterval", honoured},
	{"SessionType", irrelevant},
	{"SetEnv", irrelevant},
	{"StdinNull", irrelevant},
	{"StreamLocalBindMask", honoured},
	{"StreamLocalBindUnlink", honoured},
	{"StrictHostKeyChecking", honoured},
	{"SyslogFacility", irrelevant},
	{"Tag", resolved},
	{"TCPKeepAlive", honoured},
	{"Tunnel", irrelevant},
	{"TunnelDevice", irrelevant},
	{"UpdateHostKeys", honoured},
	{"User", honoured},
	{"UserKnownHostsFile", honoured},
	{"VerifyHostKeyDNS", onlyOpenSSH}, // wants a resolver that checks DNSSEC
	{"VersionAddendum", irrelevant},
	{"VisualHostKey", irrelevant},
	{"WarnWeakCrypto", irrelevant},
	{"XAuthLocation", irrelevant},
	{"Include", unprintable},
	{"Match", unprintable},
}

// keywords is the table by name in lower case, and spelling the names by it.
var keywords, spelling = func() (map[string]standing, map[string]string) {
	standings, names := make(map[string]standing), make(map[string]string)
	for _, k := range keywordTable {
		lower := strings.ToLower(k.name)
		standings[lower], names[lower] = k.standing, k.name
	}
	return standings, names
}()
