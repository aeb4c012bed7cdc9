package config

import (
	"os"
	"strings"
)

// Environment is what RemoteCommand gets of ours (SendEnv) and of the configuration's own (SetEnv),
// each NAME=VALUE. Of one name the last counts.
func (o *Options) Environment() []string {
	var all []string
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		for _, pattern := range strings.Fields(strings.Join(o.Values("sendenv"), " ")) {
			if matches(pattern, name) {
				all = append(all, variable)
				break
			}
		}
	}
	return append(all, o.Values("setenv")...)
}
