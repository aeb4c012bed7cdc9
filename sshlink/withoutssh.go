package sshlink

import (
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/tunnelfile"
)

// plainDefaults are ssh's own defaults for what the native transport reads, as `ssh -G`
// would print them. They serve where there is no ssh program.
var plainDefaults = map[string]string{
	"addressfamily":                "any",
	"connectionattempts":           "1",
	"connecttimeout":               "none",
	"exitonforwardfailure":         "no",
	"gatewayports":                 "no",
	"globalknownhostsfile":         "/etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2",
	"hashknownhosts":               "no",
	"identitiesonly":               "no",
	"ipqos":                        "none",
	"kbdinteractiveauthentication": "yes",
	"numberofpasswordprompts":      "3",
	"passwordauthentication":       "yes",
	"permitremoteopen":             "any",
	"port":                         "22",
	"pubkeyauthentication":         "true",
	"rekeylimit":                   "0 0",
	"requiredrsasize":              "1024",
	"serveralivecountmax":          "3",
	"serveraliveinterval":          "0",
	"streamlocalbindmask":          "0177",
	"streamlocalbindunlink":        "no",
	"stricthostkeychecking":        "ask",
	"tcpkeepalive":                 "yes",
}

// defaultIdentities are the key files that ssh tries where none is named.
var defaultIdentities = []string{
	"~/.ssh/id_rsa", "~/.ssh/id_ecdsa", "~/.ssh/id_ecdsa_sk", "~/.ssh/id_ed25519", "~/.ssh/id_ed25519_sk", "~/.ssh/id_xmss", "~/.ssh/id_dsa",
}

// multiple are the keywords of which every occurrence counts, not only the first.
var multiple = map[string]bool{"identityfile": true, "certificatefile": true, "localforward": true, "remoteforward": true, "dynamicforward": true, "sendenv": true, "setenv": true}

// withoutSSH makes of the file's own [SSH] section and ssh's defaults what ssh -G would.
func withoutSSH(c Config, d destination) (resolution, error) {
	o := make(options)
	for _, s := range c.Settings {
		keyword := strings.ToLower(s.Key)
		place, known := keywords[keyword]
		if !known {
			return resolution{}, fault.Wrap(fault.Settings, tunnelfile.Problem{
				Path: s.Path, Line: s.Line, Key: s.Key, Message: "not a keyword of ssh_config(5)"}, "[SSH]")
		}
		if place == unprintable {
			return resolution{}, fault.Wrap(fault.Settings, tunnelfile.Problem{
				Path: s.Path, Line: s.Line, Key: s.Key, Message: "not built yet without an ssh program"}, "[SSH]")
		}
		if len(o[keyword]) == 0 || multiple[keyword] {
			o[keyword] = append(o[keyword], plainValue(keyword, s.Value))
		}
	}
	if d.user != "" {
		o["user"] = []string{d.user}
	}
	if d.port != 0 {
		o["port"] = []string{strconv.Itoa(d.port)}
	}
	r := resolution{options: o, unset: make(map[string]bool)}
	for _, s := range sentinels {
		keyword := strings.ToLower(s.Key)
		r.unset[keyword] = len(o[keyword]) == 0
	}
	for keyword, value := range plainDefaults {
		if len(o[keyword]) == 0 {
			o[keyword] = []string{value}
		}
	}
	if len(o["user"]) == 0 {
		o["user"] = []string{localUser().name}
	}
	if len(o["hostname"]) == 0 {
		o["hostname"] = []string{d.host}
	}
	o["hostname"][0] = strings.ReplaceAll(o["hostname"][0], "%h", d.host)
	o["host"] = []string{d.host}
	if len(o["identityfile"]) == 0 {
		o["identityfile"] = defaultIdentities
	}
	if len(o["userknownhostsfile"]) == 0 {
		o["userknownhostsfile"] = []string{"~/.ssh/known_hosts ~/.ssh/known_hosts2"}
	}
	return r, nil
}

// plainValue spells a value the way ssh -G prints it: without quotes, times in seconds.
func plainValue(keyword, value string) string {
	value = strings.TrimSpace(value)
	if len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"' && strings.Count(value, `"`) == 2 {
		value = value[1 : len(value)-1]
	}
	switch keyword {
	case "serveraliveinterval", "connecttimeout":
		if t, err := time.ParseDuration(value); err == nil {
			return strconv.Itoa(int(t.Seconds()))
		}
	}
	return value
}

// account is the person that this process runs as.
type account struct{ name, home string }

func homeDir() string {
	if home := localUser().home; home != "" {
		return home
	}
	return os.Getenv("HOME")
}
