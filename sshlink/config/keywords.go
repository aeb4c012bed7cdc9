package config

import "strings"

// Standing is what a keyword of ssh_config(5) means to the native transport.
type Standing string

// The standings of a keyword.
const (
	Honoured    Standing = "honoured"                    // does what ssh_config(5) says
	Resolved    Standing = "resolved by ssh"             // has done its work when ssh -G has printed its answer
	Irrelevant  Standing = "not about tunnels"           // about terminals, X11, agents over there: nothing a tunnel has
	OnlyOpenSSH Standing = "needs the openssh transport" // when it is switched on
)

// keywordTable is every keyword that `ssh -G` prints, as ssh_config(5) spells it, and what
// becomes of it. A test holds it against the ssh of the machine.
var keywordTable = []struct {
	name     string
	standing Standing
}{
	{"AddKeysToAgent", Irrelevant}, // keys that are decrypted here stay here
	{"AddressFamily", Honoured},
	{"BatchMode", Honoured},
	{"BindAddress", Honoured},
	{"BindInterface", Honoured},
	{"CanonicalDomains", Resolved},
	{"CanonicalizeFallbackLocal", Resolved},
	{"CanonicalizeHostname", Resolved},
	{"CanonicalizeMaxDots", Resolved},
	{"CanonicalizePermittedCNAMEs", Resolved},
	{"CASignatureAlgorithms", Honoured},
	{"CertificateFile", Honoured},
	{"ChallengeResponseAuthentication", Resolved}, // the old name of KbdInteractiveAuthentication
	{"ChannelTimeout", Irrelevant},                // sessions' and forwards' idleness; a tunnel's channels may be idle
	{"CheckHostIP", Irrelevant},                   // a warning for people who watch
	{"Ciphers", Honoured},
	{"ClearAllForwardings", Honoured},
	{"Compression", OnlyOpenSSH},
	{"ConnectionAttempts", Honoured},
	{"ConnectTimeout", Honoured},
	{"ControlMaster", Irrelevant}, // a tunnel has a connection of its own
	{"ControlPath", Honoured},     // where a master already runs, auto may use it
	{"ControlPersist", Irrelevant},
	{"DynamicForward", Honoured},
	{"EnableEscapeCommandline", Irrelevant},
	{"EnableSSHKeysign", OnlyOpenSSH},
	{"EscapeChar", Irrelevant},
	{"ExitOnForwardFailure", Honoured},
	{"FingerprintHash", Irrelevant}, // fingerprints are shown as SHA-256
	{"ForkAfterAuthentication", Irrelevant},
	{"ForwardAgent", Irrelevant},
	{"ForwardX11", Irrelevant},
	{"ForwardX11Timeout", Irrelevant},
	{"ForwardX11Trusted", Irrelevant},
	{"GatewayPorts", Honoured},
	{"GlobalKnownHostsFile", Honoured},
	{"GSSAPIAuthentication", OnlyOpenSSH}, // and a ticket: Debian switches it on for everybody
	{"GSSAPIClientIdentity", OnlyOpenSSH},
	{"GSSAPIDelegateCredentials", Irrelevant},
	{"GSSAPIKexAlgorithms", Irrelevant},
	{"GSSAPIKeyExchange", OnlyOpenSSH},
	{"GSSAPIRenewalForcesRekey", Irrelevant},
	{"GSSAPIServerIdentity", Irrelevant},
	{"GSSAPITrustDns", Irrelevant},
	{"HashKnownHosts", Honoured},
	{"Host", Resolved},
	{"HostbasedAcceptedAlgorithms", Irrelevant},
	{"HostbasedAuthentication", OnlyOpenSSH},
	{"HostKeyAlgorithms", Honoured},
	{"HostKeyAlias", Honoured},
	{"HostName", Honoured},
	{"IdentitiesOnly", Honoured},
	{"IdentityAgent", Honoured},
	{"IdentityFile", Honoured},
	{"IgnoreUnknown", Resolved},
	{"IPQoS", Honoured},
	{"KbdInteractiveAuthentication", Honoured},
	{"KbdInteractiveDevices", Irrelevant}, // the server chooses
	{"KexAlgorithms", Honoured},
	{"KnownHostsCommand", Honoured},
	{"LocalCommand", Irrelevant}, // ExecUp is the tunnel's own word for it
	{"LocalForward", Honoured},
	{"LogLevel", Honoured},
	{"LogVerbose", Irrelevant},
	{"MACs", Honoured},
	{"NoHostAuthenticationForLocalhost", Honoured},
	{"NumberOfPasswordPrompts", Honoured},
	{"ObscureKeystrokeTiming", Irrelevant},
	{"PasswordAuthentication", Honoured},
	{"PermitLocalCommand", Irrelevant},
	{"PermitRemoteOpen", Honoured},
	{"PKCS11Provider", OnlyOpenSSH},
	{"Port", Honoured},
	{"PreferredAuthentications", Honoured},
	{"ProxyCommand", Honoured},
	{"ProxyJump", Honoured},
	{"ProxyUseFdpass", Honoured},
	{"PubkeyAcceptedAlgorithms", Honoured},
	{"PubkeyAuthentication", Honoured},
	{"RefuseConnection", Honoured},
	{"RekeyLimit", Honoured}, // its amount; with a time, auto takes openssh
	{"RemoteCommand", Honoured},
	{"RemoteForward", Honoured},
	{"RequestTTY", Irrelevant},
	{"RequiredRSASize", Honoured},
	{"RevokedHostKeys", Honoured},
	{"SecurityKeyProvider", OnlyOpenSSH}, // an agent signs for security keys, or else ssh does
	{"SendEnv", Irrelevant},
	{"ServerAliveCountMax", Honoured},
	{"ServerAliveInterval", Honoured},
	{"SessionType", Irrelevant},
	{"SetEnv", Irrelevant},
	{"StdinNull", Irrelevant},
	{"StreamLocalBindMask", Honoured},
	{"StreamLocalBindUnlink", Honoured},
	{"StrictHostKeyChecking", Honoured},
	{"SyslogFacility", Irrelevant},
	{"Tag", Resolved},
	{"TCPKeepAlive", Honoured},
	{"Tunnel", Irrelevant},
	{"TunnelDevice", Irrelevant},
	{"UpdateHostKeys", Honoured},
	{"User", Honoured},
	{"UserKnownHostsFile", Honoured},
	{"VerifyHostKeyDNS", OnlyOpenSSH}, // wants a resolver that checks DNSSEC
	{"VersionAddendum", Irrelevant},
	{"VisualHostKey", Irrelevant},
	{"WarnWeakCrypto", Irrelevant},
	{"XAuthLocation", Irrelevant},
	{"Include", Resolved}, // ssh -G never prints this one
	{"Match", Resolved},   // nor this one
}

// keywords is the table by name in lower case, and spelling the names by it.
var keywords, spelling = func() (map[string]Standing, map[string]string) {
	standings, names := make(map[string]Standing), make(map[string]string)
	for _, k := range keywordTable {
		lower := strings.ToLower(k.name)
		standings[lower], names[lower] = k.standing, k.name
	}
	return standings, names
}()
