package tunnelfile

import (
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/holdfast/holdfast/internal/text"
)

// StreamLocalBindMask is the default of that keyword of ssh_config(5): the umask of unix sockets.
const StreamLocalBindMask os.FileMode = 0o177

// SSHDefaults count for keywords that neither the tunnel file nor ssh_config(5) sets.
var SSHDefaults = []Setting{
	{Key: "ServerAliveInterval", Value: "10"},
	{Key: "ServerAliveCountMax", Value: "3"},
	{Key: "ExitOnForwardFailure", Value: "yes"},
	{Key: "StreamLocalBindUnlink", Value: "yes"},
	{Key: "ConnectTimeout", Value: "15"},
	{Key: "TCPKeepAlive", Value: "yes"},
}

// SSHSetting returns the value of a keyword in [SSH], or else in SSHDefaults; "" if neither has it.
// The first line counts, as in ssh_config(5).
func (t Tunnel) SSHSetting(keyword string) string {
	for _, s := range slices.Concat(t.SSH, SSHDefaults) {
		if strings.EqualFold(s.Key, keyword) {
			return s.Value
		}
	}
	return ""
}

// Yes says whether SSHSetting of a keyword is yes, in one of ssh's two spellings.
func (t Tunnel) Yes(keyword string) bool {
	value := t.SSHSetting(keyword)
	return strings.EqualFold(value, "yes") || strings.EqualFold(value, "true")
}

// Standing is what a keyword of ssh_config(5) means to a tunnel, over Holdfast's own SSH client.
type Standing string

// The standings of a keyword.
const (
	Honoured    Standing = "honoured"                    // does what ssh_config(5) says
	Resolved    Standing = "resolved by ssh"             // ssh -G has dealt with it
	Irrelevant  Standing = "not about tunnels"           // about terminals, X11 or agents on the server, which a tunnel does not have
	OnlyOpenSSH Standing = "needs the openssh transport" // when it is switched on
)

