package sshlink

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

// keywords is every keyword that `ssh -G` prints, in lower case, and what becomes of it.
// A test holds it against the ssh of the machine.
var keywords = map[string]standing{
	"addkeystoagent":                   irrelevant, // keys that are decrypted here stay here
	"addressfamily":                    honoured,
	"batchmode":                        honoured,
	"bindaddress":                      honoured,
	"bindinterface":                    honoured,
	"canonicaldomains":                 resolved,
	"canonicalizefallbacklocal":        resolved,
	"canonicalizehostname":             resolved,
	"canonicalizemaxdots":              resolved,
	"canonicalizepermittedcnames":      resolved,
	"casignaturealgorithms":            honoured,
	"certificatefile":                  honoured,
	"challengeresponseauthentication":  resolved,   // the old name of KbdInteractiveAuthentication
	"channeltimeout":                   irrelevant, // sessions' and forwards' idleness; a tunnel's channels may be idle
	"checkhostip":                      irrelevant, // a warning for people who watch
	"ciphers":                          honoured,
	"clearallforwardings":              honoured,
	"compression":                      onlyOpenSSH,
	"connectionattempts":               honoured,
	"connecttimeout":                   honoured,
	"controlmaster":                    irrelevant, // a tunnel has a connection of its own
	"controlpath":                      honoured,   // where a master already runs, auto may use it
	"controlpersist":                   irrelevant,
	"dynamicforward":                   honoured,
	"enableescapecommandline":          irrelevant,
	"enablesshkeysign":                 onlyOpenSSH,
	"escapechar":                       irrelevant,
	"exitonforwardfailure":             honoured,
	"fingerprinthash":                  irrelevant, // fingerprints are shown as SHA-256
	"forkafterauthentication":          irrelevant,
	"forwardagent":                     irrelevant,
	"forwardx11":                       irrelevant,
	"forwardx11timeout":                irrelevant,
	"forwardx11trusted":                irrelevant,
	"gatewayports":                     honoured,
	"globalknownhostsfile":             honoured,
	"gssapiauthentication":             onlyOpenSSH, // and a ticket: Debian switches it on for everybody
	"gssapiclientidentity":             onlyOpenSSH,
	"gssapidelegatecredentials":        irrelevant,
	"gssapikexalgorithms":              irrelevant,
	"gssapikeyexchange":                onlyOpenSSH,
	"gssapirenewalforcesrekey":         irrelevant,
	"gssapiserveridentity":             irrelevant,
	"gssapitrustdns":                   irrelevant,
	"hashknownhosts":                   honoured,
	"host":                             resolved,
	"hostbasedacceptedalgorithms":      irrelevant,
	"hostbasedauthentication":          onlyOpenSSH,
	"hostkeyalgorithms":                honoured,
	"hostkeyalias":                     honoured,
	"hostname":                         honoured,
	"identitiesonly":                   honoured,
	"identityagent":                    honoured,
	"identityfile":                     honoured,
	"ignoreunknown":                    resolved,
	"ipqos":                            honoured,
	"kbdinteractiveauthentication":     honoured,
	"kbdinteractivedevices":            irrelevant, // the server chooses
	"kexalgorithms":                    honoured,
	"knownhostscommand":                honoured,
	"localcommand":                     irrelevant, // ExecUp is the tunnel's own word for it
	"localforward":                     honoured,
	"loglevel":                         honoured,
	"logverbose":                       irrelevant,
	"macs":                             honoured,
	"nohostauthenticationforlocalhost": honoured,
	"numberofpasswordprompts":          honoured,
	"obscurekeystroketiming":           irrelevant,
	"passwordauthentication":           honoured,
	"permitlocalcommand":               irrelevant,
	"permitremoteopen":                 honoured,
	"pkcs11provider":                   onlyOpenSSH,
	"port":                             honoured,
	"preferredauthentications":         honoured,
	"proxycommand":                     honoured,
	"proxyjump":                        honoured,
	"proxyusefdpass":                   honoured,
	"pubkeyacceptedalgorithms":         honoured,
	"pubkeyauthentication":             honoured,
	"refuseconnection":                 honoured,
	"rekeylimit":                       honoured, // its amount; its time is not kept by x/crypto
	"remotecommand":                    honoured,
	"remoteforward":                    honoured,
	"requesttty":                       irrelevant,
	"requiredrsasize":                  honoured,
	"revokedhostkeys":                  honoured,
	"securitykeyprovider":              irrelevant, // an agent signs for security keys
	"sendenv":                          irrelevant,
	"serveralivecountmax":              honoured,
	"serveraliveinterval":              honoured,
	"sessiontype":                      irrelevant,
	"setenv":                           irrelevant,
	"stdinnull":                        irrelevant,
	"streamlocalbindmask":              honoured,
	"streamlocalbindunlink":            honoured,
	"stricthostkeychecking":            honoured,
	"syslogfacility":                   irrelevant,
	"tag":                              resolved,
	"tcpkeepalive":                     honoured,
	"tunnel":                           irrelevant,
	"tunneldevice":                     irrelevant,
	"updatehostkeys":                   honoured,
	"user":                             honoured,
	"userknownhostsfile":               honoured,
	"verifyhostkeydns":                 onlyOpenSSH, // wants a resolver that checks DNSSEC
	"versionaddendum":                  irrelevant,
	"visualhostkey":                    irrelevant,
	"warnweakcrypto":                   irrelevant,
	"xauthlocation":                    irrelevant,

	"include": unprintable,
	"match":   unprintable,
}
