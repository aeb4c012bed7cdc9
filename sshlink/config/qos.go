package config

import "strings"

// IPQoS is how the packets of a tunnel are marked, a word of ssh_config(5); empty: they are left as the
// system marks them. It is what ssh -N does in the version that is installed: the first of the two
// values, and since 10.1, where that one is for terminals only, the second.
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
