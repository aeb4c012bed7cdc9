package config

import (
	"strconv"
	"strings"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/tunnelfile"
)

// plainDefaults are ssh's own defaults for the keywords that the native transport reads, as `ssh
// -G` would print them. They are needed if there is no ssh program.
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
	"streamlocalbindunlink":        "no",
	"stricthostkeychecking":        "ask",
	"tcpkeepalive":                 "yes",
}

// DefaultIdentities are the key files that ssh tries if IdentityFile is not set.
var DefaultIdentities = []string{
	"~/.ssh/id_rsa", "~/.ssh/id_ecdsa", "~/.ssh/id_ecdsa_sk", "~/.ssh/id_ed25519", "~/.ssh/id_ed25519_sk", "~/.ssh/id_xmss", "~/.ssh/id_dsa",
}

// multiple are the keywords of which every occurrence counts. Of all others only the first counts.
var multiple = map[string]bool{"identityfile": true, "certificatefile": true, "localforward": true, "remoteforward": true, "dynamicforward": true, "sendenv": true, "setenv": true}

// withoutSSH computes what ssh -G would print from the [SSH] section and ssh's defaults.
func withoutSSH(source Source, d destination) (resolution, error) {
	values := make(answers)
	for _, s := range source.Settings {
		keyword := strings.ToLower(s.Key)
		_, _, known := tunnelfile.SSHStanding(keyword)
		if !known {
			return resolution{}, fault.Wrap(fault.Settings, tunnelfile.Problem{
				Path: s.Path, Line: s.Line, Key: s.Key, Message: "not a keyword of ssh_config(5)"}, "[SSH]")
		}
		if len(values[keyword]) == 0 || multiple[keyword] {
			values[keyword] = append(values[keyword], plainValues(keyword, s.Value)...)
		}
	}
	if d.user != "" {
		values["user"] = []string{d.user}
	}
	if d.port != "" {
		values["port"] = []string{d.port}
	}
	r := resolution{values: values, unset: make(map[string]bool)}
	for _, s := range sentinels {
		keyword := strings.ToLower(s.Key)
		r.unset[keyword] = len(values[keyword]) == 0
	}
	byDefault := answers{
		"user": {localUser().name}, "hostname": {d.host}, "identityfile": DefaultIdentities,
		"userknownhostsfile": {"~/.ssh/known_hosts ~/.ssh/known_hosts2"},
	}
	for keyword, value := range plainDefaults {
		byDefault[keyword] = []string{value}
	}
	for keyword, value := range byDefault {
		if len(values[keyword]) == 0 {
			values[keyword] = value
		}
	}
	values["hostname"][0] = strings.ReplaceAll(values["hostname"][0], "%h", d.host)
	values["host"] = []string{d.host}
	return r, nil
}

// plainValues are a setting's values as ssh -G prints them: one for each variable of SetEnv, and
// one for any other keyword.
func plainValues(keyword, value string) []string {
	if keyword == "setenv" {
		if words, err := tunnelfile.Words(value); err == nil {
			return words
		}
	}
	return []string{plainValue(keyword, value)}
}

// plainValue spells a value the way ssh -G prints it: without quotes, times in seconds.
func plainValue(keyword, value string) string {
	value = strings.TrimSpace(value)
	if len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"' && strings.Count(value, `"`) == 2 {
		value = value[1 : len(value)-1]
	}
	switch keyword {
	case "serveraliveinterval", "connecttimeout":
		if t, err := tunnelfile.ParseSpan(strings.ToLower(value)); err == nil {
			return strconv.Itoa(int(t.Seconds()))
		}
	}
	return value
}
