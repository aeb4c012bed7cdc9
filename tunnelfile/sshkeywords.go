package tunnelfile

import (
	"maps"
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

// sshKeywords are the keywords of ssh_config(5) that a tunnel may set, by what they mean to it: those
// of OpenSSH 10, and the GSSAPI ones that Debian and Fedora add. The installed ssh may not know all
// of them.
var sshKeywords = map[Standing]string{
	// Of ChannelTimeout what is about forwarded connections; of RekeyLimit the amount: with a time,
	// Transport=auto takes openssh. It also does where a master runs at the ControlPath.
	Honoured: `AddressFamily BatchMode BindAddress BindInterface CASignatureAlgorithms CertificateFile
		ChannelTimeout Ciphers ClearAllForwardings ConnectTimeout ConnectionAttempts ControlPath
		ExitOnForwardFailure GatewayPorts GlobalKnownHostsFile HashKnownHosts HostKeyAlgorithms
		HostKeyAlias HostName IPQoS IdentitiesOnly IdentityAgent IdentityFile
		KbdInteractiveAuthentication KexAlgorithms KnownHostsCommand LogLevel MACs
		NoHostAuthenticationForLocalhost NumberOfPasswordPrompts PasswordAuthentication
		PermitRemoteOpen Port PreferredAuthentications ProxyCommand ProxyJump ProxyUseFdpass
		PubkeyAcceptedAlgorithms PubkeyAuthentication RefuseConnection RekeyLimit RemoteCommand
		RequiredRSASize RevokedHostKeys SendEnv ServerAliveCountMax ServerAliveInterval SetEnv
		StreamLocalBindMask StreamLocalBindUnlink StrictHostKeyChecking TCPKeepAlive UpdateHostKeys
		User UserKnownHostsFile`,
	Resolved: `CanonicalDomains CanonicalizeFallbackLocal CanonicalizeHostname CanonicalizeMaxDots
		CanonicalizePermittedCNAMEs IgnoreUnknown Tag`,
	// A test has the reason for each of them.
	Irrelevant: `AddKeysToAgent ControlMaster ControlPersist EnableEscapeCommandline EscapeChar
		FingerprintHash ForkAfterAuthentication ForwardAgent ForwardX11 ForwardX11Timeout
		ForwardX11Trusted LocalCommand LogVerbose ObscureKeystrokeTiming PermitLocalCommand RequestTTY
		SessionType StdinNull SyslogFacility Tunnel TunnelDevice VersionAddendum VisualHostKey
		WarnWeakCrypto XAuthLocation`,
	// GSSAPIAuthentication also needs a ticket: Debian switches it on for everybody. An agent signs for
	// security keys, or else ssh does. VerifyHostKeyDNS needs a resolver that checks DNSSEC.
	OnlyOpenSSH: `CheckHostIP Compression EnableSSHKeysign GSSAPIAuthentication GSSAPIClientIdentity
		GSSAPIDelegateCredentials GSSAPIKexAlgorithms GSSAPIKeyExchange GSSAPIRenewalForcesRekey
		GSSAPIServerIdentity GSSAPITrustDns HostbasedAcceptedAlgorithms HostbasedAuthentication
		KbdInteractiveDevices PKCS11Provider SecurityKeyProvider VerifyHostKeyDNS`,
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

// sshKeyword is a keyword of ssh_config(5), for [SSH] or not.
type sshKeyword struct {
	name      string // as ssh_config(5) spells it
	standing  Standing
	elsewhere string // why it is not for [SSH]; "" if it is
}

// keywords has every keyword of ssh_config(5), by its name in lower case.
var keywords = sync.OnceValue(func() map[string]sshKeyword {
	all := make(map[string]sshKeyword)
	for standing, names := range sshKeywords {
		for name := range strings.FieldsSeq(names) {
			all[strings.ToLower(name)] = sshKeyword{name: name, standing: standing}
		}
	}
	for name, why := range sshElsewhere {
		standing := Resolved
		if isForward(name) {
			standing = Honoured
		}
		all[strings.ToLower(name)] = sshKeyword{name, standing, why}
	}
	return all
})

// SSHKeyword is a keyword as ssh_config(5) spells it today. It may be written in any letter case,
// or by an older name. It is false if [SSH] takes no such keyword.
func SSHKeyword(written string) (spelled string, ok bool) {
	lower := strings.ToLower(written)
	if spelled, ok := sshAliases[lower]; ok {
		return spelled, true
	}
	k, ok := keywords()[lower]
	if !ok || k.elsewhere != "" {
		return "", false
	}
	return k.name, true
}

// SSHStanding is the spelling of a keyword, and what it means to a tunnel. It may be written in any
// letter case. It is false if ssh_config(5) has no keyword of that name today.
func SSHStanding(written string) (spelled string, s Standing, ok bool) {
	k, ok := keywords()[strings.ToLower(written)]
	return k.name, k.standing, ok
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
	lower := strings.ToLower(written)
	return sshAliases[lower] != "" || keywords()[lower].name != ""
}

// checkKeyword says what is wrong with a keyword in [SSH], "" if nothing is.
func checkKeyword(written string) string {
	if _, ok := SSHKeyword(written); ok {
		return ""
	}
	if why := keywords()[strings.ToLower(written)].elsewhere; why != "" {
		return why
	}
	if _, gone := sameButCase(written, sshGone); gone {
		return "is a keyword that ssh has no more: leave it out"
	}
	if name, ok := sameButCase(written, Keys()); ok {
		return "is a key of [Tunnel], spelled " + name + " there"
	}
	return "is not a keyword of ssh_config(5)" + text.DidYouMean(written, sshKeywordNames())
}

// sshKeywordNames are the keywords that [SSH] takes, sorted.
func sshKeywordNames() []string {
	return slices.Sorted(strings.FieldsSeq(strings.Join(slices.Collect(maps.Values(sshKeywords)), " ")))
}