// sshKeywords are the keywords of ssh_config(5) that a tunnel may set, and what each means to it:
// those of OpenSSH 10, and the GSSAPI ones that Debian and Fedora add. The installed ssh may not
// know all of them.
var sshKeywords = []struct {
	name     string
	standing Standing
}{
	{"AddKeysToAgent", Irrelevant}, // Holdfast adds no keys to the agent
	{"AddressFamily", Honoured},
	{"BatchMode", Honoured},
	{"BindAddress", Honoured},
	{"BindInterface", Honoured},
	{"CASignatureAlgorithms", Honoured},
	{"CanonicalDomains", Resolved},
	{"CanonicalizeFallbackLocal", Resolved},
	{"CanonicalizeHostname", Resolved},
	{"CanonicalizeMaxDots", Resolved},
	{"CanonicalizePermittedCNAMEs", Resolved},
	{"CertificateFile", Honoured},
	{"ChannelTimeout", Honoured}, // of forwarded connections
	{"CheckHostIP", OnlyOpenSSH},
	{"Ciphers", Honoured},
	{"ClearAllForwardings", Honoured},
	{"Compression", OnlyOpenSSH},
	{"ConnectTimeout", Honoured},
	{"ConnectionAttempts", Honoured},
	{"ControlMaster", Irrelevant}, // a tunnel has a connection of its own
	{"ControlPath", Honoured},     // where a master already runs, auto may use it
	{"ControlPersist", Irrelevant},
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
	{"GSSAPIAuthentication", OnlyOpenSSH}, // and a ticket: Debian switches it on for everybody
	{"GSSAPIClientIdentity", OnlyOpenSSH},
	{"GSSAPIDelegateCredentials", OnlyOpenSSH},
	{"GSSAPIKexAlgorithms", OnlyOpenSSH},
	{"GSSAPIKeyExchange", OnlyOpenSSH},
	{"GSSAPIRenewalForcesRekey", OnlyOpenSSH},
	{"GSSAPIServerIdentity", OnlyOpenSSH},
	{"GSSAPITrustDns", OnlyOpenSSH},
	{"GatewayPorts", Honoured},
	{"GlobalKnownHostsFile", Honoured},
	{"HashKnownHosts", Honoured},
	{"HostKeyAlgorithms", Honoured},
	{"HostKeyAlias", Honoured},
	{"HostName", Honoured},
	{"HostbasedAcceptedAlgorithms", OnlyOpenSSH},
	{"HostbasedAuthentication", OnlyOpenSSH},
	{"IPQoS", Honoured},
	{"IdentitiesOnly", Honoured},
	{"IdentityAgent", Honoured},
	{"IdentityFile", Honoured},
	{"IgnoreUnknown", Resolved},
	{"KbdInteractiveAuthentication", Honoured},
	{"KbdInteractiveDevices", OnlyOpenSSH},
	{"KexAlgorithms", Honoured},
	{"KnownHostsCommand", Honoured},
	{"LocalCommand", Irrelevant}, // ExecUp is the tunnel's own word for it
	{"LogLevel", Honoured},
	{"LogVerbose", Irrelevant},
	{"MACs", Honoured},
	{"NoHostAuthenticationForLocalhost", Honoured},
	{"NumberOfPasswordPrompts", Honoured},
	{"ObscureKeystrokeTiming", Irrelevant},
	{"PKCS11Provider", OnlyOpenSSH},
	{"PasswordAuthentication", Honoured},
	{"PermitLocalCommand", Irrelevant},
	{"PermitRemoteOpen", Honoured},
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
	{"RequestTTY", Irrelevant},
	{"RequiredRSASize", Honoured},
	{"RevokedHostKeys", Honoured},
	{"SecurityKeyProvider", OnlyOpenSSH}, // an agent signs for security keys, or else ssh does
	{"SendEnv", Honoured},
	{"ServerAliveCountMax", Honoured},
	{"ServerAliveInterval", Honoured},
	{"SessionType", Irrelevant},
	{"SetEnv", Honoured},
	{"StdinNull", Irrelevant},
	{"StreamLocalBindMask", Honoured},
	{"StreamLocalBindUnlink", Honoured},
	{"StrictHostKeyChecking", Honoured},
	{"SyslogFacility", Irrelevant},
	{"TCPKeepAlive", Honoured},
	{"Tag", Resolved},
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

// sshGone are keywords that ssh once had, and ignores now with a warning.
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

// sshLists are keywords with several values. All others have one value.
var sshLists = []string{"CertificateFile", "IdentityFile", "SendEnv"}

// sshCommands are keywords whose value is a command line: a shell reads ";" and quotes in it.
var sshCommands = []string{"KnownHostsCommand", "LocalCommand", "ProxyCommand", "RemoteCommand"}

// SSHKeyword is a keyword as ssh_config(5) spells it today. It may be written in any letter case,
// or by an older name. It is false if [SSH] takes no such keyword.
func SSHKeyword(written string) (spelled string, ok bool) { return keyword(written) }

// keyword is SSHKeyword.
func keyword(written string) (spelled string, ok bool) {
	if spelled, ok := sshAliases[strings.ToLower(written)]; ok {
		return spelled, true
	}
	return sameButCase(written, sshKeywordNames())
}

var sshKeywordNames = sync.OnceValue(func() []string {
	names := make([]string, len(sshKeywords))
	for i, k := range sshKeywords {
		names[i] = k.name
	}
	return names
})

// SSHStanding is the spelling of a keyword, and what it means to a tunnel. It may be written in any
// letter case. It is false if ssh_config(5) has no keyword of that name today.
func SSHStanding(written string) (spelled string, s Standing, ok bool) {
	for _, k := range sshKeywords {
		if strings.EqualFold(k.name, written) {
			return k.name, k.standing, true
		}
	}
	for word := range sshElsewhere {
		if !strings.EqualFold(word, written) {
			continue
		}
		if strings.HasSuffix(word, "Forward") {
			return word, Honoured, true
		}
		return word, Resolved, true
	}
	return "", "", false
}

func sameButCase(written string, words []string) (word string, ok bool) {
	i := slices.IndexFunc(words, func(w string) bool { return strings.EqualFold(w, written) })
	if i < 0 {
		return "", false
	}
	return words[i], true
}

// isKeyword says whether ssh_config(5) has this keyword, for [SSH] or not.
func isKeyword(written string) bool {
	_, known := keyword(written)
	return known || elsewhere(written) != ""
}

// elsewhere says why a keyword of ssh_config(5) is not for [SSH]; "" for all other words.
func elsewhere(written string) string {
	for word, why := range sshElsewhere {
		if strings.EqualFold(word, written) {
			return why
		}
	}
	return ""
}

// checkKeyword says what is wrong with a keyword in [SSH], "" if nothing is.
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
	return "is not a keyword of ssh_config(5)" + text.DidYouMean(written, sshKeywordNames())
}
