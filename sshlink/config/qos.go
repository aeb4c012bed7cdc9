package config

import "strings"

// IPQoS is how the packets of a tunnel are marked, as a word of ssh_config(5). It is empty if the
// system marks them as usual. It follows what ssh -N does in the installed version: it is the first
// of the two values, or the second since OpenSSH 10.1, where the first is for terminals only.
func (o *Options) IPQoS() string {
	words := strings.Fields(o.Option("ipqos"))
	if len(words) == 0 {
		return ""
	}
	mark := words[0]
	if strings.HasPrefix(o.SSHDefault("ipqos"), "ef") { // 10.1 or newer
		if o.Unset("ipqos") {
			return ""
		}
		mark = words[len(words)-1]
	}
	if mark == "none" {
		return ""
	}
	return mark
}
